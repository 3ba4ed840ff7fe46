#include "server/app/server/units.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <limits>
#include <optional>
#include <span>

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

// Exactly `digits` decimal digits, then moves on.
std::optional<int> take_digits(std::string_view& text, std::size_t digits) {
  if (text.size() < digits) return std::nullopt;
  int value = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(digits);
  return value;
}
bool take(std::string_view& text, std::string_view any_of) {
  if (text.empty() || any_of.find(text.front()) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<microseconds> take_fraction(std::string_view& text) {
  if (!take(text, ".")) return microseconds(0);
  std::int64_t value = 0;
  std::int64_t scale = 1'000'000;
  std::size_t digits = 0;
  while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
    if (scale > 1) {
      scale /= 10;
      value += (text.front() - '0') * scale;
    }
    text.remove_prefix(1);
    if (++digits > 9) return std::nullopt;
  }
  if (digits == 0) return std::nullopt;
  return microseconds(value);
}

std::optional<std::chrono::minutes> take_offset(std::string_view& text) {
  if (take(text, "Zz")) return std::chrono::minutes(0);
  const bool west = text.starts_with('-');
  if (!take(text, "+-")) return std::nullopt;
  const auto hours = take_digits(text, 2);
  if (!hours || !take(text, ":")) return std::nullopt;
  const auto minutes = take_digits(text, 2);
  if (!minutes || *hours > 23 || *minutes > 59) return std::nullopt;
  const std::chrono::minutes offset(*hours * 60 + *minutes);
  return west ? -offset : offset;
}

std::optional<UtcTime> read_rfc3339(std::string_view text) {
  const auto year = take_digits(text, 4);
  if (!year || !take(text, "-")) return std::nullopt;
  const auto month = take_digits(text, 2);
  if (!month || !take(text, "-")) return std::nullopt;
  const auto day = take_digits(text, 2);
  if (!day || !take(text, "Tt ")) return std::nullopt;
  const auto hour = take_digits(text, 2);
  if (!hour || !take(text, ":")) return std::nullopt;
  const auto minute = take_digits(text, 2);
  if (!minute || !take(text, ":")) return std::nullopt;
  const auto second = take_digits(text, 2);
  if (!second) return std::nullopt;
  const auto fraction = take_fraction(text);
  if (!fraction) return std::nullopt;
  const auto offset = take_offset(text);
  if (!offset || !text.empty()) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  // 60 is a leap second, which UTC arithmetic here does not have: it reads as the next second.
  if (!date.ok() || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  return UtcTime(std::chrono::sys_days(date)) + std::chrono::hours(*hour) +
         std::chrono::minutes(*minute) + seconds(*second) + *fraction - *offset;
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
  const auto time = read_rfc3339(text);
  if (!time)
    return fail(Errc::config,
                "'{}' is not a time with date, seconds and offset, such as "
                "2026-11-23T20:00:00+08:00",
                text);
  return *time;
}

}  // namespace kapok::app
