// Everything behind the decoder for pictures of one kind: the stages of a plan, wired. Pictures of
// another size or colour need another Pipeline. push() and finish() are not called at once, shed()
// comes from any thread. What is shed is said in the marks, so that every stage leaves out the
// same.
#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "transcoder/gstreamer/stage.hpp"
#include "transcoder/gstreamer/toolbox.hpp"
#include "transcoder/ladder/shedding.hpp"

namespace kapok::gstreamer {

class Pipeline {
 public:
  struct Source {
    media::VideoFacts facts;
    std::string format;  // of the decoded frames
    Times times;
  };
  // `counters`: one for each video rung of `ladder`. Rungs that are left out, or that cannot be
  // made, are told by notice.
  Pipeline(const media::Ladder& ladder, Source source, const Toolbox& toolbox, unsigned threads,
           ladder::RungSink& sink, std::span<RungCounters> counters);

  // `room`: whether what was shed may come back, one thing with each segment.
  void push(Picture picture, ladder::Room room);
  void finish();  // nothing follows; returns when all has come out

  // Leaves out the next thing of what costs most and is missed least, with a notice. False: there
  // is nothing left.
  bool shed();

 private:
  void add_planned();
  void add_own_graphs();
  Result<void> check_tones(const media::VideoRung& rung) const;
  VideoEncoderSetup setup_of(const media::VideoRung& rung) const;
  EncodeStage& add(VideoEncoderSetup setup, const ladder::PlannedRung& planned);
  void shed_what_is_due(Picture& picture, ladder::Room room);

  const media::Ladder& ladder_;
  Source source_;
  const Toolbox& toolbox_;
  unsigned threads_;
  ladder::RungSink& sink_;
  std::span<RungCounters> counters_;
  std::vector<std::unique_ptr<EncodeStage>> encoders_;
  std::vector<ladder::PlannedRung> planned_;             // of encoders_
  std::vector<std::unique_ptr<PictureStage>> pictures_;  // larger ones first
  std::vector<PictureStage*> roots_;                     // those made of the decoded frame
  std::vector<EncodeStage*> own_;                        // graphs of an operator's, likewise
  // A mutex: who gives packets sheds while the decoder's thread waits for a slow encoder.
  std::mutex shedding_mutex_;
  ladder::Shedding shedding_{{}, {}};
  bool halved_ = false;
  std::uint32_t shed_ = 0;  // as in Mark
  bool halves_ = false;     // halved_, from a picture on that stays
};

}  // namespace kapok::gstreamer
