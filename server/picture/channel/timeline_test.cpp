#include "server/picture/channel/timeline.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "server/picture/channel/simulated_feed_test.hpp"

namespace kapok::channel {
namespace {

constexpr ChannelTime kStart = seconds(1'790'000'000);

struct Line {
  Timeline timeline;
  MonoTime now{seconds(500)};

  explicit Line(const std::vector<media::Track>& tracks) {
    for (const media::Track& track : tracks) timeline.set_track(track);
  }
  void anchor(nanoseconds feed) { timeline.anchor(feed, now, kStart); }
  Placement place(media::TrackId track, std::int64_t dts, std::int64_t composition,
                  Placed& placed) {
    media::Packet packet;
    packet.track = track;
    packet.dts = {dts};
    packet.pts = {dts + composition};
    packet.arrival = now;
    return timeline.place(packet, placed);
  }
};

TEST(Timeline, StartsExactlyWhereItIsAnchored) {
  Line line({video_track(1, 1000, {25, 1})});
  line.anchor(milliseconds(5000));
  Placed placed;
  ASSERT_EQ(line.place(1, 5000, 80, placed), Placement::placed);
  EXPECT_EQ(placed.dts.count, 1'790'000'000LL * 90'000);
  EXPECT_EQ(placed.pts.count - placed.dts.count, 80 * 90);
}

TEST(Timeline, CountsAudioBySamplesNotByRoundedMilliseconds) {
  Line line({audio_track(2, 1000, 48'000)});
  line.anchor(milliseconds(0));
  for (int i = 0; i < 450; ++i) {  // less than 10 s: nothing is slewed yet
    Placed placed;
    ASSERT_EQ(line.place(2, i * 1024LL * 1000 / 48'000, 0, placed), Placement::placed);
    ASSERT_EQ(placed.dts.count, 1'790'000'000LL * 48'000 + i * 1024LL);
    ASSERT_EQ(placed.duration.count, 1024);
    line.now += nanoseconds(21'333'333);
  }
}

TEST(Timeline, MakesFrameSpacingOfRoundedVideoEvenWhenTheRateIsKnownOrFound) {
  for (const media::Rational told : {media::Rational{60'000, 1001}, media::Rational{}}) {
    Line line({video_track(1, 1000, told)});
    line.anchor(milliseconds(0));
    std::int64_t before = 0;
    for (int i = 0; i < 2'000; ++i) {
      Placed placed;
      ASSERT_EQ(line.place(1, i * 1001LL * 1000 / 60'000, 0, placed), Placement::placed);
      if (i > 600) {
        // 1501.5 ticks, a tick of slew, never 1440 or 1530 (16 or 17 ms).
        EXPECT_GE(placed.dts.count - before, 1500) << i;
        EXPECT_LE(placed.dts.count - before, 1503) << i;
      }
      before = placed.dts.count;
      line.now += nanoseconds(16'683'333);
    }
  }
}

TEST(Timeline, AFrameRateThatTheBitstreamTellsWronglyIsFoundOut) {
  // It says 25 (a field rate, read as frames), they come at 59.94.
  Line line({video_track(1, 1000, {25, 1})});
  line.anchor(milliseconds(0));
  std::int64_t before = 0;
  for (int i = 0; i < 2'000; ++i) {
    Placed placed;
    ASSERT_EQ(line.place(1, i * 1001LL * 1000 / 60'000, 0, placed), Placement::placed);
    if (i > 800) {
      EXPECT_NEAR(static_cast<double>(placed.dts.count - before), 1501.5, 1.5) << i;
    }
    before = placed.dts.count;
    line.now += nanoseconds(16'683'333);
  }
}

TEST(Timeline, KeepsAGapAsAGap) {
  Line line({video_track(1, 1000, {50, 1}), audio_track(2, 1000, 48'000)});
  line.anchor(milliseconds(0));
  Placed first;
  Placed after;
  ASSERT_EQ(line.place(2, 0, 0, first), Placement::placed);
  line.now += milliseconds(730);
  ASSERT_EQ(line.place(2, 730, 0, after), Placement::placed);
  EXPECT_EQ(after.dts.count - first.dts.count, 730 * 48);
  line.now -= milliseconds(730);
  ASSERT_EQ(line.place(1, 0, 0, first), Placement::placed);
  line.now += seconds(30);
  ASSERT_EQ(line.place(1, 30'000, 0, after), Placement::placed) << "arrival bears it out";
  EXPECT_EQ(after.dts.count - first.dts.count, 30'000 * 90);
}

TEST(Timeline, FollowsAStepOfTheSoundWithinEightPackets) {
  // A looped clip whose sound is 11 ms shorter than its picture.
  Line line({audio_track(2, 1000, 48'000)});
  line.anchor(milliseconds(0));
  Placed placed;
  std::int64_t given = 0;
  for (int i = 0; i < 200; ++i) {
    given = i * 1024LL * 1000 / 48'000 + (i >= 100 ? 11 : 0);
    ASSERT_EQ(line.place(2, given, 0, placed), Placement::placed);
    if (i == 103) {
      EXPECT_EQ(placed.dts.count, 1'790'000'000LL * 48'000 + i * 1024LL);
    }
  }
  EXPECT_NEAR(static_cast<double>(placed.dts.count - 1'790'000'000LL * 48'000),
              static_cast<double>(given) * 48, 48);
}

TEST(Timeline, JitteredSoundIsEven) {
  Line line({audio_track(2, 1000, 48'000)});
  line.anchor(milliseconds(0));
  std::int64_t before = 0;
  for (int i = 0; i < 400; ++i) {
    Placed placed;
    const std::int64_t jitter = i == 0 ? 0 : (i * 7919) % 25 - 12;
    ASSERT_EQ(line.place(2, i * 1024LL * 1000 / 48'000 + jitter, 0, placed), Placement::placed);
    if (i > 0) {
      EXPECT_NEAR(static_cast<double>(placed.dts.count - before), 1024, 1) << i;
    }
    before = placed.dts.count;
  }
}

TEST(Timeline, KeepsTheFrameGridOverDroppedFrames) {
  Line line({video_track(1, 1000, {60'000, 1001})});
  line.anchor(milliseconds(0));
  Placed placed;
  for (const int frame : {0, 1, 2, 7, 8}) {
    ASSERT_EQ(line.place(1, frame * 1001LL * 1000 / 60'000, 0, placed), Placement::placed);
    line.now += milliseconds(17);
  }
  EXPECT_EQ(placed.dts.count - 1'790'000'000LL * 90'000, 8 * 15'015 / 10);
}

TEST(Timeline, JumpsBackAndUnbackedJumpsForwardEndTheEra) {
  Line line({video_track(1, 1000, {50, 1})});
  line.anchor(milliseconds(10'000));
  Placed placed;
  ASSERT_EQ(line.place(1, 10'000, 0, placed), Placement::placed);
  line.now += milliseconds(20);
  EXPECT_EQ(line.place(1, 7'000, 0, placed), Placement::jumped);
  EXPECT_EQ(line.place(1, 21'000, 0, placed), Placement::jumped);
  EXPECT_EQ(line.place(1, 10'020, 0, placed), Placement::placed) << "a jump leaves no trace";
}

TEST(Timeline, AStallOfTheNetworkIsNoJump) {
  Line line({video_track(1, 1000, {50, 1})});
  line.anchor(milliseconds(0));
  Placed placed;
  ASSERT_EQ(line.place(1, 0, 0, placed), Placement::placed);
  line.now += seconds(8);
  for (int i = 1; i <= 400; ++i) {
    ASSERT_EQ(line.place(1, i * 20, 0, placed), Placement::placed);
    ASSERT_EQ(placed.dts.count, 1'790'000'000LL * 90'000 + i * 1800);
  }
}

TEST(Timeline, DropsWhatAnotherTrackStillSendsFromBeforeTheJump) {
  Line line({video_track(1, 1000, {50, 1}), audio_track(2, 1000, 48'000)});
  line.anchor(milliseconds(90'000));
  Placed placed;
  ASSERT_EQ(line.place(1, 90'000, 0, placed), Placement::placed);
  EXPECT_EQ(line.place(2, 4'321, 0, placed), Placement::stale);
  EXPECT_EQ(line.place(2, 90'010, 0, placed), Placement::placed);
}

TEST(Timeline, PresentationNeverPrecedesDecodingAndIsNotMoved) {
  Line line({video_track(1, 1000, {25, 1})});
  line.anchor(milliseconds(0));
  // I P B B with decode times that begin at the first presentation time (edit-list style).
  const std::vector<std::int64_t> compositions{0, 80, -40, -40, 80, -40, -40};
  std::int64_t before = 0;
  for (std::size_t i = 0; i < compositions.size(); ++i) {
    Placed placed;
    const auto dts = static_cast<std::int64_t>(i) * 40;
    ASSERT_EQ(line.place(1, dts, compositions[i], placed), Placement::placed);
    EXPECT_NEAR(static_cast<double>(placed.pts.count - 1'790'000'000LL * 90'000),
                static_cast<double>((dts + compositions[i]) * 90), 1);
    EXPECT_GE(placed.pts.count, placed.dts.count);
    EXPECT_GT(placed.dts.count, before);
    before = placed.dts.count;
  }
}

TEST(Timeline, RefusesTimestampsBeyondArithmetic) {
  Line line({video_track(1, 1000, {25, 1})});
  line.anchor(milliseconds(0));
  Placed placed;
  EXPECT_EQ(line.place(1, INT64_MAX, 0, placed), Placement::stale);
  EXPECT_EQ(line.place(1, INT64_MIN, 0, placed), Placement::stale);
}

TEST(Unwrapper, GoesOnOverMissedWraps) {
  Unwrapper milliseconds32;
  EXPECT_EQ(milliseconds32.adjust({0xFFFFFFF0}).count, 0);
  EXPECT_EQ(milliseconds32.adjust({0x10}).count, std::int64_t{1} << 32);
  EXPECT_EQ(milliseconds32.adjust({0x30}).count, std::int64_t{1} << 32);
  Unwrapper mpeg33;
  EXPECT_EQ(mpeg33.adjust({(std::int64_t{1} << 33) - 1800}).count, 0);
  EXPECT_EQ(mpeg33.adjust({1800}).count, std::int64_t{1} << 33);
  Unwrapper restarted;
  EXPECT_EQ(restarted.adjust({3'600'000}).count, 0);
  EXPECT_EQ(restarted.adjust({0}).count, 0);
}

}  // namespace
}  // namespace kapok::channel
