// 48 hours of an encoder whose clock is off, in seconds.
#include <gtest/gtest.h>

#include <cmath>

#include "server/picture/channel/simulated_feed_test.hpp"
#include "server/picture/channel/timeline.hpp"

namespace kapok::channel {
namespace {

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr double kHours = 3;
#else
constexpr double kHours = 48;
#endif
#else
constexpr double kHours = 48;
#endif

constexpr ChannelTime kStart = seconds(1'790'000'000);

struct Case {
  const char* name;
  SimulatedFeed::Options options;
  double share = 1;  // of kHours
};

class Drift : public ::testing::TestWithParam<Case> {};

TEST_P(Drift, StaysWithArrivalWithoutASingleStep) {
  const SimulatedFeed::Options options = GetParam().options;
  SimulatedFeed feed(options);
  Timeline timeline;
  const media::Track video = video_track(1, 1000, options.rate);
  const media::Track audio = audio_track(2, 1000, 48'000);
  timeline.set_track(video);
  timeline.set_track(audio);
  timeline.set_segment_duration(seconds(2));

  const double video_ticks = 90'000.0 * options.rate.denominator / options.rate.numerator;
  double worst_to_sent = 0;
  double worst_to_arrival = 0;
  double worst_offset = 0;
  double worst_video_spacing = 0;
  double worst_audio_spacing = 0;
  double worst_segment_slew = 0;
  std::int64_t last_video = 0;
  std::int64_t last_audio = 0;
  double video_shift = 0;
  double segment_media_s = 0;
  double segment_shift = 0;
  bool first = true;
  while (true) {
    const auto next = feed.next();
    if (next.media_s > kHours * GetParam().share * 3600) break;
    if (first) {
      timeline.anchor(milliseconds(next.packet.dts.count), next.packet.arrival, kStart);
      first = false;
    }
    Placed placed;
    ASSERT_EQ(timeline.place(next.packet, placed), Placement::placed) << next.media_s;
    const bool is_video = next.packet.track == 1;
    const Timescale timescale = is_video ? 90'000 : 48'000;
    const double channel_s =
        static_cast<double>(placed.dts.count - 1'790'000'000LL * timescale) / timescale;
    // Relative to arrival; what the network held back in a stall relative to when it was sent.
    const double sent_s = std::chrono::duration<double>(next.sent).count();
    const double arrival_s =
        std::chrono::duration<double>(next.packet.arrival - MonoTime(seconds(500))).count();
    worst_to_sent = std::max(worst_to_sent, std::abs(channel_s - sent_s));
    if (arrival_s - sent_s < 0.1)
      worst_to_arrival = std::max(worst_to_arrival, std::abs(channel_s - arrival_s));
    // How far this packet was moved against the encoder's own clock.
    const double shift = channel_s - next.media_s;
    if (is_video) {
      if (last_video != 0)
        worst_video_spacing =
            std::max(worst_video_spacing,
                     std::abs(static_cast<double>(placed.dts.count - last_video) - video_ticks));
      last_video = placed.dts.count;
      video_shift = shift;
      if (next.media_s - segment_media_s >= 2) {
        worst_segment_slew = std::max(worst_segment_slew, std::abs(shift - segment_shift));
        segment_media_s = next.media_s;
        segment_shift = shift;
      }
    } else {
      if (last_audio != 0)
        worst_audio_spacing =
            std::max(worst_audio_spacing,
                     std::abs(static_cast<double>(placed.dts.count - last_audio) - 1024));
      last_audio = placed.dts.count;
      worst_offset = std::max(worst_offset, std::abs(shift - video_shift));
    }
  }
  RecordProperty("worst_to_arrival_us", static_cast<int>(worst_to_arrival * 1e6));
  printf(
      "  %s: to arrival %.1f ms, to sending %.1f ms, a/v %.3f ms, spacing %.2f ticks video %.2f "
      "audio, a segment %.3f ms, drift %.1f ppm\n",
      GetParam().name, worst_to_arrival * 1e3, worst_to_sent * 1e3, worst_offset * 1e3,
      worst_video_spacing, worst_audio_spacing, worst_segment_slew * 1e3, timeline.drift_ppm());
  EXPECT_LT(worst_to_arrival, 0.100);
  EXPECT_LT(worst_to_sent, 0.100);
  EXPECT_LT(worst_offset, 0.001);
  // 500 ppm of a frame, and one tick because ticks are whole.
  EXPECT_LE(worst_video_spacing, video_ticks * 500e-6 + 1.01);
  EXPECT_LE(worst_audio_spacing, 1024 * 500e-6 + 1.01);
  EXPECT_LT(worst_segment_slew, 0.001 + 1.0 / 90'000);
  EXPECT_NEAR(timeline.drift_ppm(), options.drift_ppm, 10);
}

INSTANTIATE_TEST_SUITE_P(
    FortyEightHours, Drift,
    ::testing::Values(Case{"fast_25", {{25, 1}, 100, milliseconds(80), true}},
                      Case{"slow_50", {{50, 1}, -100, milliseconds(80), true}},
                      Case{"fast_5994", {{60'000, 1001}, 100, milliseconds(80), true}},
                      Case{"slow_5994_quiet", {{60'000, 1001}, -100, nanoseconds(0), false}, 0.25},
                      Case{"true_50", {{50, 1}, 0, milliseconds(80), false}, 0.25}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace kapok::channel
