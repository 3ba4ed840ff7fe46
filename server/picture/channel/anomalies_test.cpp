#include "server/picture/channel/anomalies.hpp"

#include <gtest/gtest.h>

namespace kapok::channel {
namespace {

using media::Anomaly;
using media::AnomalyEvent;
using media::AnomalyState;

constexpr microseconds kBegin = seconds(1'790'000'000);

class AnomaliesTest : public testing::Test, public evidence::EvidenceSink {
 protected:
  void report(evidence::Fact fact) override {
    facts_.push_back(std::get<evidence::PictureEvent>(std::move(fact)));
  }
  // In ms after the beginning of what the worker was given, which is a minute long.
  void tell(Anomaly kind, AnomalyState state, int from_ms, int to_ms) {
    anomalies_.take({kind, state, kBegin + milliseconds(from_ms), kBegin + milliseconds(to_ms)},
                    {kBegin, kBegin + seconds(60)});
  }
  static UtcTime at(int ms) { return UtcTime(kBegin + milliseconds(ms)); }

  NullMetrics metrics_;
  std::vector<evidence::PictureEvent> facts_;
  Anomalies anomalies_{"demo", Log(), metrics_, this};
};

TEST_F(AnomaliesTest, AnEventIsShownWhileItLastsAndReportedAsEvidenceEachTime) {
  tell(Anomaly::black, AnomalyState::begun, 1'000, 2'000);
  ASSERT_EQ(anomalies_.facts().size(), 1U);
  EXPECT_EQ(anomalies_.facts()[0], (AnomalyFacts{Anomaly::black, at(1'000), at(2'000), true}));
  tell(Anomaly::black, AnomalyState::goes_on, 1'000, 7'000);
  EXPECT_EQ(anomalies_.facts()[0].to, at(7'000));
  tell(Anomaly::black, AnomalyState::ended, 1'000, 7'400);
  EXPECT_EQ(anomalies_.facts()[0], (AnomalyFacts{Anomaly::black, at(1'000), at(7'400), false}));
  ASSERT_EQ(facts_.size(), 3U);
  for (std::size_t i = 0; i < facts_.size(); ++i) {
    EXPECT_EQ(facts_[i].channel, "demo");
    EXPECT_EQ(facts_[i].kind, evidence::PictureEventKind::black);
    EXPECT_EQ(facts_[i].interval.from, at(1'000));
  }
  EXPECT_EQ(facts_[2].interval.to, at(7'400));
}

TEST_F(AnomaliesTest, SilenceMayGoOnBesideBlack) {
  tell(Anomaly::silence, AnomalyState::begun, 0, 5'000);
  tell(Anomaly::black, AnomalyState::begun, 3'000, 5'000);
  ASSERT_EQ(anomalies_.facts().size(), 2U);
  EXPECT_EQ(anomalies_.facts()[0].kind, Anomaly::black) << "the newest first";
  EXPECT_TRUE(anomalies_.facts()[0].goes_on && anomalies_.facts()[1].goes_on);
}

TEST_F(AnomaliesTest, WhatTheWorkerWasNotGivenIsNotBelieved) {
  tell(Anomaly::black, AnomalyState::begun, -3'600'000, 2'000);
  tell(Anomaly::black, AnomalyState::begun, 50'000, 70'000);
  tell(Anomaly::black, AnomalyState::goes_on, 1'000, 2'000);
  tell(Anomaly::black, AnomalyState::ended, 1'000, 2'000);
  EXPECT_TRUE(facts_.empty());
  tell(Anomaly::black, AnomalyState::begun, 1'000, 2'000);
  tell(Anomaly::black, AnomalyState::ended, 900, 3'000);  // of another beginning
  tell(Anomaly::black, AnomalyState::ended, 1'000, 1'500);
  tell(Anomaly::black, AnomalyState::begun, 2'000, 4'000);
  EXPECT_EQ(facts_.size(), 1U);
}

TEST_F(AnomaliesTest, AWorkerThatBabblesMakesFewFacts) {
  for (int i = 0; i < 10'000; ++i) {
    tell(Anomaly::black, AnomalyState::begun, i, i + 1);
    tell(Anomaly::frozen, AnomalyState::begun, 0, 5'000);
    tell(Anomaly::frozen, AnomalyState::goes_on, 0, 5'000 + i);
  }
  EXPECT_LE(facts_.size(), 12U);
}

TEST_F(AnomaliesTest, TheNewestAreKeptAndWhatGoesOnStays) {
  tell(Anomaly::silence, AnomalyState::begun, 0, 5'000);
  for (int i = 0; i < 90; ++i) {
    tell(Anomaly::black, AnomalyState::begun, i * 600, i * 600 + 500);
    tell(Anomaly::black, AnomalyState::ended, i * 600, i * 600 + 500);
  }
  ASSERT_EQ(anomalies_.facts().size(), Anomalies::kKept);
  EXPECT_EQ(anomalies_.facts().front().from, at(89 * 600));
  EXPECT_EQ(anomalies_.facts().back().kind, Anomaly::silence);
}

TEST_F(AnomaliesTest, AWorkersEndEndsWhatGoesOnAndAnotherMayBegin) {
  tell(Anomaly::bars, AnomalyState::begun, 0, 2'000);
  anomalies_.end_all();
  EXPECT_FALSE(anomalies_.facts()[0].goes_on);
  EXPECT_EQ(anomalies_.facts()[0].to, at(2'000));
  tell(Anomaly::bars, AnomalyState::begun, 3'000, 5'000);
  EXPECT_EQ(anomalies_.facts().size(), 2U);
}

}  // namespace
}  // namespace kapok::channel
