#include "transcoder/ladder/loudness.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace kapok::ladder {
namespace {

constexpr std::uint32_t kRate = 48000;

// `level` is the amplitude.
Planes sine(double seconds, double hertz, double level, std::size_t channels = 2,
            double phase = 0) {
  const auto samples = static_cast<std::size_t>(seconds * kRate);
  Planes planes(channels, std::vector<float>(samples));
  for (std::size_t i = 0; i < samples; ++i)
    for (auto& plane : planes)
      plane[i] = static_cast<float>(
          level * std::sin(2 * std::numbers::pi * hertz * static_cast<double>(i) / kRate + phase));
  return planes;
}

double dbfs(double db) {
  return std::pow(10, db / 20);
}

void hear(LoudnessMeter& meter, const Planes& planes) {
  std::vector<float> one(planes.size());
  for (std::size_t i = 0; i < planes[0].size(); ++i) {
    for (std::size_t c = 0; c < planes.size(); ++c) one[c] = planes[c][i];
    meter.add(planes.size(), one.data());
  }
}

// [EBU Tech 3341, table 1] cases 1 and 2.
TEST(LoudnessMeter, ReadsWhatAnEbuMeterMustRead) {
  for (const double level : {-23.0, -33.0}) {
    LoudnessMeter meter(kRate, 2);
    hear(meter, sine(20, 1000, dbfs(level)));
    EXPECT_NEAR(meter.momentary().value(), level, 0.1);
    EXPECT_NEAR(meter.short_term().value(), level, 0.1);
    EXPECT_NEAR(meter.gated().value(), level, 0.1);
  }
  LoudnessMeter other_rate(44100, 1);
  Planes tone(1, std::vector<float>(441000));
  for (std::size_t i = 0; i < tone[0].size(); ++i)
    tone[0][i] = static_cast<float>(
        dbfs(-20) * std::sin(2 * std::numbers::pi * 1000 * static_cast<double>(i) / 44100));
  hear(other_rate, tone);
  EXPECT_NEAR(other_rate.gated().value(), -23.0, 0.1) << "one channel is half of two";
}

// [EBU Tech 3341, table 1] as case 3, within what the meter remembers.
TEST(LoudnessMeter, QuietStretchesAreGatedAndSilenceIsNothing) {
  LoudnessMeter meter(kRate, 2);
  hear(meter, sine(5, 1000, dbfs(-36)));
  hear(meter, sine(20, 1000, dbfs(-23)));
  hear(meter, sine(4, 1000, dbfs(-36)));
  EXPECT_NEAR(meter.gated().value(), -23.0, 0.2);
  EXPECT_NEAR(meter.momentary().value(), -36.0, 0.1);
  hear(meter, sine(31, 1000, 0));
  EXPECT_EQ(meter.gated(), std::nullopt);
  EXPECT_EQ(meter.momentary(), std::nullopt);
}

// [BS.1770-4 table 3] the surrounds count for more, the LFE not at all. Case 6 of Tech 3341.
TEST(LoudnessMeter, ChannelsOfSurroundHaveTheirWeights) {
  LoudnessMeter meter(kRate, 6);
  Planes planes = sine(20, 1000, 1, 6);
  constexpr double kLevels[] = {-28, -28, -24, -10, -30, -30};
  for (std::size_t c = 0; c < planes.size(); ++c)
    for (float& sample : planes[c]) sample *= static_cast<float>(dbfs(kLevels[c]));
  hear(meter, planes);
  EXPECT_NEAR(meter.gated().value(), -23.0, 0.1);
}

TEST(PeakLimiter, HoldsPeaksBetweenSamplesToo) {
  // A quarter of the rate, 45 degrees off: no sample is above 0.707 of the peak [BS.1770-4 annex
  // 2].
  Planes planes = sine(1, kRate / 4.0, 1, 1, std::numbers::pi / 4);
  PeakLimiter limiter(kRate, 1, dbfs(-2));
  for (float& sample : planes[0]) limiter.step(&sample);
  float most = 0;
  for (std::size_t i = kRate / 2; i < kRate; ++i) most = std::max(most, std::abs(planes[0][i]));
  EXPECT_NEAR(most * std::numbers::sqrt2, dbfs(-2), 0.01);
}

TEST(PeakLimiter, WhatIsBelowTheCeilingComesThroughAsItIsItsDelayLater) {
  const Planes planes = sine(1, 440, 0.5, 1);
  PeakLimiter limiter(kRate, 1, dbfs(-2));
  for (std::size_t i = 0; i < planes[0].size(); ++i) {
    float sample = planes[0][i];
    limiter.step(&sample);
    if (i >= limiter.delay()) ASSERT_NEAR(sample, planes[0][i - limiter.delay()], 1e-5) << i;
  }
}

TEST(PeakLimiter, ASuddenPeakNeverPasses) {
  Planes planes = sine(1, 440, 0.2, 1);
  for (const std::size_t at : {10'000U, 10'050U, 20'000U}) planes[0][at] = 1;
  PeakLimiter limiter(kRate, 1, 0.5);
  for (float& sample : planes[0]) limiter.step(&sample);
  EXPECT_LE(*std::ranges::max_element(planes[0]), 0.501F);
}

TEST(LoudnessRider, LosesAndMovesNoSample) {
  LoudnessRider rider(kRate, 2, -23);
  Planes all(2);
  Planes planes = sine(3, 1000, dbfs(-23));
  const auto add = [&](const Planes& made) {
    for (std::size_t c = 0; c < 2; ++c) all[c].insert(all[c].end(), made[c].begin(), made[c].end());
  };
  for (std::size_t at = 0; at < planes[0].size(); at += 1000) {
    Planes part(2);
    for (std::size_t c = 0; c < 2; ++c)
      part[c].assign(planes[c].begin() + static_cast<std::ptrdiff_t>(at),
                     planes[c].begin() + static_cast<std::ptrdiff_t>(at + 1000));
    rider.ride(part);
    add(part);
    EXPECT_EQ(all[0].size() + rider.delayed(), at + 1000);
  }
  EXPECT_LT(rider.delayed(), kRate / 100) << "10 ms";
  add(rider.finish());
  ASSERT_EQ(all[0].size(), planes[0].size());
  // It was as loud as it shall be.
  for (std::size_t i = 0; i < all[0].size(); ++i) ASSERT_NEAR(all[0][i], planes[0][i], 0.003) << i;
}

TEST(LoudnessRider, PausesAreNotTurnedUp) {
  LoudnessRider rider(kRate, 2, -23);
  Planes loud = sine(20, 1000, dbfs(-20));
  rider.ride(loud);
  Planes pause = sine(10, 1000, dbfs(-60));
  rider.ride(pause);
  const float end = std::ranges::max(std::vector<float>(pause[0].end() - 4800, pause[0].end()));
  EXPECT_NEAR(20 * std::log10(end), -63, 0.5) << "3 dB down, as before it";
}

}  // namespace
}  // namespace kapok::ladder
