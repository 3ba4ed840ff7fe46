#include "server/base/histogram.hpp"

#include <gtest/gtest.h>

#include <map>

namespace kapok {
namespace {

class CountedMetrics final : public Metrics {
 public:
  struct Count final : Counter, Gauge {
    double value = 0;
    void add(double by) override { value += by; }
    void set(double to) override { value = to; }
  };
  Counter& counter(std::string_view name, std::string_view, const MetricLabels& labels) override {
    const auto bound = labels.find("le");
    return series[std::string(name) + (bound == labels.end() ? "" : " " + bound->second)];
  }
  Gauge& gauge(std::string_view, std::string_view, const MetricLabels&) override {
    return series[""];
  }
  std::map<std::string, Count> series;
};

TEST(DelayHistogram, CountsUpToEachBound) {
  CountedMetrics metrics;
  DelayHistogram delays(metrics, "kapok_test_seconds", "", {{"channel", "a"}});
  for (const milliseconds delay :
       {milliseconds(1), milliseconds(20), milliseconds(21), milliseconds(9000)})
    delays.observe(delay);
  const auto at = [&](const char* bound) {
    return metrics.series.at(std::string("kapok_test_seconds_bucket ") + bound).value;
  };
  EXPECT_EQ(at("0.002"), 1);
  EXPECT_EQ(at("0.01"), 1);
  EXPECT_EQ(at("0.02"), 2) << "a bound counts what is equal to it";
  EXPECT_EQ(at("0.05"), 3);
  EXPECT_EQ(at("5"), 3);
  EXPECT_EQ(at("+Inf"), 4);
  EXPECT_EQ(metrics.series.at("kapok_test_seconds_count").value, 4);
  EXPECT_DOUBLE_EQ(metrics.series.at("kapok_test_seconds_sum").value, 9.042);
}

// A clock of another process may be a little ahead.
TEST(DelayHistogram, WhatComesBeforeItsTimeIsNoDelay) {
  CountedMetrics metrics;
  DelayHistogram delays(metrics, "kapok_test_seconds", "", {});
  delays.observe(milliseconds(-3));
  EXPECT_EQ(metrics.series.at("kapok_test_seconds_bucket 0.002").value, 1);
  EXPECT_EQ(metrics.series.at("kapok_test_seconds_sum").value, 0);
}

}  // namespace
}  // namespace kapok
