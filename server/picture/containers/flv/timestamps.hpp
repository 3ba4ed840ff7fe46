// RTMP's clock made whole: 32-bit milliseconds that wrap every 49.7 days become 64-bit ones.
#pragma once

#include <cstdint>
#include <optional>

#include "server/media/source_times.hpp"
#include "server/media/time.hpp"

namespace kapok::flv {

// Video ticks a second. A millisecond is 360 of them, and one frame is a whole number at 23.976,
// 24, 25, 29.97, 30, 50, 59.94, 60, 100, 119.88 and 120 frames/s, so nanosecond offsets rounded to
// it give exact frame times. Ticks since 1970 stay below 2^53, where browsers' numbers end (a
// timescale of 10^9 would not).
constexpr media::Timescale kVideoTimescale = 360'000;

// One per track. [RTMP 1.0, 4] times are modulo 2^32 and to be compared by their difference.
class Unwrapper {
 public:
  // `reference`: another track's present time, so that all tracks start in the same wrap.
  std::int64_t unwrap(std::uint32_t timestamp, std::optional<std::int64_t> reference) {
    const std::int64_t base = last_ ? *last_ : reference.value_or(timestamp);
    const auto step = static_cast<std::int32_t>(timestamp - static_cast<std::uint32_t>(base));
    last_ = base + step;
    return *last_;
  }
  std::optional<std::int64_t> last() const { return last_; }

 private:
  std::optional<std::int64_t> last_;
};

using media::JumpDetector;
using media::SampleClock;

}  // namespace kapok::flv
