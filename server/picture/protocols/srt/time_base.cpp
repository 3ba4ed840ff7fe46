#include "server/picture/protocols/srt/time_base.hpp"

#include <algorithm>

namespace kapok::srt {

namespace {
// Deviations are averaged over about kAverage and worked off over kCorrection: slow enough that
// jitter and queues do not shake the base, fast enough that 100 ppm leave an error of 2 ms.
constexpr nanoseconds kAverage = seconds(4);
constexpr nanoseconds kCorrection = seconds(16);
// The latency agreed on is at most 10 s; sources do not send the future.
constexpr nanoseconds kMaxAhead = seconds(10);
// What a single sample may weigh.
constexpr nanoseconds kMaxDeviation = seconds(1);
}  // namespace

nanoseconds TimeBase::deviation(std::uint32_t timestamp, MonoTime now) const {
  const auto elapsed = std::chrono::duration_cast<microseconds>(now - base_).count();
  return microseconds(static_cast<std::int32_t>(static_cast<std::uint32_t>(elapsed) - timestamp));
}

MonoTime TimeBase::moment_of(std::uint32_t timestamp, MonoTime now) const {
  const nanoseconds late = deviation(timestamp, now);
  return late < -kMaxAhead ? now : now - late;
}

void TimeBase::add_sample(std::uint32_t timestamp, MonoTime now, nanoseconds reference) {
  const nanoseconds late =
      std::clamp(deviation(timestamp, now) - reference, -kMaxDeviation, kMaxDeviation);
  if (!started_) {
    started_ = true;
    sampled_at_ = now;
    average_ = late;
    return;
  }
  // A silent stretch counts as one second: it must not earn a leap afterwards.
  const nanoseconds passed = std::clamp<nanoseconds>(now - sampled_at_, nanoseconds(0), seconds(1));
  sampled_at_ = now;
  average_ += (late - average_) * passed.count() / (kAverage.count() + passed.count());
  const nanoseconds most = passed * kMaxSlewPpm / 1'000'000;
  const nanoseconds step =
      std::clamp<nanoseconds>(average_ * passed.count() / kCorrection.count(), -most, most);
  base_ += step;
  average_ -= step;
}

}  // namespace kapok::srt
