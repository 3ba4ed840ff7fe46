// What a sampled picture is, and whether two are the same: pure functions.
#pragma once

#include "transcoder/detect/sampled_picture.hpp"

namespace kapok::detect {

// At least 98 % of it are darker than a twentieth of the range: a station's logo may stay, a night
// scene is brighter somewhere. A blue screen is not black, it is frozen.
bool is_black(const SampledPicture& picture);

// Colour bars as SMPTE (EG 1, RP 219), EBU (75 %, 100 %) and ITU (BT.2111) have them: yellow, cyan,
// green, magenta, red and blue side by side in this order, about equally wide, straight down over
// the band. Lettering over them may hide some of them, not a whole one.
bool is_bars(const SampledPicture& picture);

// Whether `b` is `a` once more, as encoders and film grain leave it: no more than `noise`
// thousandths apart on average, and that evenly. A clock in a corner is enough to make a
// difference.
bool is_same(const SampledPicture& a, const SampledPicture& b, std::uint32_t noise);

}  // namespace kapok::detect
