// RTMP's clock made whole: 32-bit milliseconds that wrap every 49.7 days become 64-bit ones, a jump
// of the source's clock is noticed, and the rounding of audio times to milliseconds is taken back.
#pragma once

#include <cstdint>
#include <optional>

#include "server/base/clock.hpp"
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

// One per track. A jump is a step back, or a step forward that arrival does not explain: after a
// network stall both clocks have moved on, and that is no jump.
class JumpDetector {
 public:
  static constexpr std::int64_t kBackMs = 500;
  static constexpr std::int64_t kAheadMs = 3'000;

  bool jumped(std::int64_t dts_ms, MonoTime arrival) {
    bool jump = false;
    if (last_) {
      const std::int64_t step = dts_ms - last_->dts_ms;
      const std::int64_t waited =
          std::chrono::duration_cast<milliseconds>(arrival - last_->arrival).count();
      jump = step < -kBackMs || (step > kAheadMs && step - waited > kAheadMs);
    }
    last_ = Point{dts_ms, arrival};
    return jump;
  }
  void forget() { last_.reset(); }

 private:
  struct Point {
    std::int64_t dts_ms;
    MonoTime arrival;
  };
  std::optional<Point> last_;
};

// One per audio track, in ticks of its sample rate. Frames follow each other sample by sample as
// long as the sender's times agree within the millisecond they were rounded to. Beyond that, a
// sender that stamps frames when its encoder let them go (jitter of some ms), or whose sample clock
// drifts, is followed slowly; beyond kJitterMs its time is taken as it is: a gap.
class SampleClock {
 public:
  static constexpr std::int64_t kJitterMs = 40;
  static constexpr std::int64_t kSlewing = 32;  // frames to follow what is left

  // `sent` is the message's time; exact: it came with nanoseconds, nothing was rounded.
  enum class Precision : std::uint8_t { milliseconds, exact };
  media::Ticks place(media::Ticks sent, media::Ticks duration, media::Timescale rate,
                     Precision precision) {
    std::int64_t at = sent.count;
    if (next_) {
      const std::int64_t off = sent.count - *next_;
      const std::int64_t distance = off < 0 ? -off : off;
      // Senders truncate or round, so a time is up to one millisecond off either way.
      const std::int64_t slack = precision == Precision::exact ? 1 : rate / 1000 + 1;
      if (distance <= slack)
        at = *next_;
      else if (precision == Precision::milliseconds && distance * 1000 <= kJitterMs * rate)
        at = *next_ + (off < 0 ? off + slack : off - slack) / kSlewing;
    }
    next_.reset();
    if (duration.count > 0) next_ = at + duration.count;
    return {at};
  }
  void forget() { next_.reset(); }

 private:
  std::optional<std::int64_t> next_;
};

}  // namespace kapok::flv
