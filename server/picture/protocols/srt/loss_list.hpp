// What one link has seen missing: runs of sequence numbers between packets that it received. A run
// waits first, in case it is only out of order; then it is reported, and again every interval until
// it is settled, by this link or by another of its group [draft 3.2.5, 4.8.2]. Settled numbers are
// taken out when a report is due, so arrivals cost nothing here and a report costs as much as is
// lost.
#pragma once

#include <deque>
#include <vector>

#include "server/picture/protocols/srt/receive_buffer.hpp"

namespace kapok::srt {

class LossList {
 public:
  explicit LossList(std::uint32_t most_tolerance) : most_tolerance_(most_tolerance) {}

  // Everything between two packets that came one after the other.
  void add(MonoTime now, SequenceRange range);
  // A packet came late and was no retransmission: it was overtaken by `by` packets. Tolerance
  // grows.
  void seen_reordered(std::uint32_t by);
  // A packet came in order; long order lets the tolerance shrink.
  void seen_in_order();
  // The peer will not send these any more.
  void remove(SequenceRange range);

  // What to report now: runs that were overtaken by more than the tolerance as of `newest` (or have
  // waited kMaxWait), and those whose last report is `interval` ago. Marks them reported. Returns
  // how many packets are reported for the first time: these were lost, not only late.
  std::uint32_t take_due(MonoTime now, nanoseconds interval, Sequence newest,
                         const ReceiveBuffer& buffer, std::vector<SequenceRange>& out);
  // Whether take_due() may have something already, after a packet that was not the next one.
  bool overtaken(Sequence newest) const;
  std::optional<MonoTime> next_deadline(nanoseconds interval) const;

  bool empty() const { return waiting_.empty() && reported_.empty(); }
  std::uint32_t tolerance() const { return tolerance_; }

 private:
  struct Run {
    SequenceRange range;
    MonoTime since;  // seen, or last reported
  };
  std::uint32_t most_tolerance_;
  std::uint32_t tolerance_ = 0;
  std::uint32_t in_order_ = 0;
  std::deque<Run> waiting_;
  std::deque<Run> reported_;
};

}  // namespace kapok::srt
