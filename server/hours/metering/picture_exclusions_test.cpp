#include "server/hours/metering/picture_exclusions.hpp"

#include <gtest/gtest.h>

#include "server/hours/metering/picture_history.hpp"

namespace kapok::metering {
namespace {

using evidence::PictureEventKind;
using ledger::Reason;
using rules::Counted;
using rules::Span;
using Piece = PictureExclusions::Piece;

constexpr std::int64_t kStartMs = 1'790'000'000'000;

class PictureExclusionsTest : public testing::Test {
 protected:
  std::vector<Piece> tell(PictureEventKind kind, int from_ms, int to_ms) {
    return exclusions_.take(
        {"demo",
         {metering::from_ms(kStartMs + from_ms), metering::from_ms(kStartMs + to_ms)},
         kind},
        rules_);
  }
  std::vector<Piece> split(int from_ms, int to_ms) const {
    return exclusions_.split("demo", {kStartMs + from_ms, kStartMs + to_ms});
  }
  static void expect(const Piece& piece, int from_ms, int to_ms, Counted counted, Reason reason) {
    EXPECT_EQ(piece.span, (Span{kStartMs + from_ms, kStartMs + to_ms}));
    EXPECT_EQ(piece.counted, counted);
    EXPECT_EQ(piece.reason, reason);
  }
  rules::RuleSet rules_;
  PictureExclusions exclusions_;
};

TEST_F(PictureExclusionsTest, WhatNothingWasToldOfCounts) {
  const auto pieces = split(0, 1'000);
  ASSERT_EQ(pieces.size(), 1U);
  expect(pieces[0], 0, 1'000, Counted::by_both, Reason::none);
}

TEST_F(PictureExclusionsTest, AnEventThatGoesOnIsWorthLessOverItsWholeLength) {
  auto fresh = tell(PictureEventKind::black, 1'000, 2'000);
  ASSERT_EQ(fresh.size(), 1U);
  expect(fresh[0], 1'000, 2'000, Counted::by_loose, Reason::black);
  fresh = tell(PictureEventKind::black, 1'000, 7'000);
  ASSERT_EQ(fresh.size(), 1U) << "only what is new";
  expect(fresh[0], 2'000, 7'000, Counted::by_loose, Reason::black);
  EXPECT_TRUE(tell(PictureEventKind::black, 1'000, 7'000).empty());
  fresh = tell(PictureEventKind::black, 1'000, 12'000);
  ASSERT_EQ(fresh.size(), 1U) << "all of it, since the loose reading takes it out now";
  expect(fresh[0], 1'000, 12'000, Counted::by_none, Reason::black);
  fresh = tell(PictureEventKind::black, 1'000, 17'000);
  ASSERT_EQ(fresh.size(), 1U);
  expect(fresh[0], 12'000, 17'000, Counted::by_none, Reason::black);

  const auto pieces = split(0, 20'000);
  ASSERT_EQ(pieces.size(), 3U);
  expect(pieces[0], 0, 1'000, Counted::by_both, Reason::none);
  expect(pieces[1], 1'000, 17'000, Counted::by_none, Reason::black);
  expect(pieces[2], 17'000, 20'000, Counted::by_both, Reason::none);
}

TEST_F(PictureExclusionsTest, AShorterStretchThanTheRulesWantIsToldOfAndCounts) {
  const auto fresh = tell(PictureEventKind::black, 0, 600);
  ASSERT_EQ(fresh.size(), 1U);
  expect(fresh[0], 0, 600, Counted::by_both, Reason::black);
  EXPECT_EQ(split(0, 600).at(0).counted, Counted::by_both);
}

TEST_F(PictureExclusionsTest, SilenceAloneCounts) {
  const auto fresh = tell(PictureEventKind::silence, 0, 3'600'000);
  ASSERT_EQ(fresh.size(), 1U);
  expect(fresh[0], 0, 3'600'000, Counted::by_both, Reason::silence);
}

TEST_F(PictureExclusionsTest, WhereEventsMeetTheOneThatTakesOutMostHolds) {
  tell(PictureEventKind::frozen, 0, 6'000);
  tell(PictureEventKind::bars, 4'000, 7'000);
  tell(PictureEventKind::silence, 0, 9'000);
  const auto pieces = split(0, 10'000);
  ASSERT_EQ(pieces.size(), 4U);
  expect(pieces[0], 0, 4'000, Counted::by_loose, Reason::frozen);
  expect(pieces[1], 4'000, 7'000, Counted::by_none, Reason::bars);
  expect(pieces[2], 7'000, 9'000, Counted::by_both, Reason::silence);
  expect(pieces[3], 9'000, 10'000, Counted::by_both, Reason::none);
}

TEST_F(PictureExclusionsTest, TwoStretchesOfAnotherChannelOrApartAreNotOne) {
  tell(PictureEventKind::black, 0, 6'000);
  const auto fresh = tell(PictureEventKind::black, 8'000, 14'000);
  ASSERT_EQ(fresh.size(), 1U);
  expect(fresh[0], 8'000, 14'000, Counted::by_loose, Reason::black);
  EXPECT_EQ(exclusions_.split("other", {kStartMs, kStartMs + 1'000}).at(0).reason, Reason::none);
}

TEST_F(PictureExclusionsTest, FlickerForDaysIsBounded) {
  for (int i = 0; i < 5'000; ++i) tell(PictureEventKind::slate, i * 2'000, i * 2'000 + 1'000);
  EXPECT_EQ(split(9'998'000, 9'999'000).at(0).reason, Reason::slate) << "the newest are kept";
  EXPECT_EQ(split(0, 1'000).at(0).reason, Reason::none);
}

}  // namespace
}  // namespace kapok::metering
