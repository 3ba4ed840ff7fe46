// The filters of one step, as libavfilter's language has them: deinterlacing, scaling, mapping of
// tones, moves between memory and a device. Scaling comes first: mapping 4K costs nine times what
// mapping 720p does.
#pragma once

#include <string>

#include "transcoder/ffmpeg/placement.hpp"

namespace kapok::ffmpeg {

struct StepWork {
  Step step;
  ladder::PlannedPicture to;       // for a move: what it moves
  media::VideoFacts from;          // of the input
  const DeviceRow* row = nullptr;  // null: everything is in memory
};

std::string graph_text(const StepWork& work);

// HDR, and SDR in wide colours, to SDR in BT.709, in memory.
std::string tone_text(const media::VideoFacts& from);

}  // namespace kapok::ffmpeg
