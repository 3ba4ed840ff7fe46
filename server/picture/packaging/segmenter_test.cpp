#include "server/picture/packaging/segmenter.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <random>

namespace kapok::packaging {
namespace {

constexpr Timescale k90 = 90000;
const UtcTime kStart{seconds(1'790'000'000)};

// What a rendition was cut into, as a reader of the playlist sees it.
struct Result {
  struct Seen {
    std::uint64_t number = 0;
    Ticks start;
    Ticks duration;
    bool gap = false;
    bool begins_with_sync = false;
    std::vector<PartCut> parts;
  };
  std::vector<Seen> segments;
  unsigned moved = 0;
  unsigned without_sync = 0;
  bool open = false;

  void take(std::vector<Cut>& cuts) {
    for (Cut& cut : cuts) {
      if (auto* begins = std::get_if<SegmentBegins>(&cut)) {
        EXPECT_FALSE(open);
        segments.push_back({begins->number, begins->start, {}, false, false, {}});
        open = true;
      } else if (auto* part = std::get_if<PartCut>(&cut)) {
        ASSERT_TRUE(open);
        Seen& segment = segments.back();
        EXPECT_EQ(part->segment, segment.number);
        EXPECT_EQ(part->opens_segment, segment.parts.empty());
        if (segment.parts.empty()) segment.begins_with_sync = part->frames.front().packet.sync;
        segment.parts.push_back(std::move(*part));
      } else if (auto* ends = std::get_if<SegmentEnds>(&cut)) {
        ASSERT_TRUE(open);
        EXPECT_EQ(ends->number, segments.back().number);
        segments.back().duration = ends->duration;
        open = false;
      } else if (auto* missed = std::get_if<SegmentMissed>(&cut)) {
        EXPECT_FALSE(open);
        segments.push_back({missed->number, missed->start, missed->duration, true, false, {}});
      } else if (std::holds_alternative<GridMoved>(cut)) {
        ++moved;
      } else {
        ++without_sync;
      }
    }
    cuts.clear();
  }
};

struct Video {
  EraGrid grid;
  RenditionTiming timing;
  Segmenter segmenter;
  Result result;
  Ticks dts;

  Video(microseconds d, Ticks frame, microseconds gop)
      : grid(Era{.id = 0, .start_utc = kStart, .base = 100, .segment_duration = d}),
        timing(make_timing(d, frame, gop)),
        segmenter(grid, timing, {100, 0, false, {}}),
        dts(media::from_microseconds(kStart.time_since_epoch(), k90)) {}

  static RenditionTiming make_timing(microseconds d, Ticks frame, microseconds gop) {
    media::Track track;
    track.kind = media::TrackKind::video;
    track.timescale = k90;
    RenditionTiming timing = rendition_timing(track, frame, microseconds(200'000), false);
    timing.leads = true;
    timing.gop = timing.largest_gop = media::from_microseconds(gop, k90);
    const auto target = std::max<std::int64_t>(1, (d.count() + 500'000) / 1'000'000);
    timing.longest_segment = media::from_microseconds(seconds(target) + microseconds(499'000), k90);
    return timing;
  }
  void push(bool sync, Ticks advance, Ticks reorder = {}) {
    media::Packet packet;
    packet.dts = dts;
    packet.pts = dts + reorder;
    packet.sync = sync;
    packet.payload = Buffer(Bytes(10));
    std::vector<Cut> cuts;
    segmenter.append(packet, cuts);
    result.take(cuts);
    dts += advance;
  }
};

TEST(Segmenter, CutsAtTheFirstSyncPacketAfterTheBoundary) {
  Video video(seconds(2), {1800}, seconds(1));
  for (int i = 0; i < 250; ++i) video.push(i % 50 == 0, {1800});
  ASSERT_EQ(video.result.segments.size(), 3U);
  EXPECT_EQ(video.result.segments[0].number, 100U);
  EXPECT_EQ(video.result.segments[0].duration, Ticks{180000});
  EXPECT_EQ(video.result.segments[1].number, 101U);
  EXPECT_EQ(video.result.segments[0].parts.size(), 10U);
}

TEST(Segmenter, HandsOutAPartWithItsLastFrame) {
  Video video(seconds(2), {1800}, seconds(1));
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(video.result.segments.empty() || video.result.segments[0].parts.empty());
    video.push(i == 0, {1800});
  }
  ASSERT_EQ(video.result.segments.at(0).parts.size(), 1U);
  EXPECT_EQ(video.result.segments[0].parts[0].duration, Ticks{18000});
}

TEST(Segmenter, HandsOutAShortLastPartWithItsLastFrame) {
  // 25 fps, GOP 48 frames: a segment of 96 frames is 19 parts of five and one frame.
  Video video(microseconds(3'840'000), {3600}, microseconds(1'920'000));
  for (int i = 0; i < 96; ++i) video.push(i % 48 == 0, {3600});
  ASSERT_EQ(video.result.segments.size(), 1U);
  ASSERT_EQ(video.result.segments[0].parts.size(), 20U);
  EXPECT_EQ(video.result.segments[0].parts.back().frames.size(), 1U);
  video.push(true, {3600});
  EXPECT_EQ(video.result.segments.size(), 2U);
}

TEST(Segmenter, CorrectsThePredictedDurationInTheNextPart) {
  Video video(seconds(2), {1800}, seconds(1));
  for (int i = 0; i < 30; ++i) video.push(i == 0, {i == 9 ? 2700 : 1800});
  const auto& parts = video.result.segments.at(0).parts;
  ASSERT_GE(parts.size(), 2U);
  EXPECT_EQ(parts[0].duration, Ticks{18000});
  EXPECT_EQ(parts[1].start - parts[0].start, Ticks{18900});
}

TEST(Segmenter, PlacesSegmentsAtThePresentationTimeOfTheirFirstPicture) {
  Video video(seconds(2), {1800}, seconds(1));
  const Ticks first = video.dts;
  for (int i = 0; i < 20; ++i) video.push(i == 0, {1800}, {3600});
  EXPECT_EQ(video.result.segments.at(0).start, first + Ticks{3600});
  EXPECT_EQ(video.result.segments.at(0).parts.at(0).decode_shift, Ticks{3600});
}

TEST(Segmenter, DropsWhatComesBeforeTheFirstSyncPacket) {
  Video video(seconds(2), {1800}, seconds(1));
  for (int i = 0; i < 5; ++i) video.push(false, {1800});
  EXPECT_EQ(video.segmenter.dropped(), 5U);
  video.push(true, {1800});
  EXPECT_EQ(video.result.segments.size(), 1U);
}

TEST(Segmenter, CutsSoundAtTheBoundaryWithoutWaitingForTheNextFrame) {
  EraGrid grid(Era{.id = 0, .start_utc = kStart, .base = 7, .segment_duration = seconds(2)});
  media::Track track;
  track.kind = media::TrackKind::audio;
  track.timescale = 48000;
  RenditionTiming timing = rendition_timing(track, {1024}, microseconds(200'000), false);
  timing.longest_segment = {48000 * 5 / 2 - 48};
  Segmenter segmenter(grid, timing, {7, 0, false, {}});
  Result result;
  const Ticks origin = media::from_microseconds(kStart.time_since_epoch(), 48000);
  for (int i = 0; i < 1000; ++i) {
    media::Packet packet;
    packet.dts = packet.pts = origin + Ticks{i * 1024};
    packet.sync = true;
    packet.payload = Buffer(Bytes(3));
    std::vector<Cut> cuts;
    segmenter.append(packet, cuts);
    result.take(cuts);
    if (i == 93) EXPECT_FALSE(result.open);  // 94 frames end at 2.005 s
  }
  for (const auto& segment : result.segments) {
    const Ticks boundary = grid.boundary(segment.number, 48000);
    EXPECT_LE(std::abs((segment.start - boundary).count), 512);
    for (std::size_t i = 0; i + 1 < segment.parts.size(); ++i)
      EXPECT_EQ(segment.parts[i].frames.size(), 9U);
  }
}

TEST(Segmenter, ListsMissedNumbersAfterAHole) {
  Video video(seconds(2), {1800}, seconds(1));
  for (int i = 0; i < 100; ++i) video.push(i % 50 == 0, {1800});
  video.dts += Ticks{90000 * 5};  // segments 101 and 102 never come
  for (int i = 0; i < 100; ++i) video.push(i % 50 == 0, {1800});
  const auto& segments = video.result.segments;
  ASSERT_GE(segments.size(), 4U);
  for (std::size_t i = 1; i < segments.size(); ++i)
    EXPECT_EQ(segments[i].number, segments[i - 1].number + 1);
  EXPECT_FALSE(segments[0].gap);
  EXPECT_TRUE(segments[1].gap);
}

// The grid of a new era knows nothing of when the one before it really ended.
TEST(Segmenter, AGapBeforeANewEraBeginsWhereTheLastSegmentEnded) {
  Video video(seconds(2), {1800}, seconds(1));
  const Ticks start = video.grid.boundary(100, k90);
  const Ticks ended = start - Ticks{90000 / 2};
  Segmenter behind(video.grid, video.timing, {99, 7, true, ended});
  std::vector<Cut> cuts;
  behind.miss_until(100, cuts);
  ASSERT_EQ(cuts.size(), 1U);
  const auto& missed = std::get<SegmentMissed>(cuts[0]);
  EXPECT_EQ(missed.number, 99U);
  EXPECT_EQ(missed.start, ended);
  EXPECT_EQ(missed.start + missed.duration, start);
}

// An encoder whose clock is wrong makes GOPs that are not d long in channel time. Without moving
// the grid a segment would sooner or later have one GOP too many.
void drift(double ppm, double hours, unsigned least_moves) {
  Video video(seconds(2), {1800}, seconds(2));
  const double frame = 1800 * (1 + ppm / 1e6);
  const Ticks origin = video.dts;
  const auto frames = static_cast<std::int64_t>(hours * 3600 * 50);
  std::uint64_t number = 0;
  std::size_t checked = 0;
  for (std::int64_t i = 0; i < frames; ++i) {
    video.dts = origin + Ticks{std::llround(static_cast<double>(i) * frame)};
    video.push(i % 100 == 0, {0});
    auto& segments = video.result.segments;
    if (segments.size() < 4) continue;
    const auto& seen = segments.front();
    if (number > 0) ASSERT_EQ(seen.number, number + 1);
    number = seen.number;
    ASSERT_FALSE(seen.gap);
    ASSERT_TRUE(seen.begins_with_sync);
    ASSERT_NEAR(static_cast<double>(seen.duration.count) / k90, 2.0, 0.03) << "at " << i;
    const Ticks off = seen.start - video.grid.boundary(seen.number, k90);
    ASSERT_LT(std::abs(off.count), 90000 * 0.3);
    segments.erase(segments.begin());
    ++checked;
  }
  EXPECT_GT(checked, 1000U);
  EXPECT_GE(video.result.moved, least_moves);
  EXPECT_LE(video.result.moved, least_moves + 2);
  EXPECT_EQ(video.result.without_sync, 0U);
}
TEST(Segmenter, FollowsAnEncoderThatRunsFast) {
  drift(-100, 8, 11);
}
TEST(Segmenter, FollowsAnEncoderThatRunsSlow) {
  drift(+100, 8, 11);
}
TEST(Segmenter, LeavesTheGridAloneForAGoodClock) {
  drift(0, 2, 0);
}

TEST(Segmenter, NeverOutlastsTheTargetDurationWhenGopsChangePhase) {
  Video video(seconds(5), {1800}, seconds(5));
  // Scene cuts off the grid, each restarting the GOP of 250 frames.
  int since = 250;
  std::mt19937 random(3);
  for (int i = 0; i < 50 * 600; ++i) {
    const bool sync = since >= 250 || (since > 20 && random() % 400 == 0);
    since = sync ? 1 : since + 1;
    video.push(sync, {1800});
  }
  for (const auto& segment : video.result.segments) {
    EXPECT_LE(std::lround(static_cast<double>(segment.duration.count) / k90), 5);
    EXPECT_TRUE(segment.begins_with_sync);
    EXPECT_FALSE(segment.gap);
  }
  EXPECT_EQ(video.result.without_sync, 0U);
}

TEST(Segmenter, CutsWithoutASyncPacketRatherThanBreakTheTargetDuration) {
  Video video(seconds(2), {1800}, seconds(2));
  for (int i = 0; i < 50 * 60; ++i) video.push(i == 0, {1800});
  EXPECT_GT(video.result.without_sync, 20U);
  for (const auto& segment : video.result.segments) {
    EXPECT_LE(std::lround(static_cast<double>(segment.duration.count) / k90), 2);
    EXPECT_FALSE(segment.gap);
  }
}

// Whatever arrives: numbers are consecutive, time does not overlap, EXTINF keeps to
// TARGETDURATION, parts keep to PART-TARGET.
TEST(Segmenter, KeepsItsRulesForRandomFeeds) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    std::mt19937 random(seed);
    const auto pick = [&](int from, int to) {
      return from + static_cast<int>(random() % static_cast<unsigned>(to - from + 1));
    };
    constexpr std::array<int, 6> kFrames{3750, 3600, 3003, 1800, 1500, 750};
    const Ticks frame{kFrames[static_cast<std::size_t>(pick(0, 5))]};
    const int gop_frames = pick(1, 300);
    const microseconds gop = media::to_microseconds(frame * gop_frames, k90);
    const microseconds d = segment_duration(gop, {});
    Video video(d, frame, gop);
    const bool holes = pick(0, 2) == 0;
    const bool irregular = pick(0, 2) == 0;
    const bool ragged = pick(0, 2) == 0;
    const bool pauses = pick(0, 2) == 0;
    int since = gop_frames;
    for (int i = 0; i < 4000; ++i) {
      const bool sync = since >= gop_frames || (irregular && since > 2 && random() % 100 == 0);
      since = sync ? 1 : since + 1;
      Ticks advance = frame;
      if (ragged) advance.count += pick(-90, 90);
      if (holes && random() % 300 == 0) advance.count += pick(1, 90000 * 7);
      video.push(sync, advance);
      if (pauses && random() % 500 == 0) {
        std::vector<Cut> cuts;
        video.segmenter.flush(cuts);
        video.result.take(cuts);
      }
    }
    std::vector<Cut> cuts;
    video.segmenter.finish(cuts);
    video.result.take(cuts);
    Ticks end;
    std::uint64_t part_number = 0;
    const auto& segments = video.result.segments;
    const auto longest = std::lround(static_cast<double>(video.timing.longest_segment.count) / k90);
    for (std::size_t i = 0; i < segments.size(); ++i) {
      const auto& segment = segments[i];
      if (i > 0) ASSERT_EQ(segment.number, segments[i - 1].number + 1) << "seed " << seed;
      ASSERT_GT(segment.duration.count, 0) << "seed " << seed;
      ASSERT_LE(std::lround(static_cast<double>(segment.duration.count) / k90), longest)
          << "seed " << seed << " segment " << segment.number;
      if (!segment.gap && i > 0 && !segments[i - 1].gap)
        ASSERT_GE(segment.start, segments[i - 1].start + segments[i - 1].duration - frame)
            << "seed " << seed;
      ASSERT_EQ(segment.gap, segment.parts.empty()) << "seed " << seed;
      for (std::size_t p = 0; p < segment.parts.size(); ++p) {
        const PartCut& part = segment.parts[p];
        ASSERT_EQ(part.number, part_number++) << "seed " << seed;
        ASSERT_LE(part.duration, video.timing.part_target) << "seed " << seed;
        ASSERT_GT(part.duration.count, 0);
        if (!holes && !ragged && !irregular && !pauses && p + 1 < segment.parts.size() &&
            !part.independent && part.frames.size() < video.timing.part_frames)
          ASSERT_GE(static_cast<double>(part.duration.count),
                    0.85 * static_cast<double>(video.timing.part_target.count))
              << "seed " << seed;
        Ticks sum;
        for (const CutFrame& cut : part.frames) sum += cut.duration;
        ASSERT_EQ(sum, part.duration) << "seed " << seed;
        ASSERT_GE(part.start, end) << "seed " << seed;
        end = part.frames.back().packet.dts + Ticks{1};
      }
    }
  }
}

TEST(Timing, TakesTheSmallestMultipleOfTheGop) {
  EXPECT_EQ(segment_duration(seconds(1), {}), seconds(2));
  EXPECT_EQ(segment_duration(microseconds(1'920'000), {}), microseconds(3'840'000));
  EXPECT_EQ(segment_duration(microseconds(2'002'000), {}), microseconds(2'002'000));
  EXPECT_EQ(segment_duration(microseconds(1'999'000), {}), microseconds(1'999'000));
  EXPECT_EQ(segment_duration(seconds(5), {}), seconds(5));
  EXPECT_EQ(segment_duration(seconds(30), {}), seconds(10));
  EXPECT_EQ(segment_duration(seconds(0), {}), seconds(2));
}

TEST(Timing, SeesTheTrueRateBehindMillisecondTimestamps) {
  EXPECT_EQ(snap_frame_rate(60, microseconds(2'002'000)), (media::Rational{30000, 1001}));
  EXPECT_EQ(snap_frame_rate(60, microseconds(2'000'000)), (media::Rational{30, 1}));
  EXPECT_EQ(snap_frame_rate(60, microseconds(1'001'000)), (media::Rational{60000, 1001}));
  EXPECT_EQ(snap_frame_rate(100, microseconds(2'001'000)), (media::Rational{50, 1}));
}

}  // namespace
}  // namespace kapok::packaging
