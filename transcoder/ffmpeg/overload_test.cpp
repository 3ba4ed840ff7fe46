#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>

#include "transcoder/ffmpeg/clip_test.hpp"

namespace kapok::ffmpeg {
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
    ++counts_[std::string(rung)];
    changed_.notify_all();
  }
  void notice(LogLevel level, std::string_view event, std::string_view text) override {
    const std::lock_guard lock(mutex_);
    recorded.notice(level, event, text);
    changed_.notify_all();
  }
  void release() {
    const std::lock_guard lock(mutex_);
    released_ = true;
    changed_.notify_all();
  }
  // A bound for broken code only.
  bool wait_for(const std::string& rung, std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::minutes(2), [&] { return counts_[rung] >= count; });
  }

  RecordingSink recorded;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, std::size_t> counts_;
  std::string held_;
  bool released_ = false;
};

TEST(Overload, TheCostliestRungIsLeftOutUntilASegmentStartAndTheOthersMissNothing) {
  const Clip clip = make_clip({.frames = 300, .segment = 25});
  media::Ladder ladder;
  ladder.video = {rung("cheap", media::Codec::avc, 180), rung("costly", media::Codec::hevc, 360)};
  HoldingSink sink("costly");
  const auto engine = make_engine(ladder, {.pace = ladder::Pace::live, .threads = 1}, sink).value();
  ASSERT_TRUE(engine->track(clip.track).has_value());
  std::size_t given = 0;
  for (const auto& packet : clip.packets) {
    const auto start = clip.starts(packet) ? ladder::SegmentStart::yes : ladder::SegmentStart::no;
    ASSERT_TRUE(engine->packet(packet, start).has_value());
    ++given;
    // As a live source would: not before encoding has begun, then no faster than the rung that
    // keeps up.
    constexpr std::size_t kInside = 30;
    if (given < kInside) continue;
    if (sink.recorded.notices("rung.shed") == 0) {
      ASSERT_TRUE(sink.wait_for("cheap", 1));
      continue;
    }
    sink.release();
    ASSERT_TRUE(sink.wait_for("cheap", given - kInside));
  }
  sink.release();
  engine->drain();
  const auto stats = engine->stats();
  SCOPED_TRACE(sink.recorded.all_notices());
  EXPECT_EQ(stats.dropped, 0U);
  EXPECT_EQ(pts_of(sink.recorded["cheap"].packets), pts_of(clip.packets));
  EXPECT_EQ(stats.rungs[0].shed, 0U);

  EXPECT_GT(stats.rungs[1].shed, 0U);
  EXPECT_EQ(stats.rungs[1].shed + stats.rungs[1].encoded, clip.packets.size());
  EXPECT_GE(sink.recorded.notices("rung.resumed"), 1U);
  // What it has after the gap begins with an IDR on a segment start.
  const auto& costly = sink.recorded["costly"].packets;
  for (std::size_t i = 1; i < costly.size(); ++i) {
    if ((costly[i].pts - costly[i - 1].pts).count != kClipFrame) {
      EXPECT_TRUE(costly[i].sync);
      EXPECT_TRUE(clip.starts(costly[i]));
    }
  }
  EXPECT_EQ(costly.back().pts, clip.packets.back().pts);
}

}  // namespace
}  // namespace kapok::ffmpeg
