// Language tags: BCP 47 in Kapok, ISO 639-2 where containers have three letters.
#pragma once

#include <string>
#include <string_view>

namespace kapok::media {

// "zh-Hans" -> "zho"; "und" for what has no code here.
std::string_view iso639_of(std::string_view bcp47);
// "chi" and "zho" -> "zh", "yue" -> "yue"; empty for "und" and what is no code. Capitals are taken
// too.
std::string bcp47_of(std::string_view iso639);

}  // namespace kapok::media
