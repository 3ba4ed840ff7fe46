// Which pictures the rungs of a ladder need of one source, and which is scaled from which: a pure
// function. Rungs of the same picture share it; smaller pictures are scaled from larger ones, not
// each from the source, and HDR is tone-mapped once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "server/media/ladder.hpp"
#include "server/media/track.hpp"

namespace kapok::ladder {

enum class Tones : std::uint8_t {
  as_source,  // the source's colours
  bt709,      // mapped to SDR in BT.709
};

struct PlannedPicture {
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  std::uint8_t bit_depth = 8;
  Tones tones = Tones::as_source;
  // Another planned picture, before this one in the list; absent: the decoded frame.
  std::optional<std::size_t> from;
  bool operator==(const PlannedPicture&) const = default;
};

struct PlannedRung {
  media::VideoRung rung;
  std::size_t picture = 0;  // in Plan::pictures
  double cost = 0;          // of encoding, in no unit: only to compare rungs
};

struct Plan {
  std::vector<PlannedPicture> pictures;
  std::vector<PlannedRung> rungs;
  std::vector<media::RungLeftOut> left_out;
};

// Of the rung's frames.
media::Rational rate_of(const media::VideoRung& rung, media::Rational source);

// How the source becomes SDR in BT.709.
Tones sdr_tones(const media::VideoFacts& source);

// Which of a plan's pictures stills of that height are best made of: the smallest SDR one that is
// large enough. Absent: the decoded frame.
std::optional<std::size_t> picture_for_images(const Plan& plan, const media::VideoFacts& source,
                                              std::uint32_t height);

Plan plan_video(const media::Ladder& ladder, const media::VideoFacts& source);

}  // namespace kapok::ladder
