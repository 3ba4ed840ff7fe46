#include "server/api/beacon.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kapok::api {
namespace {

using testing::HasSubstr;

TEST(Beacon, ReadsWhatThePlayerSends) {
  const auto beacon = parse_beacon(
      R"({"token":"t","seq":7,"sent_ms":1790000000123,"state":"stalled","rate":1.5,)"
      R"("played":[{"from_ms":10.4,"to_ms":20.6},{"from_ms":5,"to_ms":5}],"wall_ms":10000,)"
      R"("width":3840,"height":2160,"dropped":3,"frames":500,"stalls":1,"latency_ms":-20.5,)"
      R"("visible":false,"something_new":{}})");
  ASSERT_TRUE(beacon) << beacon.error().message;
  EXPECT_EQ(beacon->seq, 7u);
  EXPECT_EQ(beacon->sent_ms, 1790000000123);
  EXPECT_EQ(beacon->state, ViewState::stalled);
  EXPECT_EQ(beacon->rate, 1.5);
  EXPECT_THAT(beacon->played, testing::ElementsAre(PlayedInterval{10, 21}));
  EXPECT_EQ(beacon->height, 2160u);
  EXPECT_EQ(beacon->latency_ms, -21);
  EXPECT_FALSE(beacon->visible);
}

TEST(Beacon, NeedsOnlyTokenSequenceTimesAndState) {
  const auto beacon =
      parse_beacon(R"({"token":"t","seq":0,"sent_ms":0,"state":"playing","wall_ms":0})");
  ASSERT_TRUE(beacon);
  EXPECT_EQ(beacon->rate, 1);
  EXPECT_TRUE(beacon->visible);
  EXPECT_TRUE(beacon->played.empty());
}

struct Wrong {
  std::string text;
  std::string message;
};
class WrongBeacon : public testing::TestWithParam<Wrong> {};
TEST_P(WrongBeacon, SaysWhichField) {
  const auto beacon = parse_beacon(GetParam().text);
  ASSERT_FALSE(beacon);
  EXPECT_EQ(beacon.error().code, Errc::malformed);
  EXPECT_THAT(beacon.error().message, HasSubstr(GetParam().message));
}

std::string with(std::string_view member) {
  // The last of two members of one name counts.
  return fmt::format(R"({{"token":"t","seq":0,"sent_ms":0,"state":"playing","wall_ms":0,{}}})",
                     member);
}
INSTANTIATE_TEST_SUITE_P(
    EveryKind, WrongBeacon,
    testing::Values(
        Wrong{"", "not JSON"}, Wrong{"null", "not a JSON object"}, Wrong{"{}", "token: missing"},
        Wrong{std::string(kMaxBeaconBytes + 1, ' '), "longer than"},
        Wrong{with(R"("seq":-1)"), "seq: not in"}, Wrong{with(R"("seq":"1")"), "seq: number"},
        Wrong{with(R"("seq":1e300)"), "seq: not in"},
        Wrong{with(R"("seq":18446744073709551615)"), "seq: not in"},
        Wrong{with(R"("state":"asleep")"), "state: none of"},
        Wrong{with(R"("rate":17)"), "rate: not in"}, Wrong{with(R"("rate":-0.1)"), "rate: not in"},
        Wrong{with(R"("played":{})"), "played: list"},
        Wrong{with(R"("played":[1])"), "played[0]: object"},
        Wrong{with(R"("played":[{"from_ms":1}])"), "played[0].to_ms: missing"},
        Wrong{with(R"("played":[{"from_ms":2,"to_ms":1}])"), "played[0]: ends before"},
        Wrong{with(R"("width":70000)"), "width: not in"},
        Wrong{with(R"("visible":1)"), "visible: true or false"},
        Wrong{with("\"token\":\"" + std::string(201, 'x') + "\""), "token: longer"},
        Wrong{with("\"x\":" + std::string(50, '[') + std::string(50, ']')), "not JSON"}));

TEST(Beacon, TooManyIntervalsAreRefused) {
  std::string list;
  for (std::size_t i = 0; i <= kMaxPlayedIntervals; ++i)
    list += std::string(i == 0 ? "" : ",") + R"({"from_ms":1,"to_ms":2})";
  const auto beacon = parse_beacon(with("\"played\":[" + list + "]"));
  ASSERT_FALSE(beacon);
  EXPECT_THAT(beacon.error().message, HasSubstr("played: more than"));
}

}  // namespace
}  // namespace kapok::api
