#include "transcoder/ladder/attendance.hpp"

#include <gtest/gtest.h>

namespace kapok::ladder {
namespace {

using Answer = Attendance::Answer;

// `segments` of two frames each; returns how many frames were admitted.
int give(Attendance& rung, int segments) {
  int admitted = 0;
  for (int i = 0; i < 2 * segments; ++i) {
    Mark mark;
    mark.starts_segment = i % 2 == 0;
    if (rung.admits(mark) != Answer::no && rung.passes(mark)) ++admitted;
  }
  return admitted;
}

TEST(Attendance, AShedRungComesBackWhereASegmentStarts) {
  RungCounters counters;
  Attendance rung(counters);
  EXPECT_EQ(give(rung, 1), 2);
  rung.shed();
  EXPECT_EQ(rung.admits({}), Answer::no);
  EXPECT_TRUE(rung.is_away());
  Mark start;
  start.starts_segment = true;
  EXPECT_EQ(rung.admits(start), Answer::returned);
  // One that was on its way before it was shed does not pass: nothing behind the gap without a
  // segment start.
  EXPECT_FALSE(rung.passes({}));
  EXPECT_TRUE(rung.passes(start));
  EXPECT_TRUE(rung.passes({}));
  EXPECT_EQ(counters.shed, 2U);
}

TEST(Attendance, WhoLeavesStaysAwayUntilToldOtherwise) {
  RungCounters counters;
  Attendance rung(counters);
  rung.leave();
  EXPECT_EQ(give(rung, 100), 0);
  rung.come_back();
  EXPECT_EQ(rung.admits({}), Answer::yes) << "it is on its way";
  EXPECT_FALSE(rung.passes({}));
  EXPECT_EQ(give(rung, 2), 4);
}

TEST(Attendance, ShedAgainSoonItStaysAwayTwiceAsLongUpToABound) {
  RungCounters counters;
  Attendance rung(counters);
  for (const int away : {1, 2, 4, 8, 16, 16}) {
    rung.shed();
    EXPECT_EQ(give(rung, away - 1), 0);
    EXPECT_EQ(give(rung, 1), 2);
  }
  // And after a good while it is as new.
  give(rung, Attendance::kMaxSegmentsAway);
  rung.shed();
  EXPECT_EQ(give(rung, 1), 2);
}

}  // namespace
}  // namespace kapok::ladder
