#include "tests/support/relay/impairment.hpp"

#include <algorithm>

namespace kapok::support {

// Gilbert's two states: a loss begins with a chance that makes the long-run share right for the
// mean length asked for.
bool Impairment::loses() {
  if (options_.loss <= 0) return false;
  if (options_.burst <= 1) return chance(options_.loss);
  const double ends = 1 / options_.burst;
  const double begins = options_.loss * ends / (1 - std::min(options_.loss, 0.99));
  losing_ = losing_ ? !chance(ends) : chance(begins);
  return losing_;
}

bool Impairment::dark_at(MonoTime now) const {
  if (dark_) return true;
  const nanoseconds since = now - start_;
  return std::ranges::any_of(options_.blackouts, [since](const auto& blackout) {
    return since >= blackout.first && since < blackout.first + blackout.second;
  });
}

nanoseconds Impairment::drawn_delay() {
  const auto spread = static_cast<double>(options_.jitter.count());
  const auto off = static_cast<std::int64_t>((uniform_(random_) * 2 - 1) * spread);
  return std::max(nanoseconds(0), options_.delay + nanoseconds(off));
}

Impairment::Fate Impairment::decide(MonoTime now, std::size_t bytes) {
  ++counts_.received;
  if (dark_at(now)) {
    ++counts_.dark;
    return {};
  }
  if (loses()) {
    ++counts_.lost;
    return {};
  }
  MonoTime enters = now;
  if (options_.bits_per_second > 0) {
    bottleneck_free_ = std::max(bottleneck_free_, now);
    if (bottleneck_free_ - now > options_.queue) {
      ++counts_.overflowed;
      return {};
    }
    bottleneck_free_ += nanoseconds(
        static_cast<std::int64_t>(static_cast<double>(bytes) * 8e9 / options_.bits_per_second));
    enters = bottleneck_free_;
  }
  Fate fate;
  fate.copies = 1;
  if (chance(options_.reorder)) {
    ++counts_.reordered;
    fate.leaves[0] = enters;
  } else {
    last_leaves_ = std::max(last_leaves_, enters + drawn_delay());
    fate.leaves[0] = last_leaves_;
  }
  if (chance(options_.duplicate)) {
    ++counts_.duplicated;
    fate.leaves[fate.copies++] = enters + drawn_delay();
  }
  return fate;
}

}  // namespace kapok::support
