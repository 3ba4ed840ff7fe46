// The peer's clock as seen from here: which moment of ours a packet's 32-bit timestamp of
// microseconds stands for [draft 4.5.1]. The timestamp wraps every 71.6 minutes; the wrap is chosen
// that lies nearest to what is expected now, so no state can be led astray. The peer's clock runs
// at another speed: what control packets say is averaged and the base follows at most kMaxSlew,
// never by a step (libsrt moves it by 5 ms at a time [draft 4.7]). One per connection, one for all
// links of a group.
#pragma once

#include <cstdint>

#include "server/base/clock.hpp"

namespace kapok::srt {

class TimeBase {
 public:
  // 2 ms a second: twenty times what the worst quartz does, and it leaves an unlucky first guess (a
  // handshake that waited 100 ms) within a minute.
  static constexpr std::int64_t kMaxSlewPpm = 2'000;

  explicit TimeBase(MonoTime peer_start) : base_(peer_start), first_base_(peer_start) {}

  // A timestamp more than kMaxAhead in the future is taken for a broken clock: it stands for now.
  MonoTime moment_of(std::uint32_t timestamp, MonoTime now) const;

  // By how much a packet of ours that was timestamped just before it was sent came later (or
  // earlier) than the base says. `reference` is what is normal for that link: 0 for the link that
  // set the base.
  void add_sample(std::uint32_t timestamp, MonoTime now, nanoseconds reference);
  nanoseconds deviation(std::uint32_t timestamp, MonoTime now) const;

  // Of the peer's clock, since the beginning.
  microseconds drift() const {
    return std::chrono::duration_cast<microseconds>(base_ - first_base_);
  }

 private:
  MonoTime base_;
  MonoTime first_base_;
  bool started_ = false;
  MonoTime sampled_at_;
  nanoseconds average_{0};  // smoothed deviation
};

}  // namespace kapok::srt
