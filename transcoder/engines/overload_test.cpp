#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>
#include <functional>

#include "transcoder/engines/engines_test.hpp"
#include "transcoder/ffmpeg/video_lane.hpp"

namespace kapok::engines {
namespace {

// Holds one rung's encoder back until told not to; tells how far another one is.
class HoldingSink final : public ladder::RungSink {
 public:
  explicit HoldingSink(std::string held) : held_(std::move(held)) {}

  void track(std::string_view rung, std::shared_ptr<const media::Track> track) override {
    recorded.track(rung, std::move(track));
  }
  void packet(std::string_view rung, media::Packet packet) override {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return rung != held_ || released_; });
    recorded.packet(rung, std::move(packet));
    changed_.notify_all();
  }
  void image(media::Image image) override { recorded.image(std::move(image)); }
  void notice(LogLevel level, std::string_view event, std::string_view text) override {
    const std::lock_guard lock(mutex_);
    recorded.notice(level, event, text);
    changed_.notify_all();
  }
  void anomaly(const media::AnomalyEvent& event) override { recorded.anomaly(event); }
  void release() {
    const std::lock_guard lock(mutex_);
    released_ = true;
    changed_.notify_all();
  }
  // Not every change is told, so it looks again and again. The bound is for broken code only.
  bool wait_until(const std::function<bool()>& holds) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(2);
    while (!holds()) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, std::chrono::milliseconds(5));
    }
    return true;
  }

  ffmpeg::RecordingSink recorded;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string held_;
  bool released_ = false;
};

class Overload : public EngineTest {
 protected:
  static constexpr auto kPicture = std::chrono::nanoseconds(std::chrono::seconds(1)) *
                                   ffmpeg::kClipFrame / ffmpeg::kClipTimescale;
  FakeClock clock;
};

TEST_P(Overload, FrameRateGoesFirstThenTheCostliestRungAndBothComeBackAtSegmentStarts) {
  const auto clip = ffmpeg::make_clip({.frames = 312, .segment = 24});
  media::Ladder ladder;
  ladder.video = {ffmpeg::rung("cheap", media::Codec::avc, 180),
                  ffmpeg::rung("costly", media::Codec::hevc, 360)};
  HoldingSink sink("costly");
  const auto engine =
      make(GetParam(), ladder, {.pace = ladder::Pace::live, .threads = 1, .clock = &clock}, sink)
          .value();
  ASSERT_TRUE(engine->track(clip.track).has_value());
  std::size_t given = 0;
  for (const auto& packet : clip.packets) {
    const auto start = clip.starts(packet) ? ladder::SegmentStart::yes : ladder::SegmentStart::no;
    ASSERT_TRUE(engine->packet(packet, start).has_value());
    clock.advance(kPicture);
    ++given;
    // As a live source would: not before encoding has begun, then no faster than the rung that
    // keeps up, so that less waits than what leaves room for the others.
    constexpr std::size_t kBegun = 30;
    constexpr std::size_t kInside = 10;
    if (given < kBegun) continue;
    if (sink.recorded.notices("rung.shed") == 0) {
      ASSERT_TRUE(sink.wait_until([&] { return engine->stats().rungs[0].encoded > 0; }));
      continue;
    }
    EXPECT_EQ(sink.recorded.notices("rate.halved"), 1U);
    sink.release();
    ASSERT_TRUE(sink.wait_until([&] {
      const auto stats = engine->stats();
      return stats.rungs[0].encoded + stats.rungs[0].shed >= given - kInside;
    }));
  }
  sink.release();
  engine->drain();
  const auto stats = engine->stats();
  SCOPED_TRACE(sink.recorded.all_notices());
  EXPECT_EQ(stats.dropped, 0U);
  for (const auto& rung : stats.rungs) {
    EXPECT_GT(rung.shed, 0U);
    EXPECT_EQ(rung.shed + rung.encoded, clip.packets.size());
  }
  EXPECT_GT(stats.rungs[1].shed, stats.rungs[0].shed);
  EXPECT_EQ(sink.recorded.notices("rung.resumed"), 1U);
  EXPECT_EQ(sink.recorded.notices("rate.restored"), 1U);

  // The other rung has every second picture of a while, each twice as long, and all its GOPs.
  const auto& cheap = sink.recorded["cheap"].packets;
  EXPECT_EQ(ffmpeg::sync_pts_of(cheap), clip.segment_starts);
  std::size_t halved = 0;
  for (std::size_t i = 0; i < cheap.size(); ++i) {
    const auto lasts =
        (i + 1 < cheap.size() ? cheap[i + 1].pts
                              : media::Ticks{cheap[i].pts.count + ffmpeg::kClipFrame}) -
        cheap[i].pts;
    EXPECT_EQ(cheap[i].duration, lasts) << i;
    if (lasts.count == ffmpeg::kClipFrame) continue;
    EXPECT_EQ(lasts.count, 2 * ffmpeg::kClipFrame);
    ++halved;
  }
  EXPECT_EQ(halved, stats.rungs[0].shed);
  EXPECT_EQ(cheap.back().pts, clip.packets.back().pts);

  // What the shed rung has after the gap begins with an IDR on a segment start.
  const auto& costly = sink.recorded["costly"].packets;
  for (std::size_t i = 1; i < costly.size(); ++i) {
    if (costly[i].pts == costly[i - 1].pts + costly[i - 1].duration) continue;
    EXPECT_TRUE(costly[i].sync);
    EXPECT_TRUE(clip.starts(costly[i]));
  }
  EXPECT_EQ(costly.back().pts, clip.packets.back().pts);
}

// A network that stood still gives what it held at once: no fault of this machine's.
TEST_P(Overload, ABurstIsNoReasonToLeaveAnythingOut) {
  const auto clip = ffmpeg::make_clip({.frames = 96, .segment = 24});
  media::Ladder ladder;
  ladder.video = {ffmpeg::rung("held", media::Codec::avc, 180)};
  HoldingSink sink("held");
  const auto engine =
      make(GetParam(), ladder, {.pace = ladder::Pace::live, .threads = 1, .clock = &clock}, sink)
          .value();
  ASSERT_TRUE(engine->track(clip.track).has_value());
  for (std::size_t i = 0; i < clip.packets.size(); ++i) {
    const auto& packet = clip.packets[i];
    const auto start = clip.starts(packet) ? ladder::SegmentStart::yes : ladder::SegmentStart::no;
    ASSERT_TRUE(engine->packet(packet, start).has_value());
    if (i == clip.packets.size() / 2) clock.advance(std::chrono::milliseconds(300));
  }
  EXPECT_GT(engine->stats().waiting, ffmpeg::VideoLane::kShedAbove);
  sink.release();
  engine->drain();
  SCOPED_TRACE(sink.recorded.all_notices());
  EXPECT_EQ(engine->stats().dropped, 0U);
  EXPECT_EQ(engine->stats().rungs[0].shed, 0U);
  EXPECT_EQ(engine->stats().rungs[0].encoded, clip.packets.size());
  EXPECT_EQ(sink.recorded.notices("rate.halved"), 0U);
}

INSTANTIATE_TEST_SUITE_P(Each, Overload, testing::Values(Engine::ffmpeg, Engine::gstreamer),
                         [](const auto& row) { return name_of(row.param); });

}  // namespace
}  // namespace kapok::engines
