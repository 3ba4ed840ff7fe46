#include "server/hours/verify/measured_json.hpp"

#include <boost/json/array.hpp>

#include "server/hours/rules/canonical_json.hpp"

namespace kapok::verify {

namespace {

namespace json = boost::json;

json::object row_json(const RowKey& row) {
  return {{"month", fmt::format("{}-{:02}", row.month / 100, row.month % 100)},
          {"enterprise_number", number_text(row.enterprise, 4)},
          {"programme_number", number_text(row.programme, 8)},
          {"work_number", number_text(row.work, 8)},
          {"region", row.region}};
}

json::object excluded_json(const Excluded& excluded) {
  json::object out;
  for (std::size_t i = 1; i < excluded.size(); ++i)
    if (excluded[i] != 0) out[name_of(static_cast<ledger::Reason>(i))] = excluded[i];
  return out;
}

Result<std::uint64_t> parse_number(const json::object& in, std::string_view key) {
  const json::value* value = in.if_contains(key);
  if (value == nullptr) return 0;
  if (!value->is_string()) return fail(Errc::malformed, "filter {} is not a text", key);
  const std::optional<Bytes> bytes = from_hex(std::string_view(value->get_string()));
  if (!bytes || bytes->size() > 8) return fail(Errc::malformed, "filter {} is not hex", key);
  std::uint64_t number = 0;
  for (const std::byte b : *bytes) number = (number << 8) | std::to_integer<std::uint64_t>(b);
  return number;
}

}  // namespace

std::string number_text(std::uint64_t number, std::size_t bytes) {
  return fmt::format("{:0{}x}", number, bytes * 2);
}

json::object to_json(const MeasureFilter& filter) {
  json::object out;
  if (filter.from_ms != INT64_MIN) out["from_ms"] = filter.from_ms;
  if (filter.to_ms != INT64_MAX) out["to_ms"] = filter.to_ms;
  if (filter.enterprise != 0) out["enterprise_number"] = number_text(filter.enterprise, 4);
  if (filter.programme != 0) out["programme_number"] = number_text(filter.programme, 8);
  if (filter.channel != 0) out["channel_number"] = number_text(filter.channel, 4);
  if (filter.region != 0) out["region"] = filter.region;
  return out;
}

Result<MeasureFilter> parse_filter(const json::value& value) {
  if (!value.is_object()) return fail(Errc::malformed, "report filter is not an object");
  const json::object& in = value.get_object();
  MeasureFilter out;
  boost::system::error_code failed;
  const auto number = [&](std::string_view key, std::int64_t otherwise) {
    const json::value* held = in.if_contains(key);
    return held == nullptr ? otherwise : held->to_number<std::int64_t>(failed);
  };
  out.from_ms = number("from_ms", INT64_MIN);
  out.to_ms = number("to_ms", INT64_MAX);
  out.region = static_cast<std::uint32_t>(number("region", 0));
  if (failed) return fail(Errc::malformed, "report filter has a number that is none");
  out.enterprise = static_cast<std::uint32_t>(KAPOK_TRY(parse_number(in, "enterprise_number")));
  out.programme = KAPOK_TRY(parse_number(in, "programme_number"));
  out.channel = static_cast<std::uint32_t>(KAPOK_TRY(parse_number(in, "channel_number")));
  return out;
}

json::object to_json(const Measured& measured) {
  json::array programme_hours;
  ProgrammeHours all_offered;
  for (const auto& [row, hours] : measured.programme_hours) {
    json::object line = row_json(row);
    line["offered_strict_ms"] = hours.offered_strict_ms;
    line["offered_loose_ms"] = hours.offered_loose_ms;
    line["offered_other_ms"] = hours.offered_other_ms;
    line["offered_paid_ms"] = hours.offered_paid_ms;
    line["fresh_strict_ms"] = hours.fresh_strict_ms;
    line["fresh_loose_ms"] = hours.fresh_loose_ms;
    programme_hours.push_back(std::move(line));
    all_offered.offered_strict_ms += hours.offered_strict_ms;
    all_offered.offered_loose_ms += hours.offered_loose_ms;
    all_offered.offered_other_ms += hours.offered_other_ms;
    all_offered.offered_paid_ms += hours.offered_paid_ms;
    all_offered.fresh_strict_ms += hours.fresh_strict_ms;
    all_offered.fresh_loose_ms += hours.fresh_loose_ms;
  }
  json::array viewing_hours;
  ViewingHours all_viewed;
  for (const auto& [row, hours] : measured.viewing_hours) {
    json::object line = row_json(row);
    line["strict_ms"] = hours.strict_ms;
    line["loose_ms"] = hours.loose_ms;
    line["other_ms"] = hours.other_ms;
    line["total_ms"] = hours.total_ms;
    line["claimed_ms"] = hours.claimed_ms;
    line["intervals"] = hours.intervals;
    const auto excluded = measured.excluded_views.find(row);
    line["excluded_ms"] = excluded == measured.excluded_views.end()
                              ? json::object()
                              : excluded_json(excluded->second);
    viewing_hours.push_back(std::move(line));
    all_viewed.strict_ms += hours.strict_ms;
    all_viewed.loose_ms += hours.loose_ms;
    all_viewed.other_ms += hours.other_ms;
    all_viewed.total_ms += hours.total_ms;
    all_viewed.claimed_ms += hours.claimed_ms;
    all_viewed.intervals += hours.intervals;
  }
  Excluded excluded_views{};
  for (const auto& [row, excluded] : measured.excluded_views)
    for (std::size_t i = 0; i < excluded.size(); ++i) excluded_views[i] += excluded[i];
  return {{"programme_hours",
           {{"rows", std::move(programme_hours)},
            {"total",
             {{"offered_strict_ms", all_offered.offered_strict_ms},
              {"offered_loose_ms", all_offered.offered_loose_ms},
              {"offered_other_ms", all_offered.offered_other_ms},
              {"offered_paid_ms", all_offered.offered_paid_ms},
              {"fresh_strict_ms", all_offered.fresh_strict_ms},
              {"fresh_loose_ms", all_offered.fresh_loose_ms}}},
            {"excluded_ms", excluded_json(measured.excluded_hours)},
            {"excluded_loose_ms", excluded_json(measured.excluded_loose_hours)},
            {"picture_events_ms", excluded_json(measured.picture_events)}}},
          {"viewing_hours",
           {{"rows", std::move(viewing_hours)},
            {"total",
             {{"strict_ms", all_viewed.strict_ms},
              {"loose_ms", all_viewed.loose_ms},
              {"other_ms", all_viewed.other_ms},
              {"total_ms", all_viewed.total_ms},
              {"claimed_ms", all_viewed.claimed_ms},
              {"intervals", all_viewed.intervals},
              {"sessions", measured.sessions}}},
            {"excluded_ms", excluded_json(excluded_views)}}},
          {"rule_set",
           {{"version", measured.rule_set_version},
            {"sha256", measured.rule_set ? to_hex(*measured.rule_set) : std::string()}}},
          {"catalogue_sha256", measured.catalogue ? to_hex(*measured.catalogue) : std::string()}};
}

// Members that only the report has (names, titles) are not of the measure.
std::string first_difference(const json::value& claimed, const json::value& computed,
                             const std::string& place) {
  if (computed.is_object()) {
    if (!claimed.is_object()) return fmt::format("{}: not an object", place);
    for (const json::key_value_pair& member : computed.get_object()) {
      const std::string at = fmt::format("{}.{}", place, std::string_view(member.key()));
      const json::value* other = claimed.get_object().if_contains(member.key());
      if (other == nullptr) return fmt::format("{}: missing", at);
      if (std::string found = first_difference(*other, member.value(), at); !found.empty())
        return found;
    }
    // Reasons are an open list: one that was made up must not pass.
    const bool by_reason = place.ends_with(".excluded_ms") ||
                           place.ends_with(".excluded_loose_ms") ||
                           place.ends_with(".picture_events_ms");
    if (by_reason && claimed.get_object().size() != computed.get_object().size())
      return fmt::format("{}: has reasons that the log does not have", place);
    return {};
  }
  if (computed.is_array()) {
    if (!claimed.is_array()) return fmt::format("{}: not a list", place);
    const json::array& a = claimed.get_array();
    const json::array& b = computed.get_array();
    for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i)
      if (std::string found = first_difference(a[i], b[i], fmt::format("{}[{}]", place, i));
          !found.empty())
        return found;
    if (a.size() != b.size())
      return fmt::format("{}: {} rows, recomputed {}", place, a.size(), b.size());
    return {};
  }
  const std::string a = rules::canonical_json(claimed.is_double() ? json::value() : claimed);
  const std::string b = rules::canonical_json(computed);
  return a == b ? std::string() : fmt::format("{}: {}, recomputed {}", place, a, b);
}

}  // namespace kapok::verify
