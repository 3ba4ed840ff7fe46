// AAC frames with an ADTS header [ISO/IEC 13818-7 6.2], as MPEG-TS files hold them, into what MP4
// holds: the frame, and an AudioSpecificConfig. Pure.
#pragma once

#include "server/base/bytes.hpp"

namespace kapok::file {

bool is_adts(ByteSpan frame);
// Errors: malformed.
Result<ByteSpan> without_adts(ByteSpan frame);
Result<Bytes> adts_config(ByteSpan frame);  // AudioSpecificConfig [ISO/IEC 14496-3 1.6.2.1]

}  // namespace kapok::file
