#include "server/hours/rules/rule_set.hpp"

#include <boost/json/object.hpp>
#include <limits>

#include "server/hours/rules/canonical_json.hpp"

namespace kapok::rules {

namespace {

namespace json = boost::json;
constexpr std::size_t kMaxRuleSetBytes = 64 * 1024;
constexpr std::uint8_t kBt2020 = 9;
constexpr std::uint8_t kPq = 16;
constexpr std::uint8_t kHlg = 18;

json::object picture_json(const PictureRule& rule) {
  return {{"min_width", rule.min_width},
          {"min_height", rule.min_height},
          {"min_frame_rate_milli", rule.min_frame_rate_milli},
          {"min_bit_depth", rule.min_bit_depth},
          {"wide_gamut", rule.wide_gamut},
          {"high_dynamic", rule.high_dynamic}};
}

json::object limits_json(const PictureLimits& limits) {
  return {{"slate_ms", limits.slate.count()},
          {"bars_ms", limits.bars.count()},
          {"black_ms", limits.black.count()},
          {"frozen_ms", limits.frozen.count()},
          {"silence_ms", limits.silence.count()}};
}

// Takes members out of an object one by one; what is left over at the end is unknown.
class Members {
 public:
  explicit Members(const json::object& object) : object_(object) {}

  template <class T>
  Result<T> number(std::string_view key) {
    const json::value* value = find(key);
    if (value == nullptr) return fail(Errc::malformed, "rule set lacks {}", key);
    boost::system::error_code failed;
    const auto held = value->to_number<std::int64_t>(failed);
    if (failed || held < 0 || held > static_cast<std::int64_t>(std::numeric_limits<T>::max()))
      return fail(Errc::malformed, "rule set {} is not a number in range", key);
    return static_cast<T>(held);
  }
  Result<milliseconds> time(std::string_view key) {
    return milliseconds(KAPOK_TRY(number<std::uint32_t>(key)));
  }
  Result<bool> flag(std::string_view key) {
    const json::value* value = find(key);
    if (value == nullptr || !value->is_bool())
      return fail(Errc::malformed, "rule set lacks {}", key);
    return value->get_bool();
  }
  Result<PictureRule> picture(std::string_view key) {
    const json::value* value = find(key);
    if (value == nullptr || !value->is_object())
      return fail(Errc::malformed, "rule set lacks {}", key);
    Members in(value->get_object());
    PictureRule rule;
    rule.min_width = KAPOK_TRY(in.number<std::uint32_t>("min_width"));
    rule.min_height = KAPOK_TRY(in.number<std::uint32_t>("min_height"));
    rule.min_frame_rate_milli = KAPOK_TRY(in.number<std::uint32_t>("min_frame_rate_milli"));
    rule.min_bit_depth = KAPOK_TRY(in.number<std::uint32_t>("min_bit_depth"));
    rule.wide_gamut = KAPOK_TRY(in.flag("wide_gamut"));
    rule.high_dynamic = KAPOK_TRY(in.flag("high_dynamic"));
    KAPOK_TRY(in.all_known());
    return rule;
  }
  Result<PictureLimits> limits(std::string_view key) {
    const json::value* value = find(key);
    if (value == nullptr || !value->is_object())
      return fail(Errc::malformed, "rule set lacks {}", key);
    Members in(value->get_object());
    PictureLimits limits;
    limits.slate = KAPOK_TRY(in.time("slate_ms"));
    limits.bars = KAPOK_TRY(in.time("bars_ms"));
    limits.black = KAPOK_TRY(in.time("black_ms"));
    limits.frozen = KAPOK_TRY(in.time("frozen_ms"));
    limits.silence = KAPOK_TRY(in.time("silence_ms"));
    KAPOK_TRY(in.all_known());
    return limits;
  }
  Result<void> all_known() const {
    if (taken_ == object_.size()) return {};
    return fail(Errc::unsupported, "rule set has fields that this version does not know");
  }

