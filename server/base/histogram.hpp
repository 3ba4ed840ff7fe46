// A histogram of times as Prometheus has it: of counters, one a bound with the label `le` (seconds,
// cumulative), and `_sum` and `_count`. As cheap as they are, and as safe from any thread.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/clock.hpp"
#include "server/base/metrics.hpp"

namespace kapok {

class DelayHistogram {
 public:
  // From what nobody notices to what nobody waits for.
  static constexpr std::array<milliseconds, 11> kBounds{
      milliseconds(2),    milliseconds(5),    milliseconds(10),  milliseconds(20),
      milliseconds(50),   milliseconds(100),  milliseconds(200), milliseconds(500),
      milliseconds(1000), milliseconds(2000), milliseconds(5000)};

  // `name` without a suffix, in seconds: kapok_<thing>_seconds.
  DelayHistogram(Metrics& metrics, std::string_view name, std::string_view help,
                 const MetricLabels& labels);
  void observe(nanoseconds delay);

 private:
  std::vector<Counter*> buckets_;  // one more than bounds: +Inf
  Counter& sum_;
  Counter& count_;
};

}  // namespace kapok
