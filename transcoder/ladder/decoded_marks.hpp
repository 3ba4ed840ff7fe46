// The marks of what goes through a decoder, and where in its segment each picture stands. A segment
// whose first packet gives no picture starts with the next one that comes out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include "transcoder/ladder/mark.hpp"

namespace kapok::ladder {

class DecodedMarks {
 public:
  // Of a packet that goes in.
  void add(const Mark& mark) { marks_.add(mark); }
  // A packet that starts a segment did not go in, or its picture does not go on.
  void lose_start() { start_lost_ = true; }

  // Of the picture that came out with this pts; absent if none went in.
  std::optional<Mark> take(media::Ticks pts) { return marks_.take(pts); }
  // That picture goes on: those before it will not come any more. Returns how many they are.
  std::size_t pass(Mark& mark) {
    const std::size_t waiting = marks_.size();
    forget_before(mark.pts);
    mark.starts_segment = std::exchange(start_lost_, false) || mark.starts_segment;
    number_ = mark.starts_segment ? 0 : number_ + 1;
    mark.number = number_;
    return waiting - marks_.size();
  }
  // The decoder gives nothing of what it holds. Returns how many pictures that are.
  std::size_t forget() {
    const std::size_t waiting = marks_.size();
    forget_before({INT64_MAX});
    return waiting;
  }

 private:
  void forget_before(media::Ticks pts) { start_lost_ = marks_.forget_before(pts) || start_lost_; }

  Marks marks_;
  bool start_lost_ = false;
  std::uint32_t number_ = 0;
};

}  // namespace kapok::ladder
