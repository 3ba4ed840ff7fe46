#include "server/hours/metering/beacon.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <cmath>

#include "server/hours/rules/canonical_json.hpp"

namespace kapok::metering {

namespace {

namespace json = boost::json;

// A whole number in [0, 2^53), written as 5 or 5.0: JavaScript does not tell them apart.
constexpr double kMaxWhole = static_cast<double>(kMaxBeaconSequence) + 1;
Result<std::int64_t> whole_number(const json::object& in, std::string_view key) {
  const json::value* value = in.if_contains(key);
  if (value == nullptr || !value->is_number())
    return fail(Errc::malformed, "beacon lacks the number {}", key);
  const auto number = value->to_number<double>();
  if (!(number >= 0 && number < kMaxWhole))
    return fail(Errc::malformed, "beacon {} is out of range", key);
  return static_cast<std::int64_t>(number);
}

PlayState state_from(std::string_view name) {
  if (name == "paused") return PlayState::paused;
  if (name == "stalled") return PlayState::stalled;
  if (name == "ended") return PlayState::ended;
  return PlayState::playing;
}

Result<std::vector<rules::Span>> played_from(const json::value& value) {
  if (!value.is_array()) return fail(Errc::malformed, "beacon played is not a list");
  const json::array& list = value.get_array();
  if (list.size() > kMaxBeaconIntervals)
    return fail(Errc::limit, "beacon has more than {} intervals", kMaxBeaconIntervals);
  std::vector<rules::Span> out;
  for (const json::value& item : list) {
    if (!item.is_object()) return fail(Errc::malformed, "beacon interval is not an object");
    const std::int64_t from = KAPOK_TRY(whole_number(item.get_object(), "from_ms"));
    const std::int64_t to = KAPOK_TRY(whole_number(item.get_object(), "to_ms"));
    if (to < from) return fail(Errc::malformed, "beacon interval runs backwards");
    if (to - from > kMaxBeaconIntervalMs)
      return fail(Errc::limit, "beacon interval is longer than {} ms", kMaxBeaconIntervalMs);
    if (to > from) out.push_back({from, to});
  }
  return out;
}

}  // namespace

Result<BeaconReport> parse_beacon(std::string_view text) {
  const json::value value = KAPOK_TRY(rules::parse_json(text, kMaxBeaconBytes));
  if (!value.is_object()) return fail(Errc::malformed, "beacon is not an object");
  const json::object& in = value.get_object();
  BeaconReport out;
  const json::value* token = in.if_contains("token");
  if (token == nullptr || !token->is_string())
    return fail(Errc::malformed, "beacon lacks its token");
  out.token = token->get_string();
  out.sequence = static_cast<std::uint64_t>(KAPOK_TRY(whole_number(in, "seq")));
  if (out.sequence == 0) return fail(Errc::malformed, "beacon seq counts from 1");
  if (in.contains("sent_ms")) out.sent_ms = KAPOK_TRY(whole_number(in, "sent_ms"));
  if (const json::value* state = in.if_contains("state"); state != nullptr && state->is_string())
    out.state = state_from(state->get_string());
  if (const json::value* rate = in.if_contains("rate"); rate != nullptr) {
    if (!rate->is_number()) return fail(Errc::malformed, "beacon rate is not a number");
    const auto number = rate->to_number<double>();
    // Backwards play and nonsense become 0, which earns nothing.
    out.rate_milli =
        number > 0 && number < 1000 ? static_cast<std::uint32_t>(std::lround(number * 1000)) : 0;
  }
  if (const json::value* visible = in.if_contains("visible");
      visible != nullptr && visible->is_bool())
    out.visibility = visible->get_bool() ? Visibility::visible : Visibility::hidden;
  if (const json::value* state = in.if_contains("state");
      state != nullptr && state->is_string() && state->get_string() == "hidden")
    out.visibility = Visibility::hidden;
  if (const json::value* played = in.if_contains("played"); played != nullptr)
    out.played = KAPOK_TRY(played_from(*played));
  return out;
}

}  // namespace kapok::metering
