// How fast a feed's clock runs against ours, and how late its packets are, read from arrival times
// through network jitter and bursts. One per feed session, fed with one reference track. Pure: a
// sample in, now and then a fit out. Memory is fixed (kMaxBuckets small buckets).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "server/base/clock.hpp"

namespace kapok::channel {

struct DriftFit {
  // d(delay)/d(arrival): negative when the feed's clock is fast. 0 until enough has been seen.
  double slope = 0;
  nanoseconds least_delay{0};  // lower envelope of (arrival - feed time), now
  nanoseconds jitter{0};       // the median packet's delay above that envelope
  std::size_t buckets = 0;
};

class DriftEstimator {
 public:
  // Ten seconds hold several hundred packets: the smallest delay among them is nearly free of
  // jitter.
  static constexpr nanoseconds kBucket = seconds(10);
  // Ten minutes: 100 ppm move the delay by 60 ms in that time, far above what jitter leaves.
  static constexpr std::size_t kMaxBuckets = 60;
  // Below a minute a slope says more about the network than about the clock.
  static constexpr std::size_t kMinBucketsForSlope = 6;
  static constexpr std::size_t kMinSamples = 10;
  // A feed that comes in bursts is placed by their early packets, not by their middle.
  static constexpr nanoseconds kMaxJitter = milliseconds(50);

  // `delay` is arrival minus feed time on any fixed origin. A fit each time a bucket closes.
  std::optional<DriftFit> sample(MonoTime arrival, nanoseconds delay);
  const std::optional<DriftFit>& fit() const { return fit_; }

 private:
  struct Bucket {
    double at_s = 0;  // since the first sample
    double least_ns = 0;
    double median_excess_ns = 0;
  };
  void close_bucket(double at_s);
  DriftFit fit_at(double now_s) const;

  static constexpr std::size_t kReservoir = 64;
  std::optional<MonoTime> first_;
  nanoseconds origin_{0};  // delays are kept relative to the first one: doubles stay exact
  MonoTime bucket_start_;
  std::size_t samples_ = 0;
  std::int64_t least_ = 0;
  double least_at_s_ = 0;
  std::array<std::int64_t, kReservoir> reservoir_{};
  std::deque<Bucket> buckets_;
  std::optional<DriftFit> fit_;
};

}  // namespace kapok::channel
