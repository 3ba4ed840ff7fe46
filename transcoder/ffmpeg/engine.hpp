// The engine: libavfilter between decoders and encoders, which are libavcodec's or Codecs of
// others.
#pragma once

#include <memory>
#include <vector>

#include "server/media/ladder.hpp"
#include "transcoder/ffmpeg/codecs.hpp"
#include "transcoder/ffmpeg/path.hpp"
#include "transcoder/ladder/engine.hpp"

namespace kapok::ffmpeg {

// What an engine works with beside the processor and libavcodec.
struct EngineParts {
  // What the wish for a device came to (device/choice.hpp), the best first. When a device fails the
  // next one goes on; behind the last there is always software.
  std::vector<Path> paths = {};
  // In the place of libavcodec's, for video; without paths.
  std::unique_ptr<const Codecs> codecs = nullptr;
};
// The ladder is a valid one. Errors: unsupported (a device is wished for and there is no way to
// it).
Result<std::unique_ptr<ladder::Engine>> make_engine(media::Ladder ladder,
                                                    ladder::EngineOptions options,
                                                    ladder::RungSink& sink, EngineParts parts = {});

}  // namespace kapok::ffmpeg
