// Metrics over prometheus-cpp, and the text that /metrics answers with. Series are created once and
// live as long as this object; adding is one atomic operation. Callable from any thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "server/base/clock.hpp"
#include "server/base/metrics.hpp"

namespace kapok::app {

class PrometheusMetrics final : public Metrics {
 public:
  // A bug that puts peers' words into labels must not eat the memory: beyond this, new series share
  // one that is not shown, and kapok_metrics_refused_total counts them.
  static constexpr std::size_t kMaxSeries = 20'000;

  PrometheusMetrics();
  ~PrometheusMetrics() override;

  Counter& counter(std::string_view name, std::string_view help,
                   const MetricLabels& labels) override;
  Gauge& gauge(std::string_view name, std::string_view help, const MetricLabels& labels) override;

  // [Prometheus text format 0.0.4] every series, and the process's own figures (memory, CPU time,
  // open files, start time, version).
  std::string render() const;
  static constexpr std::string_view kContentType = "text/plain; version=0.0.4; charset=utf-8";

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kapok::app
