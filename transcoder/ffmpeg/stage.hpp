// The threads behind the decoder: a PictureStage makes one planned picture of another, an
// EncodeStage encodes one rung. Each has a bounded queue before it; pushing is what the stage
// before it does. A stage that fails says so once, or tells the watch of its device, and lets
// everything pass by: the other rungs live on.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "transcoder/ffmpeg/codecs.hpp"
#include "transcoder/ffmpeg/device_watch.hpp"
#include "transcoder/ffmpeg/drawing.hpp"
#include "transcoder/ffmpeg/image_stage.hpp"
#include "transcoder/ffmpeg/picture_graph.hpp"
#include "transcoder/ladder/attendance.hpp"
#include "transcoder/ladder/picture_queue.hpp"

namespace kapok::ffmpeg {

class EncodeStage {
 public:
  struct Setup {
    VideoRungSetup encoder;
    std::size_t place = 0;  // in the plan, its bit in Mark::shed
    media::VideoFacts source;
    DeviceWatch* watch = nullptr;    // of the device that it encodes on; null in software
    const Codecs* codecs = nullptr;  // whose encoder it is; null: libavcodec's
  };
  EncodeStage(Setup setup, ladder::RungSink& sink, RungCounters& counters);
  ~EncodeStage();  // encodes what is queued
  EncodeStage(const EncodeStage&) = delete;
  EncodeStage& operator=(const EncodeStage&) = delete;

  // Whether push() would have any use for the picture.
  bool wants(const Mark& mark) const;
  void push(Picture picture);
  void finish();  // nothing follows; returns when all has come out

  // Forgets what is queued; the rung goes on at a segment start after resume(). From any thread.
  void shed();
  void resume() { attendance_.come_back(); }
  // A picture that the rung would have, were the machine fast enough.
  void count_if_shed(const Mark& mark);

 private:
  bool has_rate_of(const Mark& mark) const;
  void run();
  Result<void> encode(Picture picture);
  Result<void> open(const AVFrame& first);
  void notice(LogLevel level, std::string_view event, std::string_view text);
  void failed(const Error& error);
  const media::VideoRung& rung() const { return setup_.encoder.rung; }

  Setup setup_;
  std::uint32_t bit_;
  ladder::RungSink& sink_;
  RungCounters& counters_;
  ladder::Attendance attendance_;
  ladder::PictureQueue<Picture> queue_;
  std::unique_ptr<PictureEncoder> encoder_;  // of run()
  bool waits_for_start_ = false;             // likewise: it takes the place of one that failed
  std::atomic<bool> failed_{false};
  std::thread thread_;
};

class PictureStage {
 public:
  // `watch`: of the device that it works on, null in memory.
  PictureStage(GraphSetup graph, ladder::RungSink& sink, DeviceWatch* watch = nullptr);
  ~PictureStage();
  PictureStage(const PictureStage&) = delete;
  PictureStage& operator=(const PictureStage&) = delete;

  // Both before the first push.
  void feed(PictureStage& smaller) { smaller_.push_back(&smaller); }
  void feed(EncodeStage& encoder) { encoders_.push_back(&encoder); }
  void feed(ImageStage& images) { images_ = &images; }
  // Likewise: on each picture before it is handed on.
  void draw(std::unique_ptr<const Drawing> drawing) { drawing_ = std::move(drawing); }

  bool wants(const Mark& mark) const;
  void push(Picture picture) { queue_.push(std::move(picture)); }
  void finish();  // nothing follows; returns when all has been handed on

 private:
  void run();
  Result<void> put(Picture picture);
  void failed(const Error& error);
  void hand_on(Picture picture);

  PictureGraph graph_;
  ladder::RungSink& sink_;
  DeviceWatch* watch_;
  ladder::PictureQueue<Picture> queue_;
  std::vector<PictureStage*> smaller_;
  std::vector<EncodeStage*> encoders_;
  ImageStage* images_ = nullptr;
  std::unique_ptr<const Drawing> drawing_;
  std::thread thread_;
};

}  // namespace kapok::ffmpeg
