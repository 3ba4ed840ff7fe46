#include "server/picture/protocols/srt/measures.hpp"

#include <algorithm>

namespace kapok::srt {

namespace {
// Beyond this nothing would work anyway: a broken or forged sample.
constexpr microseconds kMaxRtt = seconds(10);
}  // namespace

void RoundTrip::add(microseconds sample) {
  sample = std::clamp(sample, microseconds(1), kMaxRtt);
  if (!known_) {
    known_ = true;
    rtt_ = sample;
    variance_ = sample / 2;
    return;
  }
  variance_ = (variance_ * 3 + std::chrono::abs(rtt_ - sample)) / 4;
  rtt_ = (rtt_ * 7 + sample) / 8;
}

void RoundTrip::adopt(microseconds rtt, microseconds variance) {
  if (rtt < microseconds(1) || rtt > kMaxRtt || variance > kMaxRtt) return;
  rtt_ = rtt;
  variance_ = variance;
}

void RateMeter::roll(MonoTime now) {
  if (now - window_start_ < kWindow) return;
  const bool fresh = now - window_start_ < 2 * kWindow;
  last_packets_ = fresh ? packets_ : 0;
  last_bytes_ = fresh ? bytes_ : 0;
  has_last_ = true;
  packets_ = bytes_ = 0;
  window_start_ = fresh ? window_start_ + kWindow : now;
}

void RateMeter::add(MonoTime now, std::size_t bytes) {
  roll(now);
  ++packets_;
  bytes_ += bytes;
}

double RateMeter::per_second(MonoTime now, std::uint64_t running, std::uint64_t last) const {
  const nanoseconds elapsed = now - window_start_;
  if (elapsed >= 2 * kWindow) return 0;
  if (elapsed >= kWindow) return static_cast<double>(running);
  if (has_last_) return static_cast<double>(last);
  // Too little to divide by in the first moments.
  const double part = std::max(0.1, std::chrono::duration<double>(elapsed).count());
  return static_cast<double>(running) / part;
}
double RateMeter::packets_per_second(MonoTime now) const {
  return per_second(now, packets_, last_packets_);
}
double RateMeter::bytes_per_second(MonoTime now) const {
  return per_second(now, bytes_, last_bytes_);
}

void CapacityMeter::add(std::uint32_t sequence, MonoTime now, std::size_t bytes) {
  if (sequence % kPairEvery == 0) {
    first_of_pair_ = sequence;
    first_at_ = now;
    first_bytes_ = bytes;
    return;
  }
  // Of unequal size they say less; live streams have one size.
  if (sequence != first_of_pair_ + 1 || bytes != first_bytes_) return;
  first_of_pair_ = 1;
  if (now > first_at_) samples_[count_++ % kSamples] = now - first_at_;
}

double CapacityMeter::packets_per_second() const {
  const std::size_t count = std::min(count_, kSamples);
  if (count < kSamples / 4) return 0;
  std::array<nanoseconds, kSamples> sorted = samples_;
  const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(count / 2);
  std::nth_element(sorted.begin(), middle, sorted.begin() + static_cast<std::ptrdiff_t>(count));
  return 1e9 / static_cast<double>(middle->count());
}

}  // namespace kapok::srt
