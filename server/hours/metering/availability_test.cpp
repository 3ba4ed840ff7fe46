#include "server/hours/metering/availability.hpp"

#include <gtest/gtest.h>

namespace kapok::metering {
namespace {

using ledger::Leaf;
using ledger::UhdClass;

const UtcTime kStart{seconds(1'790'000'000)};

class AvailabilityTest : public testing::Test {
 protected:
  AvailabilityTest() {
    catalogue::CatalogueConfig config;
    config.enterprises = {{"e", "E", catalogue::EnterpriseKind::iptv}};
    config.works = {{"old", "Old", true}};
    config.programmes = {
        {"first", "work", "First", "demo", "e", kStart, kStart + seconds(100)},
        {"second", "old", "Second", "demo", "e", kStart + seconds(100), std::nullopt}};
    catalogue_ = catalogue::Catalogue::create(config).value();
  }
  void publish(std::string_view rendition, int from_s, int to_s, UhdClass uhd = UhdClass::strict) {
    evidence::Published segment;
    segment.channel = "demo";
    segment.rendition = rendition;
    segment.interval = {kStart + seconds(from_s), kStart + seconds(to_s)};
    segment.picture.width = 3840;
    segment.picture.height = 2160;
    availability_.published(segment, uhd, {rules_, catalogue_, pictures_, exclusions_}, now_,
                            leaves_);
  }
  std::vector<Leaf> finish() {
    availability_.close_all({rules_, catalogue_, pictures_, exclusions_}, now_, leaves_);
    return leaves_;
  }
  static std::int64_t credited(const std::vector<Leaf>& leaves) {
    std::int64_t sum = 0;
    for (const Leaf& leaf : leaves) sum += leaf.credit_ms;
    return sum;
  }

  rules::RuleSet rules_;
  catalogue::Catalogue catalogue_;
  PictureHistory pictures_;
  PictureExclusions exclusions_;
  Availability availability_;
  Moment now_{MonoTime(seconds(1)), kStart};
  std::vector<Leaf> leaves_;
};

TEST_F(AvailabilityTest, SegmentsBecomeStretchesOfAMinute) {
  for (int at = 0; at < 90; at += 2) publish("source", at, at + 2);
  const auto leaves = finish();
  ASSERT_EQ(leaves.size(), 2U);
  EXPECT_EQ(leaves[0].credit_ms, 60'000U);
  EXPECT_EQ(credited(leaves), 90'000);
  EXPECT_EQ(leaves[0].content_from_ms, 0);
  EXPECT_EQ(leaves[1].content_from_ms, 60'000);
  EXPECT_EQ(leaves[1].media_from_ms, leaves[0].media_to_ms);
}

TEST_F(AvailabilityTest, GapsUpToTwoSecondsAreBridgedLongerOnesTakenOut) {
  publish("source", 0, 10);
  publish("source", 12, 20);
  publish("source", 23, 30);
  EXPECT_EQ(credited(finish()), 27'000);
}

TEST_F(AvailabilityTest, TheSameMomentInTwoRenditionsIsOne) {
  for (int at = 0; at < 20; at += 2) {
    publish("source", at, at + 2);
    publish("copy", at, at + 2);
  }
  EXPECT_EQ(credited(finish()), 20'000);
}

TEST_F(AvailabilityTest, ASegmentAcrossTheScheduleIsSplit) {
  publish("source", 90, 110);
  const auto leaves = finish();
  ASSERT_EQ(leaves.size(), 2U);
  EXPECT_EQ(leaves[0].programme, ledger::number64_of("first"));
  EXPECT_EQ(leaves[0].credit_ms, 10'000U);
  EXPECT_EQ(leaves[1].programme, ledger::number64_of("second"));
  EXPECT_NE(leaves[1].flags & ledger::kLeafBaseline, 0);
  EXPECT_EQ(leaves[1].content_from_ms, 0);
}

TEST_F(AvailabilityTest, WhatIsNotUhdIsKeptButEarnsNothing) {
  publish("hd", 0, 10, UhdClass::none);
  const auto leaves = finish();
  ASSERT_EQ(leaves.size(), 1U);
  EXPECT_EQ(leaves[0].credit_ms, 0U);
  EXPECT_EQ(leaves[0].media_to_ms - leaves[0].media_from_ms, 10'000);
}

TEST_F(AvailabilityTest, UnscheduledTimeIsKeptWithItsReason) {
  publish("source", -10, 0);
  const auto leaves = finish();
  ASSERT_EQ(leaves.size(), 1U);
  EXPECT_EQ(leaves[0].reason, ledger::Reason::no_programme);
  EXPECT_EQ(leaves[0].credit_ms, 0U);
}

}  // namespace
}  // namespace kapok::metering
