#include "server/picture/protocols/srt/time_base.hpp"

#include <gtest/gtest.h>

#include <random>

namespace kapok::srt {
namespace {

constexpr MonoTime kStart{seconds(1'000)};

TEST(TimeBase, FollowsTimestampsOverTheirWrap) {
  const TimeBase base(kStart);
  // 2^32 us are 71.6 minutes: five hours wrap four times.
  for (auto at = nanoseconds(0); at < std::chrono::hours(5); at += milliseconds(777)) {
    const auto us = static_cast<std::uint32_t>(at / microseconds(1));
    EXPECT_EQ(base.moment_of(us, kStart + at + milliseconds(300)), kStart + at);
    EXPECT_EQ(base.moment_of(us, kStart + at - milliseconds(300)), kStart + at);
  }
}

TEST(TimeBase, ATimestampFromTheFutureStandsForNow) {
  const TimeBase base(kStart);
  const MonoTime now = kStart + seconds(5);
  EXPECT_EQ(base.moment_of(5'000'000 + 60'000'000, now), now);
}

class Drifting : public ::testing::TestWithParam<double> {};

TEST_P(Drifting, IsFollowedForHoursWithoutAStep) {
  const double speed = 1 + GetParam() * 1e-6;
  TimeBase base(kStart);
  std::mt19937 random(1);
  std::uniform_int_distribution<int> jitter(0, 10'000);  // us
  MonoTime last = kStart;
  nanoseconds worst{0};
  for (auto at = nanoseconds(0); at < std::chrono::hours(6); at += milliseconds(50)) {
    const auto us = static_cast<std::uint32_t>(
        static_cast<std::uint64_t>(static_cast<double>(at / microseconds(1)) * speed));
    const MonoTime now = kStart + at + microseconds(jitter(random));
    base.add_sample(us, now, nanoseconds(0));
    const MonoTime moment = base.moment_of(us, now);
    // Never backwards, and never by more than the slew allows.
    if (at > seconds(1))
      EXPECT_NEAR(static_cast<double>((moment - last).count()), 50e6, 50e6 * 0.003);
    last = moment;
    if (at > std::chrono::minutes(2))
      worst = std::max(worst, std::chrono::abs(moment - (kStart + at)));
  }
  // Half the jitter is delay that the base takes for the way; the rest is what drift leaves behind.
  EXPECT_LT(worst, milliseconds(9));
}
INSTANTIATE_TEST_SUITE_P(Ppm, Drifting, ::testing::Values(-100.0, 100.0, 0.0));

}  // namespace
}  // namespace kapok::srt
