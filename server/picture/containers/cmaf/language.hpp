// The language of mdhd: three letters of ISO 639-2/T, packed.
#pragma once

#include <cstdint>
#include <string_view>

namespace kapok::cmaf {

// [ISO/IEC 14496-12 8.4.2.3] five bits a letter.
std::uint16_t packed_language(std::string_view iso639);

}  // namespace kapok::cmaf
