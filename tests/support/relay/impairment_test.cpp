#include "tests/support/relay/impairment.hpp"

#include <gtest/gtest.h>

namespace kapok::support {
namespace {

constexpr MonoTime kStart{seconds(100)};

TEST(Impairment, HarmsNothingByDefault) {
  Impairment network({}, 1, kStart);
  const auto fate = network.decide(kStart, 1316);
  ASSERT_EQ(fate.copies, 1U);
  EXPECT_EQ(fate.leaves[0], kStart);
}

TEST(Impairment, LosesTheShareAskedForSinglyAndInBursts) {
  for (const double burst : {1.0, 8.0}) {
    Impairment network({.loss = 0.05, .burst = burst}, 7, kStart);
    std::size_t bursts = 0;
    bool last_lost = false;
    for (int i = 0; i < 200'000; ++i) {
      const bool lost = network.decide(kStart, 1316).copies == 0;
      if (lost && !last_lost) ++bursts;
      last_lost = lost;
    }
    const auto lost = static_cast<double>(network.counts().lost);
    EXPECT_NEAR(lost / 200'000, 0.05, 0.005) << "burst " << burst;
    EXPECT_NEAR(lost / static_cast<double>(bursts), burst, burst * 0.15);
  }
}

TEST(Impairment, IsTheSameForTheSameSeed) {
  const ImpairmentOptions options{
      .loss = 0.1, .delay = milliseconds(20), .jitter = milliseconds(9)};
  Impairment one(options, 3, kStart);
  Impairment other(options, 3, kStart);
  for (int i = 0; i < 1'000; ++i) {
    const auto a = one.decide(kStart + milliseconds(i), 1316);
    const auto b = other.decide(kStart + milliseconds(i), 1316);
    ASSERT_EQ(a.copies, b.copies);
    ASSERT_EQ(a.leaves[0], b.leaves[0]);
  }
}

TEST(Impairment, JitterStaysInItsBoundsAndKeepsOrder) {
  Impairment network({.delay = milliseconds(20), .jitter = milliseconds(10)}, 5, kStart);
  MonoTime last{};
  for (int i = 0; i < 10'000; ++i) {
    const MonoTime now = kStart + milliseconds(i);
    const MonoTime leaves = network.decide(now, 1316).leaves[0];
    EXPECT_GE(leaves, now + milliseconds(10));
    EXPECT_LE(leaves, now + milliseconds(30));
    EXPECT_GE(leaves, last);
    last = leaves;
  }
}

TEST(Impairment, ReorderedDatagramsOvertake) {
  Impairment network({.reorder = 0.1, .delay = milliseconds(20)}, 5, kStart);
  std::uint64_t early = 0;
  for (int i = 0; i < 10'000; ++i)
    if (network.decide(kStart, 1316).leaves[0] == kStart) ++early;
  EXPECT_EQ(early, network.counts().reordered);
  EXPECT_NEAR(static_cast<double>(early), 1'000, 150);
}

TEST(Impairment, ABlackoutTakesEverythingForItsTimeAndNothingAfter) {
  Impairment network({.blackouts = {{seconds(1), seconds(2)}}}, 1, kStart);
  EXPECT_EQ(network.decide(kStart + milliseconds(999), 100).copies, 1U);
  EXPECT_EQ(network.decide(kStart + milliseconds(1'000), 100).copies, 0U);
  EXPECT_EQ(network.decide(kStart + milliseconds(2'999), 100).copies, 0U);
  EXPECT_EQ(network.decide(kStart + milliseconds(3'000), 100).copies, 1U);
  network.set_dark(true);
  EXPECT_EQ(network.decide(kStart + seconds(10), 100).copies, 0U);
  EXPECT_EQ(network.counts().dark, 3U);
}

TEST(Impairment, ABottleneckSpreadsDatagramsAndOverflows) {
  // 1000 bytes at 8 Mb/s take 1 ms; the queue holds 10 ms.
  Impairment network({.bits_per_second = 8e6, .queue = milliseconds(10)}, 1, kStart);
  for (int i = 1; i <= 11; ++i)
    EXPECT_EQ(network.decide(kStart, 1'000).leaves[0], kStart + milliseconds(i));
  EXPECT_EQ(network.decide(kStart, 1'000).copies, 0U);
  EXPECT_EQ(network.counts().overflowed, 1U);
}

}  // namespace
}  // namespace kapok::support
