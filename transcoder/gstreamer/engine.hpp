// The engine with GStreamer's elements as decoders and encoders: for hardware whose drivers come as
// such, and for graphs that an operator writes (VideoRung::bin). What they cannot do, libavcodec
// does.
#pragma once

#include <memory>
#include <string>

#include "server/media/ladder.hpp"
#include "transcoder/ladder/engine.hpp"

namespace kapok::gstreamer {

struct Made {
  std::unique_ptr<ladder::Engine> engine;
  std::string device;  // what it encodes on: "software", "nvidia software"
  bool is_on_gpu = false;
};
// The ladder is a valid one. Plugins are loaded and tried out, which takes a good part of a second.
// Rungs whose own graph cannot be made are told by notice. Errors: config (a device that this
// engine has no elements for).
Result<Made> make_engine(media::Ladder ladder, ladder::EngineOptions options,
                         ladder::RungSink& sink);

}  // namespace kapok::gstreamer
