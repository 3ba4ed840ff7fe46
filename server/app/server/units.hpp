// Quantities as people write them in the configuration: "30m", "200ms", "40GiB", "25%", and times
// as RFC 3339. Parsing returns what is wrong in words; formatting gives the shortest text that
// parses back to the same value. Pure functions, no state.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "server/base/clock.hpp"
#include "server/base/result.hpp"

namespace kapok::app {

struct ByteSize {
  std::uint64_t bytes = 0;
  auto operator<=>(const ByteSize&) const = default;
};

// Of the disk that holds the spool.
struct DiskShare {
  std::uint8_t percent = 0;
  auto operator<=>(const DiskShare&) const = default;
};

using ByteBudget = std::variant<DiskShare, ByteSize>;

// A whole number and one unit: us, ms, s, m, h, d.
Result<microseconds> parse_duration(std::string_view text);
std::string format_duration(microseconds duration);

// A whole number and one unit: B, kB, MB, GB, TB (powers of 1000), KiB, MiB, GiB, TiB.
Result<ByteSize> parse_bytes(std::string_view text);
std::string format_bytes(ByteSize size);

// Bytes as above, or "25%".
Result<ByteBudget> parse_budget(std::string_view text);
std::string format_budget(const ByteBudget& budget);

// [RFC 3339] with seconds and an offset: "2026-11-23T20:00:00+08:00", "2026-11-23T12:00:00Z".
Result<UtcTime> parse_rfc3339(std::string_view text);

}  // namespace kapok::app
