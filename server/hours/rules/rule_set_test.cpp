#include "server/hours/rules/rule_set.hpp"

#include <gtest/gtest.h>

#include <boost/json/object.hpp>

#include "server/hours/rules/canonical_json.hpp"

namespace kapok::rules {
namespace {

TEST(RuleSet, ComesBackFromItsText) {
  RuleSet rules;
  rules.version = 7;
  rules.strict.wide_gamut = true;
  rules.shortest_play = milliseconds(2'500);
  rules.loose_limits.black = milliseconds(20'000);
  rules.strict_limits.silence = milliseconds(60'000);
  EXPECT_EQ(parse_rule_set(canonical_text(rules)).value(), rules);
}

TEST(RuleSet, EveryChangedNumberChangesTheHash) {
  RuleSet rules;
  const Digest256 before = hash_of(rules);
  rules.rate_limit_milli += 1;
  EXPECT_NE(hash_of(rules), before);
}

// Figures of version 1 in ledgers out there refer to this hash: change numbers under a new version.
constexpr std::string_view kVersionOne =
    R"({"count_background":false,"longest_backlog_ms":900000,"longest_bridged_gap_ms":2000,)"
    R"("longest_hour_leaf_ms":60000,"longest_interval_ms":300000,)"
    R"("loose":{"high_dynamic":false,"min_bit_depth":0,"min_frame_rate_milli":0,)"
    R"("min_height":2160,"min_width":3840,"wide_gamut":false},)"
    R"("rate_limit_milli":3000,"session_silence_ms":45000,"shortest_play_ms":3000,)"
    R"("strict":{"high_dynamic":false,"min_bit_depth":10,"min_frame_rate_milli":50000,)"
    R"("min_height":2160,"min_width":3840,"wide_gamut":false},"version":1})";
TEST(RuleSet, VersionOneIsWhatItWas) {
  const RuleSet rules = parse_rule_set(kVersionOne).value();
  EXPECT_EQ(canonical_text(rules), kVersionOne);
  EXPECT_EQ(rules.strict_limits, kAnyPictureEvent);
  EXPECT_EQ(rules.loose_limits, kAnyPictureEvent);
}
TEST(RuleSet, VersionTwoIsWhatItWas) {
  std::string expected(kVersionOne);
  const auto put_before = [&](std::string_view place, std::string_view text) {
    expected.insert(expected.find(place), text);
  };
  expected.replace(expected.find("\"version\":1"), 11, "\"version\":2");
  put_before("\"rate_limit_milli\"",
             R"("loose_limits":{"bars_ms":2000,"black_ms":10000,"frozen_ms":10000,)"
             R"("silence_ms":0,"slate_ms":1},)");
  put_before("\"version\"", R"("strict_limits":{"bars_ms":2000,"black_ms":1000,"frozen_ms":5000,)"
                            R"("silence_ms":0,"slate_ms":1},)");
  EXPECT_EQ(canonical_text(RuleSet()), expected);
}

TEST(RuleSet, PicturesThatAreNoProgrammeAreTakenOutFromTheirLengthOn) {
  const RuleSet rules;
  const auto of = [&](auto kind, int ms) { return counted(rules, kind, milliseconds(ms)); };
  EXPECT_EQ(of(&PictureLimits::black, 999), Counted::by_both);
  EXPECT_EQ(of(&PictureLimits::black, 1'000), Counted::by_loose);
  EXPECT_EQ(of(&PictureLimits::black, 9'999), Counted::by_loose);
  EXPECT_EQ(of(&PictureLimits::black, 10'000), Counted::by_none);
  EXPECT_EQ(of(&PictureLimits::frozen, 5'000), Counted::by_loose);
  EXPECT_EQ(of(&PictureLimits::bars, 2'000), Counted::by_none);
  EXPECT_EQ(of(&PictureLimits::slate, 1), Counted::by_none);
  EXPECT_EQ(of(&PictureLimits::silence, 3'600'000), Counted::by_both);
}

TEST(RuleSet, UnknownAndMissingFieldsAreRefused) {
  std::string text = canonical_text(RuleSet());
  EXPECT_EQ(parse_rule_set("{\"bonus\":2," + text.substr(1)).error().code, Errc::unsupported);
  EXPECT_EQ(parse_rule_set("{}").error().code, Errc::malformed);
  EXPECT_EQ(parse_rule_set("[").error().code, Errc::malformed);
}

TEST(RuleSet, StrictWantsFiftyFramesAndTenBitsLooseOnlySize) {
  const RuleSet rules;
  const PictureClaim full{3840, 2160, 50'000, 10, 9, 18};
  PictureClaim eight_bit = full;
  eight_bit.bit_depth = 8;
  PictureClaim unknown_rate = full;
  unknown_rate.frame_rate_milli = 0;
  PictureClaim small = full;
  small.width = 1920;
  EXPECT_TRUE(conforms(rules.strict, full));
  EXPECT_FALSE(conforms(rules.strict, eight_bit));
  EXPECT_FALSE(conforms(rules.strict, unknown_rate));
  EXPECT_TRUE(conforms(rules.loose, eight_bit));
  EXPECT_TRUE(conforms(rules.loose, unknown_rate));
  EXPECT_FALSE(conforms(rules.loose, small));
}

TEST(CanonicalJson, SortsKeysAndEscapesAsRfc8785) {
  EXPECT_EQ(canonical_json(boost::json::object{{"b", 1}, {"a", "\x01\n\"\\/\u20ac"}}),
            "{\"a\":\"\\u0001\\n\\\"\\\\/\u20ac\",\"b\":1}");
}

TEST(CanonicalJson, DeepNestingIsRefused) {
  EXPECT_EQ(parse_json(std::string(100, '['), 1000).error().code, Errc::limit);
}

}  // namespace
}  // namespace kapok::rules
