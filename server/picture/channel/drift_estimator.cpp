#include "server/picture/channel/drift_estimator.hpp"

#include <algorithm>

namespace kapok::channel {
namespace {

double seconds_between(MonoTime from, MonoTime to) {
  return std::chrono::duration<double>(to - from).count();
}

double median(std::vector<double>& values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

std::optional<DriftFit> DriftEstimator::sample(MonoTime arrival, nanoseconds delay) {
  if (!first_) {
    first_ = arrival;
    origin_ = delay;
    bucket_start_ = arrival;
  }
  std::optional<DriftFit> closed;
  if (arrival - bucket_start_ >= kBucket) {
    if (samples_ >= kMinSamples) {
      close_bucket(seconds_between(*first_, arrival));
      closed = fit_;
    }
    bucket_start_ = arrival;
    samples_ = 0;
  }
  const std::int64_t relative = (delay - origin_).count();
  if (samples_ == 0 || relative < least_) {
    least_ = relative;
    least_at_s_ = seconds_between(*first_, arrival);
  }
  // Every 16th packet after the first 64: a spread over the bucket, without a random number.
  if (samples_ < kReservoir)
    reservoir_[samples_] = relative;
  else if (samples_ % 16 == 0)
    reservoir_[(samples_ / 16) % kReservoir] = relative;
  ++samples_;
  return closed;
}

void DriftEstimator::close_bucket(double at_s) {
  const std::size_t kept = std::min(samples_, kReservoir);
  const auto middle = reservoir_.begin() + static_cast<std::ptrdiff_t>(kept / 2);
  std::nth_element(reservoir_.begin(), middle,
                   reservoir_.begin() + static_cast<std::ptrdiff_t>(kept));
  buckets_.push_back(
      {least_at_s_, static_cast<double>(least_), static_cast<double>(*middle - least_)});
  if (buckets_.size() > kMaxBuckets) buckets_.pop_front();
  fit_ = fit_at(at_s);
}

// Theil-Sen: the median of all pairwise slopes. A bucket spoilt by a stall of the whole ten seconds
// (or several of them) does not move it, where least squares would swing by hundreds of ppm.
DriftFit DriftEstimator::fit_at(double now_s) const {
  DriftFit fit;
  fit.buckets = buckets_.size();
  double slope = 0;  // ns per second = 1e-9
  if (buckets_.size() >= kMinBucketsForSlope) {
    std::vector<double> slopes;
    slopes.reserve(buckets_.size() * (buckets_.size() - 1) / 2);
    for (std::size_t i = 0; i < buckets_.size(); ++i)
      for (std::size_t j = i + 1; j < buckets_.size(); ++j) {
        const double span = buckets_[j].at_s - buckets_[i].at_s;
        if (span > 1) slopes.push_back((buckets_[j].least_ns - buckets_[i].least_ns) / span);
      }
    if (!slopes.empty()) slope = median(slopes);
  }
  // The level from the last two minutes: a path that became longer is followed within them.
  constexpr std::size_t kLevelBuckets = 12;
  const std::size_t from = buckets_.size() > kLevelBuckets ? buckets_.size() - kLevelBuckets : 0;
  std::vector<double> levels;
  std::vector<double> excesses;
  for (std::size_t i = from; i < buckets_.size(); ++i) {
    levels.push_back(buckets_[i].least_ns + slope * (now_s - buckets_[i].at_s));
    excesses.push_back(buckets_[i].median_excess_ns);
  }
  fit.slope = slope * 1e-9;
  fit.least_delay = origin_ + nanoseconds(static_cast<std::int64_t>(median(levels)));
  fit.jitter =
      std::min(kMaxJitter, nanoseconds(static_cast<std::int64_t>(std::max(0.0, median(excesses)))));
  return fit;
}

}  // namespace kapok::channel
