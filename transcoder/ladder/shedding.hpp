// Which steps an engine takes when its machine is too slow for the whole ladder, and when it takes
// them back: frame rate first, because half of the pictures is what a viewer misses least, then the
// rungs, the costliest first. Steps are taken back in reverse, one at a time, each where a segment
// starts. Pure; not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "transcoder/ladder/plan.hpp"

namespace kapok::ladder {

struct ShedStep {
  std::optional<std::size_t> rung;  // in Plan::rungs; absent: all rungs go to half of the rate
  bool operator==(const ShedStep&) const = default;
};

// Whether the source's packets have ceased to pile up.
enum class Room : std::uint8_t { no, yes };

class Shedding {
 public:
  // What was taken back and had to be taken again soon stays taken for up to so many segments.
  static constexpr std::uint32_t kMaxSegments = 16;

  // Of a source of so many frames a second (0/0: unknown).
  Shedding(const std::vector<PlannedRung>& rungs, media::Rational frame_rate);

  // The machine is late. Absent: there is no step left.
  std::optional<ShedStep> take();
  // A segment starts. The step that is taken back with it, if one is.
  std::optional<ShedStep> segment_starts(Room room);

 private:
  std::vector<ShedStep> steps_;
  std::size_t taken_ = 0;
  std::uint32_t wait_ = 1;  // segments from one step to the next, back
  std::uint32_t left_ = 0;  // of them, still to come
  std::uint32_t since_return_ = kMaxSegments;
  bool returned_ = false;  // since the last take()
};

}  // namespace kapok::ladder
