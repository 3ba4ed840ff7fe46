// MPEG audio layers II and III (MP2, MP3): recognised so that a feed with one of them can be told
// apart from a broken one, reported, and relayed.
#pragma once

#include "server/base/bytes.hpp"
#include "server/base/result.hpp"
#include "server/media/track.hpp"

namespace kapok::media::mpeg_audio {

enum class Layer : std::uint8_t { two, three };

// [ISO/IEC 11172-3 2.4.2.3, 13818-3] facts of a frame, from its 4-byte header.
Result<AudioFacts> parse_frame(ByteSpan frame, Layer wanted);

}  // namespace kapok::media::mpeg_audio
