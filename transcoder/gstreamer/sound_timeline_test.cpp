#include "transcoder/gstreamer/sound_timeline.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace kapok::gstreamer {
namespace {

using std::chrono::nanoseconds;

constexpr std::uint32_t kRate = 48'000;
constexpr std::size_t kFrame = 1024;

nanoseconds time_of(double samples) {
  return nanoseconds(std::llround(samples * 1e9 / kRate));
}
std::vector<float> frame(float value) {
  return std::vector<float>(kFrame * 2, value);
}

TEST(SoundTimeline, WhatIsInTimeIsLeftAsItIs) {
  SoundTimeline timeline(kRate, 2);
  for (int i = 0; i < 100; ++i)
    EXPECT_EQ(timeline.place(frame(0.5F), time_of(i * double{kFrame} + 7)), frame(0.5F));
  EXPECT_EQ(timeline.written(), 100 * std::int64_t{kFrame});
  EXPECT_EQ(timeline.begin(), time_of(7));
}

TEST(SoundTimeline, AGapIsSilence) {
  SoundTimeline timeline(kRate, 2);
  timeline.place(frame(0.5F), time_of(0));
  const auto placed = timeline.place(frame(0.5F), time_of(kFrame + 4800));
  ASSERT_EQ(placed.size(), (4800 + kFrame) * 2);
  EXPECT_EQ(placed[0], 0.0F);
  EXPECT_EQ(placed[4799 * 2 + 1], 0.0F);
  EXPECT_EQ(placed[4800 * 2], 0.5F);
}

TEST(SoundTimeline, AnOverlapIsCut) {
  SoundTimeline timeline(kRate, 2);
  for (int i = 0; i < 10; ++i) timeline.place(frame(0.5F), time_of(i * double{kFrame}));
  EXPECT_TRUE(timeline.place(frame(0.5F), time_of(5 * double{kFrame})).empty());
  EXPECT_EQ(timeline.place(frame(0.5F), time_of(9 * double{kFrame} + 24)).size(), 24U * 2);
}

TEST(SoundTimeline, DriftIsStretchedAwayWithoutAJump) {
  // The sender's clock runs 300 ppm off; five minutes.
  for (const double drift : {1.0003, 0.9997}) {
    SoundTimeline timeline(kRate, 1);
    const std::vector<float> ramp = [] {
      std::vector<float> made(kFrame);
      for (std::size_t i = 0; i < kFrame; ++i) made[i] = static_cast<float>(i);
      return made;
    }();
    double at = 0;
    for (int i = 0; i < 14'000; ++i, at += kFrame * drift) {
      const auto placed = timeline.place(ramp, time_of(at));
      ASSERT_NEAR(static_cast<double>(placed.size()), kFrame, 1);
      EXPECT_EQ(placed.front(), ramp.front());
      EXPECT_EQ(placed.back(), ramp.back());
      ASSERT_NEAR(static_cast<double>(timeline.written()), at + kFrame, kRate * 0.004);
    }
  }
}

TEST(SoundTimeline, ALongJumpDoesNotContinue) {
  SoundTimeline timeline(kRate, 2);
  EXPECT_TRUE(timeline.continues(time_of(1e9)));
  timeline.place(frame(0.5F), time_of(0));
  EXPECT_TRUE(timeline.continues(time_of(kRate)));
  EXPECT_FALSE(timeline.continues(time_of(3 * double{kRate})));
  EXPECT_FALSE(timeline.continues(time_of(-3 * double{kRate})));
}

}  // namespace
}  // namespace kapok::gstreamer
