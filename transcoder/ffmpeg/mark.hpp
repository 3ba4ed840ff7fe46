// A frame with what the engine knows of it.
#pragma once

#include <functional>

#include "transcoder/ffmpeg/av.hpp"
#include "transcoder/ladder/counters.hpp"
#include "transcoder/ladder/mark.hpp"

namespace kapok::ffmpeg {

using ladder::Counters;
using ladder::Mark;
using ladder::Marks;
using ladder::RungCounters;

struct Picture {
  FramePtr frame;  // its pts is the mark's
  Mark mark;
};
inline std::size_t bytes_of(const Picture& picture) {
  return bytes_of(*picture.frame);
}
using OnPicture = std::function<void(Picture)>;

}  // namespace kapok::ffmpeg
