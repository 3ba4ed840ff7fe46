// The estimates that SRT exchanges and shows: round-trip time, rates over the last second, and the
// capacity of the path from packets sent back to back.
#pragma once

#include <array>
#include <cstdint>

#include "server/base/clock.hpp"

namespace kapok::srt {

// [draft 4.10] Smoothed as TCP does it.
class RoundTrip {
 public:
  void add(microseconds sample);
  // A peer's estimate in place of our own samples: a pure sender gets no others.
  void adopt(microseconds rtt, microseconds variance);

  bool known() const { return known_; }
  microseconds rtt() const { return rtt_; }
  microseconds variance() const { return variance_; }

 private:
  bool known_ = false;
  microseconds rtt_{100'000};
  microseconds variance_{50'000};
};

// Packets and bytes per second: of the last whole second, or of the time since the beginning.
class RateMeter {
 public:
  explicit RateMeter(MonoTime start) : window_start_(start) {}

  void add(MonoTime now, std::size_t bytes);
  double packets_per_second(MonoTime now) const;
  double bytes_per_second(MonoTime now) const;

 private:
  static constexpr nanoseconds kWindow = seconds(1);
  void roll(MonoTime now);
  double per_second(MonoTime now, std::uint64_t running, std::uint64_t last) const;

  MonoTime window_start_;
  bool has_last_ = false;
  std::uint64_t packets_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t last_packets_ = 0;
  std::uint64_t last_bytes_ = 0;
};

// [draft 4.11; libsrt srtcore/window.h] Packet n with n % 16 == 0 and its successor leave back to
// back; the time between their arrivals is what the narrowest link needs for one. The median of the
// last samples counts. Packets read in one batch with one time say nothing and are left out.
class CapacityMeter {
 public:
  static constexpr std::uint32_t kPairEvery = 16;

  void add(std::uint32_t sequence, MonoTime now, std::size_t bytes);
  double packets_per_second() const;  // 0: not known yet

 private:
  static constexpr std::size_t kSamples = 32;
  std::array<nanoseconds, kSamples> samples_{};
  std::size_t count_ = 0;
  std::uint32_t first_of_pair_ = 1;  // no such pair begins with 1
  MonoTime first_at_;
  std::size_t first_bytes_ = 0;
};

}  // namespace kapok::srt
