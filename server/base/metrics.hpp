// Counters and gauges behind an interface, so that only app/ knows prometheus-cpp. Ask for a series
// once (it takes a lock) and keep the reference: it lives as long as the Metrics object. Adding is
// safe from any thread and costs one atomic operation.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace kapok {

class Counter {
 public:
  virtual ~Counter() = default;
  virtual void add(double by) = 0;
  void increment() { add(1); }
};

class Gauge {
 public:
  virtual ~Gauge() = default;
  virtual void set(double value) = 0;
  virtual void add(double by) = 0;
};

using MetricLabels = std::map<std::string, std::string>;

class Metrics {
 public:
  virtual ~Metrics() = default;
  // `name` follows Prometheus: kapok_<thing>_<unit>[_total]. The same name and labels give the same
  // series.
  virtual Counter& counter(std::string_view name, std::string_view help,
                           const MetricLabels& labels) = 0;
  virtual Gauge& gauge(std::string_view name, std::string_view help,
                       const MetricLabels& labels) = 0;
};

// For tests and tools that nobody scrapes.
class NullMetrics final : public Metrics {
 public:
  Counter& counter(std::string_view, std::string_view, const MetricLabels&) override {
    return counter_;
  }
  Gauge& gauge(std::string_view, std::string_view, const MetricLabels&) override { return gauge_; }

 private:
  struct NullCounter final : Counter {
    void add(double) override {}
  };
  struct NullGauge final : Gauge {
    void set(double) override {}
    void add(double) override {}
  };
  NullCounter counter_;
  NullGauge gauge_;
};

}  // namespace kapok
