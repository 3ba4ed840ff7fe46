// The still pictures of one pipeline: of each frame that starts a segment a thumbnail, and a poster
// when one is due. A thread of its own. With a live source it never holds back who pushes: while it
// is late, segments go without. A failure is told once and costs stills only.
#pragma once

#include <optional>
#include <thread>

#include "server/media/ladder.hpp"
#include "transcoder/ffmpeg/image_maker.hpp"
#include "transcoder/ladder/engine.hpp"
#include "transcoder/ladder/picture_queue.hpp"

namespace kapok::ffmpeg {

class ImageStage {
 public:
  // `from` tells of the frames that are pushed.
  ImageStage(const media::Ladder& ladder, const media::VideoFacts& from, media::Timescale timescale,
             ladder::Pace pace, ladder::RungSink& sink);
  ~ImageStage();
  ImageStage(const ImageStage&) = delete;
  ImageStage& operator=(const ImageStage&) = delete;

  static bool wants(const Mark& mark) { return mark.starts_segment; }
  void push(Picture picture);
  void finish();  // nothing follows; returns when all has come out

 private:
  void run();
  Result<void> make(const Picture& given);

  const ladder::Pace pace_;
  const std::chrono::nanoseconds poster_interval_;
  const media::Timescale timescale_;
  ladder::RungSink& sink_;
  std::optional<ImageMaker> poster_;
  std::optional<ImageMaker> thumbnail_;
  std::optional<std::chrono::nanoseconds> poster_due_;  // media time
  ladder::PictureQueue<Picture> queue_;
  std::thread thread_;
};

}  // namespace kapok::ffmpeg
