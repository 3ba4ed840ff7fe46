#include "server/media/language.hpp"

#include <algorithm>
#include <array>
#include <cctype>

namespace kapok::media {

namespace {

struct Names {
  std::string_view two;
  std::string_view three;               // ISO 639-2/T
  std::string_view bibliographic = {};  // ISO 639-2/B, where it differs
};
// The languages that Chinese broadcasters carry and the common ones of the world. Cantonese (yue)
// and other three-letter tags pass as they are.
constexpr std::array kLanguages = {
    Names{"ar", "ara"},        Names{"bn", "ben"},        Names{"bo", "bod", "tib"},
    Names{"de", "deu", "ger"}, Names{"en", "eng"},        Names{"es", "spa"},
    Names{"fa", "fas", "per"}, Names{"fr", "fra", "fre"}, Names{"hi", "hin"},
    Names{"id", "ind"},        Names{"ii", "iii"},        Names{"it", "ita"},
    Names{"ja", "jpn"},        Names{"kk", "kaz"},        Names{"ko", "kor"},
    Names{"ky", "kir"},        Names{"lo", "lao"},        Names{"mn", "mon"},
    Names{"ms", "msa", "may"}, Names{"my", "mya", "bur"}, Names{"nl", "nld", "dut"},
    Names{"pl", "pol"},        Names{"pt", "por"},        Names{"ru", "rus"},
    Names{"sv", "swe"},        Names{"ta", "tam"},        Names{"th", "tha"},
    Names{"tr", "tur"},        Names{"ug", "uig"},        Names{"uk", "ukr"},
    Names{"ur", "urd"},        Names{"vi", "vie"},        Names{"za", "zha"},
    Names{"zh", "zho", "chi"}};

bool all_lower(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= 'a' && c <= 'z'; });
}

}  // namespace

std::string_view iso639_of(std::string_view bcp47) {
  const std::string_view primary = bcp47.substr(0, bcp47.find('-'));
  if (primary.size() == 3 && all_lower(primary)) return primary;
  for (const Names& names : kLanguages)
    if (names.two == primary) return names.three;
  return "und";
}

std::string bcp47_of(std::string_view iso639) {
  std::string code(iso639);
  for (char& letter : code)
    letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  if (code.size() != 3 || !all_lower(code) || code == "und") return {};
  for (const Names& names : kLanguages)
    if (names.three == code || names.bibliographic == code) return std::string(names.two);
  return code;
}

}  // namespace kapok::media
