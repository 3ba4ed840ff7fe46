// Slows down guessing: counts failed attempts by address. From the fifth failure within a minute on
// an address is asked to wait, from the twentieth it is refused for ten minutes. IPv6 addresses
// should come as their /64. Single-threaded: one per shard or listener; the table is bounded, the
// oldest entries go first.
#pragma once

#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

#include "server/base/clock.hpp"

namespace kapok::access {

struct FailureLimits {
  std::uint32_t delay_from = 5;  // failures within `window`
  std::uint32_t refuse_from = 20;
  seconds window{60};
  seconds refused_for{600};
  milliseconds delay{2'000};
  std::size_t max_addresses = 65'536;  // about 10 MB; an attacker with more evicts his own first
};

enum class Admission : std::uint8_t { go_on, delay, refuse };

class FailureLimit {
 public:
  explicit FailureLimit(FailureLimits limits = {}) : limits_(limits) {}

  // Before an attempt. `delay`: answer only after limits().delay.
  Admission check(std::string_view address, MonoTime now) const;
  void record_failure(std::string_view address, MonoTime now);
  void record_success(std::string_view address);
  const FailureLimits& limits() const { return limits_; }
  std::size_t size() const { return by_age_.size(); }

 private:
  struct Entry {
    std::string address;
    std::uint32_t failures = 0;
    MonoTime window_start;
    MonoTime refused_until;
  };
  FailureLimits limits_;
  std::list<Entry> by_age_;  // oldest failure first
  std::unordered_map<std::string, std::list<Entry>::iterator> by_address_;
};

}  // namespace kapok::access