 private:
  const json::value* find(std::string_view key) {
    const json::value* value = object_.if_contains(key);
    if (value != nullptr) ++taken_;
    return value;
  }
  const json::object& object_;
  std::size_t taken_ = 0;
};

}  // namespace

Counted counted(const RuleSet& rules, milliseconds PictureLimits::* kind, milliseconds length) {
  const auto takes_out = [&](const PictureLimits& limits) {
    return (limits.*kind).count() > 0 && length >= limits.*kind;
  };
  if (takes_out(rules.loose_limits)) return Counted::by_none;
  return takes_out(rules.strict_limits) ? Counted::by_loose : Counted::by_both;
}

bool conforms(const PictureRule& rule, const PictureClaim& picture) {
  return picture.width >= rule.min_width && picture.height >= rule.min_height &&
         picture.frame_rate_milli >= rule.min_frame_rate_milli &&
         picture.bit_depth >= rule.min_bit_depth &&
         (!rule.wide_gamut || picture.primaries == kBt2020) &&
         (!rule.high_dynamic || picture.transfer == kPq || picture.transfer == kHlg);
}

std::string canonical_text(const RuleSet& rules) {
  json::object out{{"version", rules.version},
                   {"strict", picture_json(rules.strict)},
                   {"loose", picture_json(rules.loose)},
                   {"longest_bridged_gap_ms", rules.longest_bridged_gap.count()},
                   {"longest_hour_leaf_ms", rules.longest_hour_leaf.count()},
                   {"shortest_play_ms", rules.shortest_play.count()},
                   {"rate_limit_milli", rules.rate_limit_milli},
                   {"count_background", rules.count_background},
                   {"longest_interval_ms", rules.longest_interval.count()},
                   {"longest_backlog_ms", rules.longest_backlog.count()},
                   {"session_silence_ms", rules.session_silence.count()}};
  if (rules.version >= kFirstWithPictureLimits) {
    out["strict_limits"] = limits_json(rules.strict_limits);
    out["loose_limits"] = limits_json(rules.loose_limits);
  }
  return canonical_json(out);
}

Digest256 hash_of(const RuleSet& rules) {
  return sha256(as_bytes(canonical_text(rules)));
}

Result<RuleSet> parse_rule_set(std::string_view text) {
  const json::value value = KAPOK_TRY(parse_json(text, kMaxRuleSetBytes));
  if (!value.is_object()) return fail(Errc::malformed, "rule set is not an object");
  Members in(value.get_object());
  RuleSet rules;
  rules.version = KAPOK_TRY(in.number<std::uint16_t>("version"));
  rules.strict = KAPOK_TRY(in.picture("strict"));
  rules.loose = KAPOK_TRY(in.picture("loose"));
  rules.longest_bridged_gap = KAPOK_TRY(in.time("longest_bridged_gap_ms"));
  rules.longest_hour_leaf = KAPOK_TRY(in.time("longest_hour_leaf_ms"));
  rules.shortest_play = KAPOK_TRY(in.time("shortest_play_ms"));
  rules.rate_limit_milli = KAPOK_TRY(in.number<std::uint32_t>("rate_limit_milli"));
  rules.count_background = KAPOK_TRY(in.flag("count_background"));
  rules.longest_interval = KAPOK_TRY(in.time("longest_interval_ms"));
  rules.longest_backlog = KAPOK_TRY(in.time("longest_backlog_ms"));
  rules.session_silence = KAPOK_TRY(in.time("session_silence_ms"));
  if (rules.version >= kFirstWithPictureLimits) {
    rules.strict_limits = KAPOK_TRY(in.limits("strict_limits"));
    rules.loose_limits = KAPOK_TRY(in.limits("loose_limits"));
  } else {
    rules.strict_limits = rules.loose_limits = kAnyPictureEvent;
  }
  KAPOK_TRY(in.all_known());
  return rules;
}

}  // namespace kapok::rules
