// The engine on GStreamer: for hardware whose drivers come as its elements, and for graphs that an
// operator writes (VideoRung::bin).
#pragma once

#include <memory>
#include <string>

#include "server/media/ladder.hpp"
#include "transcoder/ladder/engine.hpp"

namespace kapok::gstreamer {

struct Made {
  std::unique_ptr<ladder::Engine> engine;
  std::string device;  // what it encodes on: "software", "nvidia software"
};
// The ladder is a valid one. Plugins are loaded and tried out, which takes a good part of a second.
// Rungs whose own graph cannot be made are told by notice. Errors: config (a device that this
// engine has no elements for, or of which none works).
Result<Made> make_engine(media::Ladder ladder, ladder::EngineOptions options,
                         ladder::RungSink& sink);

}  // namespace kapok::gstreamer
