// Everything behind the decoder for pictures of one kind: the stages of a plan, wired. Pictures of
// another size or colour need another Pipeline. push() and finish() come from the decoder's thread,
// shed() from any. What is shed is said in the marks, so that every stage leaves out the same.
#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "transcoder/ffmpeg/placement.hpp"
#include "transcoder/ffmpeg/stage.hpp"
#include "transcoder/ladder/shedding.hpp"

namespace kapok::ffmpeg {

struct PipelineSetup {
  media::VideoFacts source;
  Place decoded = Place::memory;
  media::Timescale timescale = 1;
  unsigned threads = 1;
  const Path* path = nullptr;
  DeviceWatch* watch = nullptr;    // of the path's device; outlives the pipeline
  const Codecs* codecs = nullptr;  // that encode; null: libavcodec
  ladder::Pace pace = ladder::Pace::live;
};

class Pipeline {
 public:
  // `counters`: one for each video rung of `ladder`. Left-out rungs are told by notice.
  Pipeline(const media::Ladder& ladder, const PipelineSetup& setup, ladder::RungSink& sink,
           std::span<RungCounters> counters);

  // `room`: whether what was shed may come back, one thing with each segment.
  void push(Picture picture, ladder::Room room);
  void finish();  // nothing follows; returns when all has come out

  // Leaves out the next thing of what costs most and is missed least, with a notice. False: there
  // is nothing left.
  bool shed();

 private:
  void add_steps(const media::Ladder& ladder, const ladder::Plan& plan, const Placement& placement,
                 const PipelineSetup& setup);
  EncodeStage& add_encoder(const media::Ladder& ladder, const ladder::PlannedRung& planned,
                           Place place, const PipelineSetup& setup,
                           std::span<RungCounters> counters);
  void shed_what_is_due(Picture& picture, ladder::Room room);
  void add_images(const media::Ladder& ladder, const ladder::Plan& plan, const Placement& placement,
                  const PipelineSetup& setup);
  void add_drawing(const media::Ladder& ladder, const ladder::PlannedPicture& picture,
                   const media::VideoFacts& from, media::Timescale timescale);

  ladder::RungSink& sink_;
  struct NamedEncoder {
    std::string rung;
    std::unique_ptr<EncodeStage> stage;
  };
  std::vector<NamedEncoder> encoders_;
  std::vector<std::unique_ptr<PictureStage>> pictures_;  // as they are placed: larger ones first
  std::vector<PictureStage*> roots_;                     // those made of the decoded frame
  std::vector<EncodeStage*> own_;                        // graphs of an operator's, likewise
  // A mutex: who gives packets sheds while the decoder's thread waits for a slow encoder.
  std::mutex shedding_mutex_;
  ladder::Shedding shedding_{{}, {}};
  bool halved_ = false;
  std::uint32_t shed_ = 0;              // as in Mark
  bool halves_ = false;                 // halved_, from a picture on that stays
  std::unique_ptr<ImageStage> images_;  // null: none are wanted
  bool images_of_source_ = false;       // made of the decoded frame
};

}  // namespace kapok::ffmpeg
