// What ingest does with a source's times, whatever the protocol: a jump of its clock is noticed,
// and the rounding of audio times is taken back.
#pragma once

#include <cstdint>
#include <optional>

#include "server/base/clock.hpp"
#include "server/media/time.hpp"

namespace kapok::media {

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
// long as the sender's times agree within what they were rounded to. Beyond that, a sender that
// stamps frames when its encoder let them go (jitter of some ms), or whose sample clock drifts, is
// followed slowly; beyond kJitterMs its time is taken as it is: a gap.
class SampleClock {
 public:
  static constexpr std::int64_t kJitterMs = 40;
  static constexpr std::int64_t kSlewing = 32;  // frames to follow what is left

  // What the sender rounded its times to; exact: to samples or finer.
  enum class Precision : std::uint8_t { milliseconds, ninety_khz, exact };
  Ticks place(Ticks sent, Ticks duration, Timescale rate, Precision precision) {
    std::int64_t at = sent.count;
    if (next_) {
      const std::int64_t off = sent.count - *next_;
      const std::int64_t distance = off < 0 ? -off : off;
      const std::int64_t slack = slack_of(precision, rate);
      if (distance <= slack)
        at = *next_;
      else if (precision != Precision::exact && distance * 1000 <= kJitterMs * rate)
        at = *next_ + (off < 0 ? off + slack : off - slack) / kSlewing;
    }
    next_.reset();
    if (duration.count > 0) next_ = at + duration.count;
    return {at};
  }
  // Of a frame that came without a time; nullopt: nothing to follow on.
  std::optional<Ticks> follow(Ticks duration) {
    if (!next_) return std::nullopt;
    const Ticks at{*next_};
    *next_ += duration.count;
    return at;
  }
  void forget() { next_.reset(); }

 private:
  // Senders truncate or round, so a time is up to one unit off either way.
  static std::int64_t slack_of(Precision precision, Timescale rate) {
    switch (precision) {
      case Precision::milliseconds:
        return rate / 1000 + 1;
      case Precision::ninety_khz:
        return rate / 90'000 + 2;
      case Precision::exact:
        break;
    }
    return 1;
  }

  std::optional<std::int64_t> next_;
};

}  // namespace kapok::media
