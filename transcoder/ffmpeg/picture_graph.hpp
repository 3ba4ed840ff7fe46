// One step from a picture to another through libavfilter, in memory, on a device, or from one to
// the other. Used by one thread.
#pragma once

#include <memory>
#include <string>

#include "transcoder/ffmpeg/hw_device.hpp"
#include "transcoder/ffmpeg/mark.hpp"

namespace kapok::ffmpeg {

struct GraphSetup {
  std::string text;                  // graph_text()
  std::shared_ptr<HwDevice> device;  // null: nothing of it is on one
  media::Timescale timescale = 1;
  unsigned threads = 1;
};

class PictureGraph {
 public:
  explicit PictureGraph(GraphSetup setup);
  ~PictureGraph();
  PictureGraph(const PictureGraph&) = delete;
  PictureGraph& operator=(const PictureGraph&) = delete;

  Result<void> put(Picture picture, const OnPicture& out);
  Result<void> finish(const OnPicture& out);

 private:
  Result<void> build(const AVFrame& first);
  Result<void> give(AVFrame* frame);  // null: nothing follows
  Result<FramePtr> next();            // null: nothing more for now
  Result<void> take(const OnPicture& out);
  Error failed(int code) const { return av_error(code, setup_.text); }
  std::unique_lock<std::mutex> lock() const;

  GraphSetup setup_;
  GraphPtr graph_;
  AVFilterContext* source_ = nullptr;  // in graph_
  AVFilterContext* sink_ = nullptr;
  Marks marks_;
};

}  // namespace kapok::ffmpeg
