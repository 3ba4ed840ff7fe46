// The engine on libavcodec and libavfilter.
#pragma once

#include <memory>
#include <vector>

#include "server/media/ladder.hpp"
#include "transcoder/ffmpeg/path.hpp"
#include "transcoder/ladder/engine.hpp"

namespace kapok::ffmpeg {

// The ladder is a valid one. `paths` are what the wish for a device in it came to
// (device/choice.hpp), the best first. When a device fails the next one goes on; behind the last
// there is always software. Errors: unsupported (a device is wished for and there is no path).
Result<std::unique_ptr<ladder::Engine>> make_engine(media::Ladder ladder,
                                                    ladder::EngineOptions options,
                                                    ladder::RungSink& sink,
                                                    std::vector<Path> paths = {});

}  // namespace kapok::ffmpeg
