// What clients send to the API: bodies and query values. The first byte chooses the reader.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "server/api/json_reader.hpp"
#include "server/api/rfc3339.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kapok::api;
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] == 't') {
    const auto time = parse_time_or_date(text);
    // Years 0000 to 9999, and an offset of a day at most.
    if (time && (time->time_since_epoch() > std::chrono::hours(24 * 366 * 8031) ||
                 time->time_since_epoch() < -std::chrono::hours(24 * 366 * 1971)))
      std::abort();
  } else {
    const auto object = parse_json_object(text, 4096);
    if (object) (void)JsonReader(*object).text("channel", 64);
  }
  return 0;
}
