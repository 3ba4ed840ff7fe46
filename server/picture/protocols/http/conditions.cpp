#include "server/picture/protocols/http/conditions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "server/picture/protocols/http/message.hpp"

namespace kapok::http {

namespace {

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::optional<std::uint64_t> whole_number(std::string_view text) {
  std::uint64_t value = 0;
  const char* last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, value);
  if (text.empty() || text.front() == '-' || end != last) return std::nullopt;
  // Larger than 64 bits is larger than any object, not malformed.
  if (error == std::errc::result_out_of_range) return UINT64_MAX;
  if (error != std::errc()) return std::nullopt;
  return value;
}

std::string_view opaque(std::string_view etag) {
  if (etag.starts_with("W/")) etag.remove_prefix(2);
  return etag;
}

// [RFC 9110 13.1.2] weak comparison over the list.
bool list_names(std::string_view list, std::string_view etag) {
  if (trimmed(list) == "*") return true;
  if (etag.empty()) return false;
  while (!list.empty()) {
    list = trimmed(list);
    const std::size_t open = list.find('"');
    if (open == std::string_view::npos) return false;
    const std::size_t close = list.find('"', open + 1);
    if (close == std::string_view::npos) return false;
    if (list.substr(open, close - open + 1) == opaque(etag)) return true;
    list.remove_prefix(close + 1);
    if (list.starts_with(',')) list.remove_prefix(1);
  }
  return false;
}

constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::array<std::string_view, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

// Splits at blanks, commas, colons and dashes: all three forms become words.
std::size_t split_words(std::string_view text, std::array<std::string_view, 8>& words) {
  std::size_t count = 0;
  while (!text.empty()) {
    const std::size_t start = text.find_first_not_of(" ,:-");
    if (start == std::string_view::npos) break;
    text.remove_prefix(start);
    const std::size_t end = std::min(text.find_first_of(" ,:-"), text.size());
    if (count == words.size()) return 0;
    words[count++] = text.substr(0, end);
    text.remove_prefix(end);
  }
  return count;
}

}  // namespace

Wanted parse_range(std::string_view field, std::uint64_t object_size) {
  constexpr std::string_view kUnit = "bytes=";
  if (field.size() < kUnit.size() || !equal_without_case(field.substr(0, kUnit.size()), kUnit))
    return WholeObject{};
  const std::string_view spec = trimmed(field.substr(kUnit.size()));
  const std::size_t dash = spec.find('-');
  if (dash == std::string_view::npos || spec.find(',') != std::string_view::npos)
    return WholeObject{};
  const std::string_view from = trimmed(spec.substr(0, dash));
  const std::string_view to = trimmed(spec.substr(dash + 1));
  if (from.empty()) {
    const auto last_bytes = whole_number(to);
    if (!last_bytes) return WholeObject{};
    if (*last_bytes == 0 || object_size == 0) return Unsatisfiable{};
    return ByteRange{object_size - std::min(*last_bytes, object_size), object_size};
  }
  const auto first = whole_number(from);
  const auto last = to.empty() ? std::optional(UINT64_MAX) : whole_number(to);
  if (!first || !last || *last < *first) return WholeObject{};
  if (*first >= object_size) return Unsatisfiable{};
  return ByteRange{*first, std::min(*last, object_size - 1) + 1};
}

bool not_modified(const Conditions& conditions, const Validators& object) {
  // [RFC 9110 13.2.2] If-Modified-Since counts only without If-None-Match.
  if (!conditions.if_none_match.empty()) return list_names(conditions.if_none_match, object.etag);
  if (conditions.if_modified_since.empty() || !object.modified) return false;
  const auto since = parse_http_date(conditions.if_modified_since);
  return since && *object.modified <= *since;
}

bool range_applies(const Conditions& conditions, const Validators& object) {
  if (conditions.if_range.empty()) return true;
  if (conditions.if_range.front() == '"')
    return !object.etag.starts_with("W/") && conditions.if_range == object.etag;
  // A weak tag never matches; a date must be exactly ours.
  const auto date = parse_http_date(conditions.if_range);
  return date && object.modified && *date == *object.modified;
}

bool accepts(std::string_view list, std::string_view wanted) {
  bool any = false;
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(','), list.size());
    const std::string_view item = list.substr(0, end);
    list.remove_prefix(std::min(end + 1, list.size()));
    const std::size_t semicolon = std::min(item.find(';'), item.size());
    const std::string_view coding = trimmed(item.substr(0, semicolon));
    std::string_view weight = trimmed(item.substr(std::min(semicolon + 1, item.size())));
    bool refused = false;
    if (weight.starts_with("q=") || weight.starts_with("Q=")) {
      weight.remove_prefix(2);
      refused = !weight.empty() && weight.find_first_not_of("0.") == std::string_view::npos;
    }
    // A coding named beats "*", wherever it stands.
    if (equal_without_case(coding, wanted)) return !refused;
    if (coding == "*") any = !refused;
  }
  return any;
}

std::string format_http_date(UtcTime time) {
  const auto whole = std::chrono::floor<seconds>(time);
  const auto day = std::chrono::floor<std::chrono::days>(whole);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(whole - day);
  return fmt::format(
      "{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", kDays[std::chrono::weekday(day).c_encoding()],
      static_cast<unsigned>(date.day()), kMonths[static_cast<unsigned>(date.month()) - 1],
      static_cast<int>(date.year()), clock.hours().count(), clock.minutes().count(),
      clock.seconds().count());
}

std::optional<UtcTime> parse_http_date(std::string_view text) {
  std::array<std::string_view, 8> w;
  if (text.size() > 64 || split_words(text, w) < 7) return std::nullopt;
  // IMF-fixdate and RFC 850: day-name day month year h m s GMT; asctime: day-name month day h m s
  // year.
  const bool asctime = std::ranges::find(kMonths, w[1]) != kMonths.end();
  const std::string_view month_name = asctime ? w[1] : w[2];
  const auto month = std::ranges::find(kMonths, month_name);
  const auto day = whole_number(asctime ? w[2] : w[1]);
  auto year = whole_number(asctime ? w[6] : w[3]);
  const std::size_t clock = asctime ? 3 : 4;
  const auto hour = whole_number(w[clock]);
  const auto minute = whole_number(w[clock + 1]);
  const auto second = whole_number(w[clock + 2]);
  if (month == kMonths.end() || !day || !year || !hour || !minute || !second) return std::nullopt;
  if (*day > 31 || *year > 9999 || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  if (*year < 100) *year += *year < 70 ? 2000 : 1900;
  const std::chrono::year_month_day date(
      std::chrono::year(static_cast<int>(*year)),
      std::chrono::month(static_cast<unsigned>(month - kMonths.begin()) + 1),
      std::chrono::day(static_cast<unsigned>(*day)));
  if (!date.ok()) return std::nullopt;
  return UtcTime(std::chrono::sys_days(date)) + std::chrono::hours(*hour) +
         std::chrono::minutes(*minute) + seconds(*second);
}

}  // namespace kapok::http
