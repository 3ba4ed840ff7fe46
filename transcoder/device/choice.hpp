// From the wish of a ladder ("auto", "nvidia", "nvidia:1") to the paths that its engine takes, the
// best first. What decides is what a device does of the ladder's work, then how many channels it
// has already: the server tells each worker at its start what the others use.
#pragma once

#include <map>
#include <vector>

#include "server/media/ladder.hpp"
#include "transcoder/device/probe.hpp"

namespace kapok::device {

struct Load {
  std::map<media::DeviceId, unsigned> busy;  // workers on each
  unsigned starting = 0;                     // workers that choose just now, before this one
  bool operator==(const Load&) const = default;
};
// "nvidia:0=3,nvidia:1=2,starting=1", as the server writes it. Errors: config.
Result<Load> parse_load(std::string_view text);

// How much of the ladder's work it takes off the processor; 0: nothing.
unsigned worth_of(const ffmpeg::Abilities& can, const media::Ladder& ladder);

// Devices of one kind in the order in which this worker shall try them: each of those that choose
// before it is taken to have the one with the fewest workers. A processor that acts as a GPU is
// last.
std::vector<Found> by_load(std::vector<Found> devices, Load load);

// One that works, its replacement if there is one; software is not named. Empty: software it is.
// Errors: config (no such word; or why the wish cannot be had here).
Result<std::vector<ffmpeg::Path>> choose(const media::Ladder& ladder, const Load& load,
                                         const Samples& samples);

}  // namespace kapok::device
