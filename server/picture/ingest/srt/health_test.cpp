#include "server/picture/ingest/srt/health.hpp"

#include <gtest/gtest.h>

namespace kapok::ingest {
namespace {

SrtTotals totals(std::uint64_t received, std::uint64_t lost, std::uint64_t dropped) {
  SrtTotals made;
  made.received = received;
  made.lost = lost;
  made.dropped = dropped;
  return made;
}

TEST(SrtHealth, AFeedThatLosesLittleAndGetsItAgainIsNoNews) {
  SrtHealth health;
  MonoTime now{seconds(1)};
  for (std::uint64_t i = 1; i < 60; ++i, now += seconds(1))
    EXPECT_TRUE(
        std::holds_alternative<std::monostate>(health.look(now, totals(i * 1000, i * 5, 0))));
}

TEST(SrtHealth, OneDroppedPacketIsDegradedAndTenCalmSecondsAreRecovered) {
  SrtHealth health;
  MonoTime now{seconds(1)};
  health.look(now, totals(1000, 0, 0));
  const auto bad = health.look(now += seconds(1), totals(2000, 3, 1));
  ASSERT_TRUE(std::holds_alternative<SrtHealth::Degraded>(bad));
  EXPECT_EQ(std::get<SrtHealth::Degraded>(bad).during.dropped, 1U);
  EXPECT_EQ(std::get<SrtHealth::Degraded>(bad).during.lost, 3U);
  for (int calm = 1; calm < 10; ++calm)
    EXPECT_TRUE(
        std::holds_alternative<std::monostate>(health.look(now += seconds(1), totals(2000, 3, 1))));
  const auto good = health.look(now += seconds(1), totals(2000, 3, 1));
  ASSERT_TRUE(std::holds_alternative<SrtHealth::Recovered>(good));
  EXPECT_EQ(std::get<SrtHealth::Recovered>(good).during.dropped, 1U);
  EXPECT_TRUE(
      std::holds_alternative<std::monostate>(health.look(now += seconds(1), totals(2000, 3, 1))));
}

TEST(SrtHealth, ALinkThatTakesItsCountersAwayIsNoLoss) {
  SrtHealth health;
  health.look(MonoTime(seconds(1)), totals(2000, 1, 0));
  EXPECT_TRUE(std::holds_alternative<std::monostate>(
      health.look(MonoTime(seconds(2)), totals(1000, 0, 0))));
}

}  // namespace
}  // namespace kapok::ingest
