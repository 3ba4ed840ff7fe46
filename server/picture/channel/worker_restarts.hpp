// When a worker that ended is started again. The first time at once; one that ends again and again
// soon after its start is in a crash loop and waits longer each time. Pure.
#pragma once

#include <algorithm>

#include "server/base/clock.hpp"

namespace kapok::channel {

class WorkerRestarts {
 public:
  // Long enough that the next segment's first picture has been through it.
  static constexpr nanoseconds kSettled = seconds(5);
  static constexpr nanoseconds kAtOnce = milliseconds(50);
  static constexpr nanoseconds kFirstWait = seconds(1);
  static constexpr nanoseconds kLongestWait = seconds(30);

  // It ended without being told to, `lived` after its start. Returns how long to wait.
  nanoseconds ended(nanoseconds lived) {
    early_ends_ = lived >= kSettled ? 0 : early_ends_ + 1;
    if (early_ends_ <= 1) return kAtOnce;
    // 1, 2, 4, 8, 16, 30 s.
    const unsigned doublings = std::min(early_ends_ - 2, 5U);
    return std::min(kFirstWait * (1 << doublings), kLongestWait);
  }
  bool loops() const { return early_ends_ >= 2; }
  // It has run for kSettled, or something else is asked of it.
  void settled() { early_ends_ = 0; }

 private:
  unsigned early_ends_ = 0;
};

}  // namespace kapok::channel
