// Whether a rung takes part: one that was shed stays away until a segment starts, one that is shed
// again and again for longer. The picture before which it comes back is the first of a closed GOP.
// admits() is of the thread that gives pictures, passes() of the one that encodes them, shed() and
// is_away() of any.
#pragma once

#include <atomic>
#include <cstdint>

#include "transcoder/ladder/counters.hpp"
#include "transcoder/ladder/mark.hpp"

namespace kapok::ladder {

class Attendance {
 public:
  static constexpr std::uint32_t kMaxSegmentsAway = 16;

  explicit Attendance(RungCounters& counters) : counters_(counters) {}

  enum class Answer : std::uint8_t {
    no,  // counted as shed
    yes,
    returned,  // yes, and that ends an absence
  };
  Answer admits(const Mark& mark);
  // Of a picture that was admitted: false, and counted as shed, for one that was on its way while
  // the rung was shed.
  bool passes(const Mark& mark);

  void shed();  // then the caller clears its queue: cleared()
  // The same for a rung whose return somebody else tells, with the next segment start.
  void leave();
  void come_back() { segments_away_ = 0; }
  void cleared(std::size_t pictures) { counters_.shed += pictures; }
  bool is_away() const { return segments_away_ != 0; }

 private:
  RungCounters& counters_;
  std::atomic<bool> skips_to_start_{false};
  std::atomic<std::uint32_t> segments_away_{0};
  std::atomic<std::uint32_t> segments_since_{kMaxSegmentsAway};  // the last return
  std::uint32_t last_away_ = 0;                                  // of who sheds
};

}  // namespace kapok::ladder
