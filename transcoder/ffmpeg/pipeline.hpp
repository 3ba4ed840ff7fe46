// Everything behind the decoder for pictures of one kind: the stages of a plan, wired. Pictures of
// another size or colour need another Pipeline. push() and finish() come from the decoder's thread,
// shed() from any.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "transcoder/ffmpeg/stage.hpp"

namespace kapok::ffmpeg {

class Pipeline {
 public:
  // `counters`: one for each video rung of `ladder`. Left-out rungs are told by notice.
  Pipeline(const media::Ladder& ladder, const media::VideoFacts& source, media::Timescale timescale,
           unsigned threads, ladder::RungSink& sink, std::span<RungCounters> counters);

  void push(Picture picture);
  void finish();  // nothing follows; returns when all has come out

  // Leaves out the costliest rung that is not left out yet, with a notice. False: none is left.
  bool shed();

 private:
  ladder::RungSink& sink_;
  struct NamedEncoder {
    std::string rung;
    std::unique_ptr<EncodeStage> stage;
  };
  std::vector<NamedEncoder> encoders_;
  std::vector<std::unique_ptr<PictureStage>> pictures_;  // larger ones first
  std::vector<PictureStage*> roots_;                     // those made of the decoded frame
};

}  // namespace kapok::ffmpeg
