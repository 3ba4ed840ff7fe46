// Where segments begin: the grid (start, d, base) that all renditions of a channel share, so that
// rungs and sound are cut at the same times under the same numbers. Between two discontinuities
// there is one grid; it is re-anchored (a continuing era) when the encoder's clock has drifted off
// it or its GOPs changed phase. It also keeps what the leading rendition made of the newest
// numbers: rungs are behind it and make the same. Pure; owned by the packager, shared by its
// segmenters.
#pragma once

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "server/picture/packaging/window.hpp"

namespace kapok::packaging {

// What the leading rendition made of a number.
struct LedSegment {
  std::uint64_t number = 0;
  Ticks start;
  std::optional<Ticks> end;  // none while it is open
  bool sync = true;          // false: a GOP was so long that it starts without a sync picture
};

class EraGrid {
 public:
  explicit EraGrid(Era first) : base_(first.base) { eras_.push_back(first); }

  const Era& current() const { return eras_.back(); }
  // The first number after the discontinuity.
  std::uint64_t base() const { return base_; }
  // Of the segment with that number; numbers before the first era belong to it.
  const Era& era_of(std::uint64_t number) const {
    for (auto era = eras_.rbegin(); era != eras_.rend(); ++era)
      if (number >= era->base) return *era;
    return eras_.front();
  }
  UtcTime boundary(std::uint64_t number) const {
    const Era& era = era_of(number);
    const auto steps = static_cast<std::int64_t>(number) - static_cast<std::int64_t>(era.base);
    return era.start_utc + era.segment_duration * steps;
  }
  Ticks boundary(std::uint64_t number, Timescale timescale) const {
    return media::from_microseconds(boundary(number).time_since_epoch(), timescale);
  }
  void set_window(microseconds window) { eras_.back().window = window; }
  // From `base` on the grid starts at `start`. Numbers already cut keep what they had.
  const Era& reanchor(std::uint64_t base, UtcTime start) {
    Era next = eras_.back();
    assert(base >= next.base);
    ++next.id;
    next.base = base;
    next.start_utc = start;
    // Moved again before anything was cut by it: the first move never was.
    if (eras_.size() > 1 && eras_.back().base == base) eras_.pop_back();
    eras_.push_back(next);
    // Only numbers near the live edge are ever asked for.
    constexpr std::size_t kKeep = 4;
    if (eras_.size() > kKeep) eras_.erase(eras_.begin());
    return eras_.back();
  }

  void lead(LedSegment begun, Timescale timescale) {
    led_timescale_ = timescale;
    led_.push_back(begun);
    // A rung that is further behind has been given up.
    constexpr std::size_t kKeep = 64;
    if (led_.size() > kKeep) led_.pop_front();
  }
  void lead_ends(Ticks end) {
    if (!led_.empty()) led_.back().end = end;
  }
  std::optional<LedSegment> led(std::uint64_t number, Timescale timescale) const {
    const auto at = std::ranges::find(led_, number, &LedSegment::number);
    if (at == led_.end()) return std::nullopt;
    return in(*at, timescale);
  }
  // The one that begins within `slack` of `time`.
  std::optional<LedSegment> led_at(Ticks time, Ticks slack, Timescale timescale) const {
    for (auto at = led_.rbegin(); at != led_.rend(); ++at) {
      const LedSegment segment = in(*at, timescale);
      if (segment.start <= time + slack)
        return time <= segment.start + slack ? std::optional(segment) : std::nullopt;
    }
    return std::nullopt;
  }

 private:
  LedSegment in(LedSegment segment, Timescale timescale) const {
    segment.start = media::rescale(segment.start, led_timescale_, timescale);
    if (segment.end) segment.end = media::rescale(*segment.end, led_timescale_, timescale);
    return segment;
  }

  std::vector<Era> eras_;
  std::uint64_t base_;
  std::deque<LedSegment> led_;  // newest last
  Timescale led_timescale_ = 1;
};

}  // namespace kapok::packaging
