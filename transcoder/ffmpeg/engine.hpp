// The engine on libavcodec and libavfilter.
#pragma once

#include <memory>

#include "server/media/ladder.hpp"
#include "transcoder/ladder/engine.hpp"

namespace kapok::ffmpeg {

// The ladder is a valid one. Errors: config (a device that this build has no path for).
Result<std::unique_ptr<ladder::Engine>> make_engine(media::Ladder ladder,
                                                    ladder::EngineOptions options,
                                                    ladder::RungSink& sink);

}  // namespace kapok::ffmpeg
