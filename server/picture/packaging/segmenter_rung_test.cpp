// A rung against the segments of the rendition that leads, without files.
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "server/picture/packaging/segmenter.hpp"

namespace kapok::packaging {
namespace {

constexpr Timescale k90 = 90000;
constexpr Ticks kFrame{1800};

struct Pair {
  EraGrid grid{Era{.id = 0,
                   .start_utc = UtcTime(seconds(1'790'000'000)),
                   .base = 100,
                   .segment_duration = seconds(2)}};
  Segmenter source{grid, timing_of(true), {100, 0, false, {}}};
  Segmenter rung{grid, timing_of(false), {100, 0, false, {}}};
  Ticks start = grid.boundary(100, k90);
  std::vector<Cut> of_source;
  std::vector<Cut> of_rung;

  static RenditionTiming timing_of(bool leads) {
    media::Track track;
    track.kind = media::TrackKind::video;
    track.timescale = k90;
    RenditionTiming timing = rendition_timing(track, kFrame, microseconds(200'000), false);
    timing.leads = leads;
    timing.follows = !leads;
    timing.gop = timing.largest_gop = {90000};
    timing.longest_segment = {90000 * 5 / 2 - 90};
    return timing;
  }
  static void push(Segmenter& to, Ticks pts, bool sync, std::vector<Cut>& out) {
    media::Packet packet;
    packet.dts = packet.pts = pts;
    packet.sync = sync;
    packet.payload = Buffer(Bytes(10));
    to.append(packet, out);
  }
  void source_frames(std::int64_t from, std::int64_t to, const std::set<std::int64_t>& sync) {
    for (; from < to; ++from) push(source, start + kFrame * from, sync.contains(from), of_source);
  }
  void rung_frames(std::int64_t from, std::int64_t to, const std::set<std::int64_t>& sync) {
    for (; from < to; ++from) push(rung, start + kFrame * from, sync.contains(from), of_rung);
  }
  template <class C>
  std::vector<C> cuts(const std::vector<Cut>& from) const {
    std::vector<C> out;
    for (const Cut& cut : from)
      if (const C* what = std::get_if<C>(&cut)) out.push_back(*what);
    return out;
  }
};

TEST(RungSegmenter, EndsASegmentWithItsLastFrame) {
  Pair pair;
  pair.source_frames(0, 120, {0, 50, 100});
  pair.rung_frames(0, 99, {0});
  EXPECT_TRUE(pair.cuts<SegmentEnds>(pair.of_rung).empty());
  pair.rung_frames(99, 100, {});
  const auto ends = pair.cuts<SegmentEnds>(pair.of_rung);
  ASSERT_EQ(ends.size(), 1U) << "where it ends is known from the source";
  EXPECT_EQ(ends[0].number, 100U);
  EXPECT_EQ(ends[0].duration, Ticks{180000});
  EXPECT_TRUE(pair.cuts<SegmentBroken>(pair.of_rung).empty());
}

TEST(RungSegmenter, FollowsASourceWhoseGopsAreOffTheGrid) {
  Pair pair;
  const std::set<std::int64_t> sync{3, 53, 103, 153, 203, 253, 303};
  pair.source_frames(3, 310, sync);
  pair.rung_frames(3, 310, {3, 103, 203, 303});
  const auto begun = pair.cuts<SegmentBegins>(pair.of_source);
  const auto same = pair.cuts<SegmentBegins>(pair.of_rung);
  ASSERT_EQ(begun.size(), same.size());
  for (std::size_t i = 0; i < begun.size(); ++i) {
    EXPECT_EQ(begun[i].number, same[i].number);
    EXPECT_EQ(begun[i].start, same[i].start);
  }
}

TEST(RungSegmenter, ASyncPictureElsewhereIsAnAlarmAndNoSegment) {
  Pair pair;
  pair.source_frames(0, 320, {0, 50, 100, 150, 200, 250, 300});
  pair.rung_frames(0, 320, {0, 104, 200, 300});
  const auto wrong = pair.cuts<Misaligned>(pair.of_rung);
  ASSERT_EQ(wrong.size(), 1U);
  EXPECT_EQ(wrong[0].number, 101U);
  const auto begun = pair.cuts<SegmentBegins>(pair.of_rung);
  ASSERT_EQ(begun.size(), 3U);
  EXPECT_EQ(begun[1].number, 102U);
  const auto missed = pair.cuts<MissedAsLed>(pair.of_rung);
  ASSERT_EQ(missed.size(), 2U) << "before its first, and the one";
  EXPECT_EQ(missed[1].before, 102U);
}

TEST(RungSegmenter, ARungThatRunsIsCutWithoutSyncWhereTheSourceWas) {
  Pair pair;
  pair.source_frames(0, 400, {0});
  pair.rung_frames(0, 390, {0});
  ASSERT_FALSE(pair.cuts<CutWithoutSync>(pair.of_source).empty());
  const auto begun = pair.cuts<SegmentBegins>(pair.of_source);
  const auto same = pair.cuts<SegmentBegins>(pair.of_rung);
  ASSERT_EQ(begun.size(), same.size());
  for (std::size_t i = 0; i < begun.size(); ++i) EXPECT_EQ(begun[i].start, same[i].start);
  EXPECT_EQ(pair.cuts<CutWithoutSync>(pair.of_rung).size(), same.size() - 1);
  // Another worker does not have what those pictures refer to.
  Segmenter fresh(pair.grid, Pair::timing_of(false), {100, 0, false, {}});
  std::vector<Cut> cuts;
  for (std::int64_t i = 120; i < 390; ++i)
    Pair::push(fresh, pair.start + kFrame * i, i == 120, cuts);
  EXPECT_TRUE(cuts.empty());
}

TEST(RungSegmenter, NothingOfABrokenSegmentIsHandedOutAfterTheHole) {
  Pair pair;
  pair.source_frames(0, 220, {0, 50, 100, 150, 200});
  pair.rung_frames(0, 50, {0});
  const auto before = pair.cuts<PartCut>(pair.of_rung).size();
  pair.rung_frames(60, 100, {});
  EXPECT_EQ(pair.cuts<SegmentBroken>(pair.of_rung).size(), 1U);
  EXPECT_EQ(pair.cuts<PartCut>(pair.of_rung).size(), before);
  pair.rung_frames(100, 120, {100});
  ASSERT_EQ(pair.cuts<SegmentEnds>(pair.of_rung).size(), 1U);
  EXPECT_EQ(pair.cuts<SegmentEnds>(pair.of_rung)[0].duration, Ticks{180000});
  EXPECT_GT(pair.cuts<PartCut>(pair.of_rung).size(), before);
}

}  // namespace
}  // namespace kapok::packaging
