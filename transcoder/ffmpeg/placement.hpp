// Where each picture of a plan is made, and what is moved between memory and the device so that it
// can be: a pure function. Frames stay where they are as long as what comes next can be done there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "transcoder/ffmpeg/path.hpp"
#include "transcoder/ladder/plan.hpp"

namespace kapok::ffmpeg {

enum class Place : std::uint8_t { memory, device };

// One filter graph with a thread of its own.
struct Step {
  std::optional<std::size_t> from;     // another step before this one; absent: the decoded picture
  std::optional<std::size_t> picture;  // of the plan; absent: it only moves
  Place in = Place::memory;
  Place scales_on = Place::memory;
  Place maps_on = Place::memory;  // if tones are to be mapped
  Place out = Place::memory;
  bool operator==(const Step&) const = default;
  bool touches_device() const {
    return in == Place::device || scales_on == Place::device || out == Place::device;
  }
};

struct PlacedRung {
  std::size_t step = 0;  // that feeds its encoder
  Place encodes_on = Place::memory;
  bool operator==(const PlacedRung&) const = default;
};

struct Placement {
  std::vector<Step> steps;
  std::vector<PlacedRung> rungs;  // as in the plan
};

struct Decoded {
  Place place = Place::memory;
  bool interlaced = false;
  bool full_range = false;
};

Placement place(const ladder::Plan& plan, const Path& path, const Decoded& decoded);

}  // namespace kapok::ffmpeg
