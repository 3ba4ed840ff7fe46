#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "transcoder/engines/engines_test.hpp"

namespace kapok::engines {
namespace {

class Latency : public EngineTest {};

// Frames are counted, not time: what is in flight at a live source's rate is that many frames late.
TEST_P(Latency, ARungOfZeroLatencyHoldsThreeFramesAtMost) {
  for (const auto codec : {media::Codec::avc, media::Codec::hevc}) {
    SCOPED_TRACE(media::name_of(codec));
    const auto clip = ffmpeg::make_clip({.codec = codec, .frames = 50, .segment = 25});
    media::Ladder ladder;
    ladder.name = "test";
    ladder.video = {ffmpeg::rung("1", media::Codec::avc, 270),
                    ffmpeg::rung("2", media::Codec::avc, 180)};
    for (auto& each : ladder.video) each.tune = "zerolatency";
    ffmpeg::RecordingSink sink;
    // As on a machine with enough cores: each thread of the decoder holds a frame.
    const auto engine =
        make(GetParam(), ladder, {.pace = ladder::Pace::live, .threads = 16}, sink).value();
    ASSERT_TRUE(engine->track(clip.track).has_value());
    std::uint64_t given = 0;
    constexpr std::uint64_t kMostInside = 3;
    for (const auto& packet : clip.packets) {
      ASSERT_TRUE(engine
                      ->packet(packet, clip.starts(packet) ? ladder::SegmentStart::yes
                                                           : ladder::SegmentStart::no)
                      .has_value());
      ++given;
      // The bound is for broken code only.
      const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(2);
      const auto is_out = [&] {
        const auto stats = engine->stats();
        return stats.rungs[0].encoded + kMostInside >= given &&
               stats.rungs[1].encoded + kMostInside >= given;
      };
      while (!is_out()) {
        ASSERT_LT(std::chrono::steady_clock::now(), end)
            << given << " given, " << engine->stats().rungs[0].encoded << " came out";
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    }
    engine->drain();
    EXPECT_EQ(engine->stats().dropped, 0U);
    EXPECT_EQ(sink["1"].packets.size(), clip.packets.size());
  }
}

INSTANTIATE_TEST_SUITE_P(Each, Latency, testing::Values(Engine::ffmpeg, Engine::gstreamer),
                         [](const auto& row) { return name_of(row.param); });

}  // namespace
}  // namespace kapok::engines
