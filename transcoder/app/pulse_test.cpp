#include "transcoder/app/pulse.hpp"

#include <gtest/gtest.h>

namespace kapok::transcoder {
namespace {

constexpr MonoTime kStart{seconds(100)};

ladder::EngineStats stats_of(std::uint64_t decoded, milliseconds waiting) {
  ladder::EngineStats stats;
  stats.decoded = decoded;
  stats.waiting = waiting;
  return stats;
}

TEST(Pulse, BeatsWhileTheEngineGetsOn) {
  Pulse pulse;
  for (unsigned i = 0; i < 60; ++i) {
    pulse.worked();
    EXPECT_TRUE(pulse.beat(kStart + i * milliseconds(500), stats_of(i + 1, milliseconds(200))))
        << i;
  }
}

TEST(Pulse, FallsSilentWhenWorkComesAndNothingIsDone) {
  Pulse pulse;
  ASSERT_TRUE(pulse.beat(kStart, stats_of(7, milliseconds(0))));
  for (MonoTime now = kStart + milliseconds(500); now < kStart + Pulse::kStuck;
       now += milliseconds(500)) {
    pulse.worked();
    EXPECT_TRUE(pulse.beat(now, stats_of(7, milliseconds(900))));
  }
  pulse.worked();
  EXPECT_FALSE(pulse.beat(kStart + Pulse::kStuck, stats_of(7, milliseconds(900))));
  // It was only slow.
  pulse.worked();
  EXPECT_TRUE(pulse.beat(kStart + 2 * Pulse::kStuck, stats_of(8, milliseconds(900))));
}

TEST(Pulse, AnEngineWithoutWorkIsNotStuck) {
  Pulse pulse;
  for (unsigned i = 0; i < 60; ++i)
    EXPECT_TRUE(pulse.beat(kStart + i * milliseconds(500), stats_of(7, milliseconds(40))));
}

TEST(Pulse, WaitingForASyncPacketIsNotBeingStuck) {
  Pulse pulse;
  for (unsigned i = 0; i < 60; ++i) {
    pulse.worked();
    EXPECT_TRUE(pulse.beat(kStart + i * milliseconds(500), stats_of(0, milliseconds(0))));
  }
}

}  // namespace
}  // namespace kapok::transcoder
