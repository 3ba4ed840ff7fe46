// What the library kept of an item, whatever has become of the file: read into a record that writes
// and reads as the same again, or refused.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "server/picture/vod/item_record.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kapok::vod;
  const auto read = parse_record({reinterpret_cast<const char*>(data), size});
  if (!read) return 0;
  const std::string text = record_text(*read);
  const auto again = parse_record(text);
  if (!again || record_text(*again) != text) std::abort();
  return 0;
}
