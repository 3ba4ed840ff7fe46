#include "server/app/server/prometheus_metrics.hpp"

#include <fmt/format.h>
#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <map>
#include <mutex>
#include <sstream>
#include <utility>

#include "server/app/server/process_facts.hpp"

namespace kapok::app {
namespace {

class PrometheusCounter final : public Counter {
 public:
  explicit PrometheusCounter(prometheus::Counter& counter) : counter_(counter) {}
  void add(double by) override { counter_.Increment(by); }

 private:
  prometheus::Counter& counter_;
};

class PrometheusGauge final : public Gauge {
 public:
  explicit PrometheusGauge(prometheus::Gauge& gauge) : gauge_(gauge) {}
  void set(double value) override { gauge_.Set(value); }
  void add(double by) override { gauge_.Increment(by); }

 private:
  prometheus::Gauge& gauge_;
};

}  // namespace

struct PrometheusMetrics::State {
  using Series = std::pair<std::string, MetricLabels>;
  // A mutex, because series are asked for once, from whichever shard or thread needs them.
  std::mutex mutex;
  prometheus::Registry registry;
  std::map<std::string, prometheus::Family<prometheus::Counter>*, std::less<>> counter_families;
  std::map<std::string, prometheus::Family<prometheus::Gauge>*, std::less<>> gauge_families;
  std::map<Series, std::unique_ptr<Counter>> counters;
  std::map<Series, std::unique_ptr<Gauge>> gauges;
  NullMetrics nowhere;
  prometheus::Counter& refused =
      prometheus::BuildCounter()
          .Name("kapok_metrics_refused_total")
          .Help("Series that were not created because there are too many")
          .Register(registry)
          .Add({});
  bool full() const { return counters.size() + gauges.size() >= kMaxSeries; }
};

PrometheusMetrics::PrometheusMetrics() : state_(std::make_unique<State>()) {}
PrometheusMetrics::~PrometheusMetrics() = default;

Counter& PrometheusMetrics::counter(std::string_view name, std::string_view help,
                                    const MetricLabels& labels) {
  const std::lock_guard lock(state_->mutex);
  State::Series series{std::string(name), labels};
  if (const auto found = state_->counters.find(series); found != state_->counters.end())
    return *found->second;
  if (state_->full()) {
    state_->refused.Increment();
    return state_->nowhere.counter(name, help, labels);
  }
  auto*& family = state_->counter_families[series.first];
  if (family == nullptr)
    family = &prometheus::BuildCounter()
                  .Name(series.first)
                  .Help(std::string(help))
                  .Register(state_->registry);
  auto made = std::make_unique<PrometheusCounter>(family->Add(labels));
  return *state_->counters.emplace(std::move(series), std::move(made)).first->second;
}

Gauge& PrometheusMetrics::gauge(std::string_view name, std::string_view help,
                                const MetricLabels& labels) {
  const std::lock_guard lock(state_->mutex);
  State::Series series{std::string(name), labels};
  if (const auto found = state_->gauges.find(series); found != state_->gauges.end())
    return *found->second;
  if (state_->full()) {
    state_->refused.Increment();
    return state_->nowhere.gauge(name, help, labels);
  }
  auto*& family = state_->gauge_families[series.first];
  if (family == nullptr)
    family = &prometheus::BuildGauge()
                  .Name(series.first)
                  .Help(std::string(help))
                  .Register(state_->registry);
  auto made = std::make_unique<PrometheusGauge>(family->Add(labels));
  return *state_->gauges.emplace(std::move(series), std::move(made)).first->second;
}

std::string PrometheusMetrics::render() const {
  const prometheus::TextSerializer serializer;
  std::ostringstream out;
  serializer.Serialize(out, state_->registry.Collect());
  return out.str() + process_metrics_text(read_process_facts());
}

}  // namespace kapok::app
