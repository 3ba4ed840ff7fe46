// Where segments begin: the grid (start, d, base) that all renditions of a channel share, so that
// rungs and sound are cut at the same times under the same numbers. Between two discontinuities
// there is one grid; it is re-anchored (a continuing era) when the encoder's clock has drifted off
// it or its GOPs changed phase. Pure; owned by the packager, read by its segmenters.
#pragma once

#include <cassert>
#include <cstdint>
#include <vector>

#include "server/picture/packaging/window.hpp"

namespace kapok::packaging {

class EraGrid {
 public:
  explicit EraGrid(Era first) { eras_.push_back(first); }

  const Era& current() const { return eras_.back(); }
  const Era& first() const { return eras_.front(); }
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

 private:
  std::vector<Era> eras_;
};

}  // namespace kapok::packaging
