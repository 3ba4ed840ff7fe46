// Metrics that tests read back.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "server/base/metrics.hpp"

namespace kapok {

class CountedMetrics final : public Metrics {
 public:
  Counter& counter(std::string_view name, std::string_view, const MetricLabels& labels) override {
    return series(name, labels);
  }
  Gauge& gauge(std::string_view name, std::string_view, const MetricLabels& labels) override {
    return series(name, labels);
  }
  // Of all series of that name that have these labels among theirs; 0 if there are none.
  double value(std::string_view name, const MetricLabels& labels = {}) const {
    const std::lock_guard lock(mutex_);
    double sum = 0;
    for (const auto& [key, count] : series_) {
      bool fits = key.first == name;
      for (const auto& label : labels) {
        const auto found = key.second.find(label.first);
        fits = fits && found != key.second.end() && found->second == label.second;
      }
      if (fits) sum += count.value;
    }
    return sum;
  }

 private:
  struct Count final : Counter, Gauge {
    std::atomic<double> value{0};
    void add(double by) override { value.fetch_add(by); }
    void set(double to) override { value = to; }
  };
  Count& series(std::string_view name, const MetricLabels& labels) {
    const std::lock_guard lock(mutex_);
    return series_[{std::string(name), labels}];
  }
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, MetricLabels>, Count> series_;
};

}  // namespace kapok
