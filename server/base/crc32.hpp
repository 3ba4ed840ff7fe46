// CRC-32/MPEG-2 (polynomial 04C11DB7, most significant bit first, begun with ones): of sections of
// MPEG-TS [ISO/IEC 13818-1 annex A] and of RPUs of Dolby Vision.
#pragma once

#include <cstdint>

#include "server/base/bytes.hpp"

namespace kapok {

// Over bytes that end with their own CRC it is 0 when they are whole.
std::uint32_t crc32(ByteSpan bytes);

}  // namespace kapok
