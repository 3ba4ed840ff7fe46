// Language tags: BCP 47 in Kapok and in elng, three letters of ISO 639-2/T packed into mdhd.
#pragma once

#include <cstdint>
#include <string_view>

namespace kapok::cmaf {

// "zh-Hans" -> "zho"; "und" for what has no code here.
std::string_view iso639_of(std::string_view bcp47);
// [ISO/IEC 14496-12 8.4.2.3] five bits a letter.
std::uint16_t packed_language(std::string_view iso639);

}  // namespace kapok::cmaf
