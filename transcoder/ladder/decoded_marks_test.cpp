#include "transcoder/ladder/decoded_marks.hpp"

#include <gtest/gtest.h>

namespace kapok::ladder {
namespace {

Mark mark_at(std::int64_t pts, bool starts_segment = false) {
  Mark mark;
  mark.pts = {pts};
  mark.starts_segment = starts_segment;
  return mark;
}

TEST(DecodedMarks, PicturesAreNumberedInTheirSegmentAsTheyComeOut) {
  DecodedMarks marks;
  marks.add(mark_at(0, true));
  marks.add(mark_at(30));
  marks.add(mark_at(10));
  std::uint32_t expected = 0;
  for (const std::int64_t pts : {0, 10, 30}) {
    auto mark = marks.take({pts});
    ASSERT_TRUE(mark);
    EXPECT_EQ(marks.pass(*mark), 0U);
    EXPECT_EQ(mark->number, expected++);
    EXPECT_EQ(mark->starts_segment, pts == 0);
  }
  EXPECT_FALSE(marks.take({30})) << "twice";
}

TEST(DecodedMarks, TheNextPictureStartsASegmentWhoseFirstNeverCame) {
  DecodedMarks marks;
  marks.add(mark_at(0, true));
  marks.add(mark_at(10));
  auto second = marks.take({10});
  EXPECT_EQ(marks.pass(*second), 1U);
  EXPECT_TRUE(second->starts_segment);
  EXPECT_EQ(second->number, 0U);
  marks.add(mark_at(20));
  auto third = marks.take({20});
  marks.pass(*third);
  EXPECT_FALSE(third->starts_segment);
  EXPECT_EQ(third->number, 1U);
}

TEST(DecodedMarks, AStartThatIsForgottenOrNeverWentInIsMadeUpFor) {
  DecodedMarks marks;
  marks.add(mark_at(0, true));
  marks.add(mark_at(10));
  EXPECT_EQ(marks.forget(), 2U);
  EXPECT_EQ(marks.forget(), 0U);
  marks.add(mark_at(20));
  auto after = marks.take({20});
  marks.pass(*after);
  EXPECT_TRUE(after->starts_segment);
  marks.lose_start();
  marks.add(mark_at(30));
  auto next = marks.take({30});
  marks.pass(*next);
  EXPECT_TRUE(next->starts_segment);
}

// What is left out is told by what comes later than it, not by what went in later.
TEST(DecodedMarks, APictureThatIsRefusedCountsNothing) {
  DecodedMarks marks;
  marks.add(mark_at(0, true));
  marks.add(mark_at(10));
  ASSERT_TRUE(marks.take({10}));  // too large, say: it does not pass
  auto first = marks.take({0});
  ASSERT_TRUE(first);
  EXPECT_EQ(marks.pass(*first), 0U);
  EXPECT_TRUE(first->starts_segment);
}

}  // namespace
}  // namespace kapok::ladder
