// FLAC: the STREAMINFO block. RFC 9639 8.2. A configuration is "fLaC" and metadata blocks, the
// first of which is STREAMINFO.
#pragma once

#include "server/base/bytes.hpp"
#include "server/base/result.hpp"
#include "server/media/track.hpp"

namespace kapok::media::flac {

// Facts of a configuration; samples_per_frame is 0 when block sizes vary.
Result<AudioFacts> parse_config(ByteSpan config);

// "fLaC" and exactly one block, STREAMINFO, marked as last: comments and pictures of the sender do
// not belong into an init segment.
Result<Bytes> normalised(ByteSpan config);

}  // namespace kapok::media::flac
