#include "server/base/histogram.hpp"

#include <gtest/gtest.h>

#include "server/base/counted_metrics_test.hpp"

namespace kapok {
namespace {

TEST(DelayHistogram, CountsUpToEachBound) {
  CountedMetrics metrics;
  DelayHistogram delays(metrics, "kapok_test_seconds", "", {{"channel", "a"}});
  for (const milliseconds delay :
       {milliseconds(1), milliseconds(20), milliseconds(21), milliseconds(9000)})
    delays.observe(delay);
  const auto at = [&](const char* bound) {
    return metrics.value("kapok_test_seconds_bucket", {{"channel", "a"}, {"le", bound}});
  };
  EXPECT_EQ(at("0.002"), 1);
  EXPECT_EQ(at("0.01"), 1);
  EXPECT_EQ(at("0.02"), 2) << "a bound counts what is equal to it";
  EXPECT_EQ(at("0.05"), 3);
  EXPECT_EQ(at("5"), 3);
  EXPECT_EQ(at("+Inf"), 4);
  EXPECT_EQ(metrics.value("kapok_test_seconds_count"), 4);
  EXPECT_DOUBLE_EQ(metrics.value("kapok_test_seconds_sum"), 9.042);
}

// A clock of another process may be a little ahead.
TEST(DelayHistogram, WhatComesBeforeItsTimeIsNoDelay) {
  CountedMetrics metrics;
  DelayHistogram delays(metrics, "kapok_test_seconds", "", {});
  delays.observe(milliseconds(-3));
  EXPECT_EQ(metrics.value("kapok_test_seconds_bucket", {{"le", "0.002"}}), 1);
  EXPECT_EQ(metrics.value("kapok_test_seconds_sum"), 0);
}

}  // namespace
}  // namespace kapok
