#include "server/base/histogram.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace kapok {

namespace {

double in_seconds(nanoseconds time) {
  return std::chrono::duration<double>(time).count();
}

}  // namespace

DelayHistogram::DelayHistogram(Metrics& metrics, std::string_view name, std::string_view help,
                               const MetricLabels& labels)
    : sum_(metrics.counter(fmt::format("{}_sum", name), help, labels)),
      count_(metrics.counter(fmt::format("{}_count", name), help, labels)) {
  const auto add = [&](std::string bound) {
    MetricLabels with_bound = labels;
    with_bound["le"] = std::move(bound);
    buckets_.push_back(&metrics.counter(fmt::format("{}_bucket", name), help, with_bound));
  };
  for (const milliseconds bound : kBounds) add(fmt::format("{}", in_seconds(bound)));
  add("+Inf");
}

void DelayHistogram::observe(nanoseconds delay) {
  for (std::size_t i = 0; i < kBounds.size(); ++i)
    if (delay <= kBounds[i]) buckets_[i]->increment();
  buckets_.back()->increment();
  sum_.add(in_seconds(std::max(delay, nanoseconds(0))));
  count_.increment();
}

}  // namespace kapok
