// How far a rung is behind the source, as DASH players are told: a number that changes rarely,
// since with it changes the manifest. Rises when three segments in a row came later than was told,
// so one hiccup of a worker does not cost every viewer latency; falls when eight came much earlier.
// Pure.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <span>

#include "server/base/clock.hpp"

namespace kapok::packaging {

class DelayMeter {
 public:
  static constexpr microseconds kStep{250'000};

  // One measure a segment. True: told() is another.
  bool add(microseconds delay) {
    measured_.push_back(std::max(delay, microseconds(0)));
    if (measured_.size() > kFalls) measured_.pop_front();
    const auto newest =
        measured_.end() - static_cast<std::ptrdiff_t>(std::min(kRises, measured_.size()));
    const microseconds steady = *std::min_element(newest, measured_.end());
    const microseconds most = *std::max_element(measured_.begin(), measured_.end());
    const microseconds before = told_;
    if (measured_.size() == 1 || steady > told_)
      told_ = rounded(steady);
    else if (measured_.size() == kFalls && most + 2 * kStep < told_)
      told_ = rounded(most);
    return told_ != before;
  }
  microseconds told() const { return told_; }

 private:
  static constexpr std::size_t kRises = 3;
  static constexpr std::size_t kFalls = 8;
  static microseconds rounded(microseconds delay) {
    return (delay + kStep - microseconds(1)) / kStep * kStep;
  }
  std::deque<microseconds> measured_;
  microseconds told_{0};
};

}  // namespace kapok::packaging
