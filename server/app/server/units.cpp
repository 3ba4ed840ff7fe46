#include "server/app/server/units.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <limits>
#include <span>

#include "server/api/rfc3339.hpp"

namespace kapok::app {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr std::array kDurationUnits = {
    Unit{"us", 1},         Unit{"ms", 1'000},        Unit{"s", 1'000'000},
    Unit{"m", 60'000'000}, Unit{"h", 3'600'000'000}, Unit{"d", 86'400'000'000},
};
constexpr std::array kByteUnits = {
    Unit{"B", 1},
    Unit{"kB", 1'000},
    Unit{"KiB", 1ULL << 10},
    Unit{"MB", 1'000'000},
    Unit{"MiB", 1ULL << 20},
    Unit{"GB", 1'000'000'000},
    Unit{"GiB", 1ULL << 30},
    Unit{"TB", 1'000'000'000'000},
    Unit{"TiB", 1ULL << 40},
};

Result<std::uint64_t> parse_quantity(std::string_view text, std::span<const Unit> units,
                                     std::string_view example) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end == text.data())
    return fail(Errc::config, "'{}' is not a whole number with a unit, such as \"{}\"", text,
                example);
  std::string_view name = text.substr(static_cast<std::size_t>(end - text.data()));
  while (name.starts_with(' ')) name.remove_prefix(1);
  for (const Unit& unit : units) {
    if (unit.name != name) continue;
    // Everything is kept in a signed 64-bit count somewhere.
    constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    if (number > kMost / unit.factor) return fail(Errc::config, "'{}' is too large", text);
    return number * unit.factor;
  }
  std::string known;
  for (const Unit& unit : units) known += fmt::format("{}{}", known.empty() ? "" : ", ", unit.name);
  if (name.empty())
    return fail(Errc::config, "'{}' has no unit; write it with one of {}, such as \"{}\"", text,
                known, example);
  return fail(Errc::config, "'{}' has the unknown unit '{}'; known are {}", text, name, known);
}

std::string format_quantity(std::uint64_t value, std::span<const Unit> units) {
  const Unit* best = &units.front();
  if (value != 0)
    for (const Unit& unit : units)
      if (value % unit.factor == 0 && unit.factor > best->factor) best = &unit;
  return fmt::format("{}{}", value / best->factor, best->name);
}

}  // namespace

Result<microseconds> parse_duration(std::string_view text) {
  const std::uint64_t count = KAPOK_TRY(parse_quantity(text, kDurationUnits, "30s"));
  return microseconds(static_cast<std::int64_t>(count));
}

std::string format_duration(microseconds duration) {
  if (duration.count() < 0)
    return "-" + format_quantity(static_cast<std::uint64_t>(-duration.count()), kDurationUnits);
  if (duration.count() == 0) return "0s";
  return format_quantity(static_cast<std::uint64_t>(duration.count()), kDurationUnits);
}

Result<ByteSize> parse_bytes(std::string_view text) {
  return ByteSize{KAPOK_TRY(parse_quantity(text, kByteUnits, "40GiB"))};
}

std::string format_bytes(ByteSize size) {
  return format_quantity(size.bytes, kByteUnits);
}

Result<ByteBudget> parse_budget(std::string_view text) {
  if (!text.ends_with('%')) return KAPOK_TRY(parse_bytes(text));
  unsigned percent = 0;
  const std::string_view digits = text.substr(0, text.size() - 1);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), percent);
  if (error != std::errc{} || end != digits.data() + digits.size() || percent < 1 || percent > 95)
    return fail(Errc::config, "'{}' is not a share of the disk from 1% to 95%", text);
  return DiskShare{static_cast<std::uint8_t>(percent)};
}

std::string format_budget(const ByteBudget& budget) {
  if (const auto* share = std::get_if<DiskShare>(&budget))
    return fmt::format("{}%", share->percent);
  return format_bytes(std::get<ByteSize>(budget));
}

Result<UtcTime> parse_rfc3339(std::string_view text) {
  const auto time = api::parse_rfc3339(text);
  if (!time)
    return fail(Errc::config,
                "'{}' is not a time with date, seconds and offset, such as "
                "2026-11-23T20:00:00+08:00",
                text);
  return *time;
}

}  // namespace kapok::app
