#include "server/picture/containers/cmaf/language.hpp"

#include <algorithm>
#include <array>

namespace kapok::cmaf {

namespace {

struct Pair {
  std::string_view two;
  std::string_view three;
};
// The languages that Chinese broadcasters carry and the common ones of the world. Cantonese (yue)
// and other three-letter tags pass as they are.
constexpr std::array kLanguages = {
    Pair{"ar", "ara"}, Pair{"bn", "ben"}, Pair{"bo", "bod"}, Pair{"de", "deu"}, Pair{"en", "eng"},
    Pair{"es", "spa"}, Pair{"fa", "fas"}, Pair{"fr", "fra"}, Pair{"hi", "hin"}, Pair{"id", "ind"},
    Pair{"ii", "iii"}, Pair{"it", "ita"}, Pair{"ja", "jpn"}, Pair{"kk", "kaz"}, Pair{"ko", "kor"},
    Pair{"ky", "kir"}, Pair{"lo", "lao"}, Pair{"mn", "mon"}, Pair{"ms", "msa"}, Pair{"my", "mya"},
    Pair{"nl", "nld"}, Pair{"pl", "pol"}, Pair{"pt", "por"}, Pair{"ru", "rus"}, Pair{"sv", "swe"},
    Pair{"ta", "tam"}, Pair{"th", "tha"}, Pair{"tr", "tur"}, Pair{"ug", "uig"}, Pair{"uk", "ukr"},
    Pair{"ur", "urd"}, Pair{"vi", "vie"}, Pair{"za", "zha"}, Pair{"zh", "zho"}};

bool all_lower(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= 'a' && c <= 'z'; });
}

}  // namespace

std::string_view iso639_of(std::string_view bcp47) {
  const std::string_view primary = bcp47.substr(0, bcp47.find('-'));
  if (primary.size() == 3 && all_lower(primary)) return primary;
  for (const Pair& pair : kLanguages)
    if (pair.two == primary) return pair.three;
  return "und";
}

std::uint16_t packed_language(std::string_view iso639) {
  unsigned packed = 0;
  for (const char letter : iso639) packed = (packed << 5) | static_cast<unsigned>(letter - 0x60);
  return static_cast<std::uint16_t>(packed);
}

}  // namespace kapok::cmaf
