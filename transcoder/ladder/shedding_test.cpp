#include "transcoder/ladder/shedding.hpp"

#include <gtest/gtest.h>

namespace kapok::ladder {
namespace {

constexpr ShedStep kRate{};

PlannedRung rung(double cost, media::RungRate rate = media::RungRate::full) {
  PlannedRung made;
  made.rung.rate = rate;
  made.cost = cost;
  return made;
}

TEST(Shedding, FrameRateGoesFirstThenTheCostliestRungAndNoneIsLeftAtTheEnd) {
  Shedding shedding({rung(2), rung(9), rung(5)}, {50, 1});
  EXPECT_EQ(shedding.take(), kRate);
  EXPECT_EQ(shedding.take(), ShedStep{1});
  EXPECT_EQ(shedding.take(), ShedStep{2});
  EXPECT_EQ(shedding.take(), ShedStep{0});
  EXPECT_EQ(shedding.take(), std::nullopt);
}

TEST(Shedding, TheCostliestIsToldAtTheRateThatIsLeft) {
  Shedding shedding({rung(6, media::RungRate::half), rung(10)}, {50, 1});
  EXPECT_EQ(shedding.take(), kRate);
  EXPECT_EQ(shedding.take(), ShedStep{0});
}

TEST(Shedding, ASourceOfThirtyFramesKeepsThem) {
  Shedding slow({rung(1)}, {30, 1});
  EXPECT_EQ(slow.take(), ShedStep{0});
  Shedding halved_anyhow({rung(1, media::RungRate::half)}, {50, 1});
  EXPECT_EQ(halved_anyhow.take(), ShedStep{0});
  Shedding unknown({rung(1)}, {});
  EXPECT_EQ(unknown.take(), kRate);
}

TEST(Shedding, StepsComeBackInReverseOnePerSegmentOnceThereIsRoom) {
  Shedding shedding({rung(1)}, {50, 1});
  EXPECT_EQ(shedding.segment_starts(Room::yes), std::nullopt);
  shedding.take();
  shedding.take();
  EXPECT_EQ(shedding.segment_starts(Room::no), std::nullopt);
  EXPECT_EQ(shedding.segment_starts(Room::yes), ShedStep{0});
  EXPECT_EQ(shedding.segment_starts(Room::yes), kRate);
  EXPECT_EQ(shedding.segment_starts(Room::yes), std::nullopt);
}

TEST(Shedding, WhatMustBeTakenAgainSoonStaysAwayTwiceAsLongUpToABound) {
  Shedding shedding({rung(1)}, {25, 1});
  std::uint32_t expected = 1;
  for (int round = 0; round < 8; ++round) {
    EXPECT_EQ(shedding.take(), ShedStep{0});
    std::uint32_t away = 1;
    while (!shedding.segment_starts(Room::yes)) ++away;
    EXPECT_EQ(away, expected) << round;
    expected = std::min(expected * 2, Shedding::kMaxSegments);
  }
  // A machine that kept up for so long is asked afresh.
  for (std::uint32_t i = 0; i < Shedding::kMaxSegments; ++i) shedding.segment_starts(Room::yes);
  shedding.take();
  EXPECT_EQ(shedding.segment_starts(Room::yes), ShedStep{0});
}

TEST(Shedding, OneOverloadOfSeveralStepsDoublesOnce) {
  Shedding shedding({rung(1), rung(2)}, {50, 1});
  shedding.take();
  shedding.segment_starts(Room::yes);
  shedding.take();
  shedding.take();
  EXPECT_EQ(shedding.segment_starts(Room::yes), std::nullopt);
  EXPECT_EQ(shedding.segment_starts(Room::yes), ShedStep{1});
}

}  // namespace
}  // namespace kapok::ladder
