#include "transcoder/file/segment_grid.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace kapok::file {
namespace {

using Place = SegmentGrid::Place;

constexpr nanoseconds kFrame = milliseconds(40);

SegmentGrid::Rules rules(SegmentGrid::Cut cut, nanoseconds from = seconds(10)) {
  return {.cut = cut,
          .begin = seconds(10),
          .from = from,
          .segment = seconds(4),
          .ceiling = seconds(12),
          .frame = kFrame};
}

// Where segments began, of frames in display order with a sync packet every so many.
std::vector<nanoseconds> begins(SegmentGrid grid, int frames, int gop) {
  std::vector<nanoseconds> found;
  for (int i = 0; i < frames; ++i) {
    const nanoseconds pts = seconds(10) + i * kFrame;
    if (grid.place({pts, pts, i % gop == 0}) == Place::begins) found.push_back(pts);
  }
  return found;
}

TEST(SegmentGrid, CutsAPublishedSourceAtTheSmallestMultipleOfItsGops) {
  // GOPs of 1.2 s: the fourth begins 4.8 s after the first.
  EXPECT_EQ(begins(SegmentGrid(rules(SegmentGrid::Cut::at_sync)), 300, 30),
            (std::vector<nanoseconds>{seconds(10), milliseconds(14'800), milliseconds(19'600)}));
}

TEST(SegmentGrid, CutsRungsAloneAtTheMultiplesOfASegment) {
  EXPECT_EQ(begins(SegmentGrid(rules(SegmentGrid::Cut::at_frames)), 300, 1'000),
            (std::vector<nanoseconds>{seconds(10), seconds(14), seconds(18)}));
}

TEST(SegmentGrid, GoesOnWhereAnEarlierRunStopped) {
  EXPECT_EQ(begins(SegmentGrid(rules(SegmentGrid::Cut::at_sync, milliseconds(14'800))), 300, 30),
            (std::vector<nanoseconds>{milliseconds(14'800), milliseconds(19'600)}));
  EXPECT_EQ(begins(SegmentGrid(rules(SegmentGrid::Cut::at_frames, seconds(14))), 300, 1'000),
            (std::vector<nanoseconds>{seconds(14), seconds(18)}));
}

TEST(SegmentGrid, SaysWhatIsBeforeTheFirstSegmentToMake) {
  SegmentGrid grid(rules(SegmentGrid::Cut::at_frames, seconds(14)));
  EXPECT_EQ(grid.place({seconds(10), seconds(10), true}), Place::before);
  EXPECT_EQ(grid.place({seconds(13), seconds(13), true}), Place::before);
  EXPECT_EQ(grid.place({seconds(14), seconds(14), false}), Place::begins);
  EXPECT_EQ(grid.place({seconds(14) + kFrame, seconds(14) + kFrame, false}), Place::inside);
}

TEST(SegmentGrid, FindsTheFrameThatLiesThereBehindALaterOne) {
  SegmentGrid grid(rules(SegmentGrid::Cut::at_frames));
  EXPECT_EQ(grid.place({seconds(10), seconds(10), true}), Place::begins);
  // In decoding order the P picture comes before the B pictures that are shown before it.
  EXPECT_EQ(grid.place({seconds(14) + 2 * kFrame, seconds(14) - 2 * kFrame, false}), Place::inside);
  EXPECT_EQ(grid.place({seconds(14) - kFrame, seconds(14) - kFrame, false}), Place::inside);
  EXPECT_EQ(grid.place({seconds(14), seconds(14), false}), Place::begins);
}

TEST(SegmentGrid, TakesALaterFrameWhereNoneLies) {
  SegmentGrid grid(rules(SegmentGrid::Cut::at_frames));
  EXPECT_EQ(grid.place({seconds(10), seconds(10), true}), Place::begins);
  EXPECT_EQ(grid.place({milliseconds(15'500), milliseconds(15'500), false}), Place::begins);
  EXPECT_EQ(grid.place({seconds(18), seconds(18), false}), Place::begins) << "back on the grid";
}

TEST(SegmentGrid, ComplainsOfAGopThatIsTooLong) {
  SegmentGrid grid(rules(SegmentGrid::Cut::at_sync));
  EXPECT_EQ(grid.place({seconds(10), seconds(10), true}), Place::begins);
  EXPECT_EQ(grid.place({seconds(22), seconds(22), false}), Place::inside);
  EXPECT_EQ(grid.place({seconds(22) + kFrame, seconds(22) + kFrame, false}), Place::too_long);
}

}  // namespace
}  // namespace kapok::file
