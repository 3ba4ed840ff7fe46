#include "server/picture/containers/cmaf/language.hpp"

namespace kapok::cmaf {

std::uint16_t packed_language(std::string_view iso639) {
  unsigned packed = 0;
  for (const char letter : iso639) packed = (packed << 5) | static_cast<unsigned>(letter - 0x60);
  return static_cast<std::uint16_t>(packed);
}

}  // namespace kapok::cmaf
