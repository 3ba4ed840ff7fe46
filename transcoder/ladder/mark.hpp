// What the engine knows of a frame and codecs do not carry: it travels beside the frames, found
// again by pts behind a decoder, filter or encoder, which may hold frames back or lose them.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "server/base/clock.hpp"
#include "server/media/time.hpp"

namespace kapok::ladder {

struct Mark {
  media::Ticks pts;
  media::Ticks duration;
  MonoTime arrival;
  bool starts_segment = false;
  std::uint32_t number = 0;  // of the frame in its segment, in output order
  // Of a machine that is too slow: every second picture is left out, and these rungs (bits, by
  // place in the plan).
  bool halved = false;
  std::uint32_t shed = 0;
};

class Marks {
 public:
  // More than any codec holds back: beyond it the oldest are lost frames.
  static constexpr std::size_t kMax = 256;

  void add(const Mark& mark) {
    if (marks_.size() == kMax) marks_.pop_front();
    marks_.push_back(mark);
  }
  // Of the frame that came out with this pts; absent if none went in.
  std::optional<Mark> take(media::Ticks pts) {
    for (auto at = marks_.begin(); at != marks_.end(); ++at) {
      if (at->pts != pts) continue;
      const Mark found = *at;
      marks_.erase(at);
      return found;
    }
    return std::nullopt;
  }
  // Forgets frames that will not come out any more, because a later one did. Returns whether one
  // of them started a segment.
  bool forget_before(media::Ticks pts) {
    bool started = false;
    std::erase_if(marks_, [&](const Mark& mark) {
      const bool lost = mark.pts < pts;
      started = started || (lost && mark.starts_segment);
      return lost;
    });
    return started;
  }
  std::size_t size() const { return marks_.size(); }

 private:
  std::deque<Mark> marks_;
};

}  // namespace kapok::ladder
