#include "transcoder/detect/silence_detector.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace kapok::detect {
namespace {

using media::AnomalyEvent;
using media::AnomalyState;

constexpr microseconds kBlock{21'333};

class SilenceTest : public testing::Test {
 protected:
  void hear(milliseconds length, double dbfs) {
    for (const microseconds end = now_ + length; now_ < end; now_ += kBlock)
      detector_.hear(std::pow(10, dbfs / 10), now_, kBlock, events_);
  }
  SilenceDetector detector_{media::Detection{}};
  std::vector<AnomalyEvent> events_;
  microseconds now_ = seconds(100);
};

TEST_F(SilenceTest, BeginsWithItsFirstSampleAndEndsWithItsLast) {
  hear(seconds(2), -20);
  const microseconds begin = now_;
  hear(seconds(7), -70);
  const microseconds end = now_;
  hear(seconds(2), -20);
  ASSERT_EQ(events_.size(), 2U);
  EXPECT_EQ(events_[0].state, AnomalyState::begun);
  EXPECT_EQ(events_[1].state, AnomalyState::ended);
  EXPECT_EQ(events_[1].from, begin);
  EXPECT_EQ(events_[1].to, end);
}

TEST_F(SilenceTest, AClickDoesNotEndItSpeechDoes) {
  hear(seconds(6), -90);
  hear(milliseconds(60), -20);
  hear(seconds(2), -90);
  EXPECT_EQ(events_.size(), 1U);
  hear(milliseconds(400), -30);
  ASSERT_EQ(events_.size(), 2U);
  EXPECT_EQ(events_[1].state, AnomalyState::ended);
}

TEST_F(SilenceTest, APauseInSpeechIsNone) {
  for (int i = 0; i < 10; ++i) {
    hear(seconds(4), -80);
    hear(milliseconds(100), -25);
  }
  EXPECT_TRUE(events_.empty());
}

TEST(Power, IsTheSameInEveryFormatAndPlace) {
  std::vector<float> f;
  std::vector<double> d;
  std::vector<std::int16_t> s16;
  std::vector<std::int32_t> s32;
  for (int i = 0; i < 480; ++i) {
    const double x = 0.1 * std::sin(i * 2 * M_PI / 48);  // a sine of -20 dBFS: power 0.005
    for (int channel = 0; channel < 2; ++channel) {
      const double value = channel == 0 ? x : 0;
      f.push_back(static_cast<float>(value));
      d.push_back(value);
      s16.push_back(static_cast<std::int16_t>(std::lround(value * 32'768)));
      s32.push_back(static_cast<std::int32_t>(std::lround(value * 2'147'483'648.0)));
    }
  }
  const auto check = [](const auto& samples) {
    using Sample = std::remove_cvref_t<decltype(samples[0])>;
    EXPECT_NEAR(power(Channel<Sample>{samples.data(), 480, 2}), 0.005, 1e-5);
    EXPECT_EQ(power(Channel<Sample>{samples.data() + 1, 480, 2}), 0);
  };
  check(f);
  check(d);
  check(s16);
  check(s32);
  EXPECT_EQ(power(Channel<float>{}), 0);
}

}  // namespace
}  // namespace kapok::detect
