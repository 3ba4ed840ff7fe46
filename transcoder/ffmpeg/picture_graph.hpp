// One step from a picture to a smaller one, through libavfilter: deinterlacing, scaling, mapping of
// tones. Scaling comes first: mapping 4K costs nine times what mapping 720p does. Used by one
// thread.
#pragma once

#include <string>

#include "transcoder/ffmpeg/mark.hpp"
#include "transcoder/ffmpeg/video_decoder.hpp"
#include "transcoder/ladder/plan.hpp"

namespace kapok::ffmpeg {

// The filters for it, as libavfilter's language has them. `from` tells of the input.
std::string graph_text(const ladder::PlannedPicture& to, const media::VideoFacts& from);

class PictureGraph {
 public:
  PictureGraph(const ladder::PlannedPicture& to, const media::VideoFacts& from,
               media::Timescale timescale, unsigned threads);

  Result<void> put(Picture picture, const OnPicture& out);
  Result<void> finish(const OnPicture& out);

 private:
  Result<void> build(const AVFrame& first);
  Result<void> take(const OnPicture& out);

  std::string text_;
  media::Timescale timescale_;
  unsigned threads_;
  GraphPtr graph_;
  AVFilterContext* source_ = nullptr;  // in graph_
  AVFilterContext* sink_ = nullptr;
  Marks marks_;
};

}  // namespace kapok::ffmpeg
