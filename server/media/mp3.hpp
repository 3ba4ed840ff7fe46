// MPEG audio layer III: recognised so that a feed with it can be told apart from a broken one.
#pragma once

#include "server/base/bytes.hpp"
#include "server/base/result.hpp"
#include "server/media/track.hpp"

namespace kapok::media::mp3 {

// [ISO/IEC 11172-3 2.4.2.3, 13818-3] facts of a frame, from its 4-byte header.
Result<AudioFacts> parse_frame(ByteSpan frame);

}  // namespace kapok::media::mp3
