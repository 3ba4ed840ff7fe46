// What stands behind the decoder: a PictureStage makes one planned picture of another, an
// EncodeStage encodes one rung. Both are bounded; pushing is what the stage before them does. A
// stage that fails says so once and lets everything pass by: the other rungs live on.
#pragma once

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "transcoder/gstreamer/video_encoder.hpp"
#include "transcoder/ladder/attendance.hpp"
#include "transcoder/ladder/picture_queue.hpp"
#include "transcoder/ladder/plan.hpp"

namespace kapok::gstreamer {

class EncodeStage {
 public:
  // `place`: in the plan, its bit in Mark::shed.
  EncodeStage(VideoEncoderSetup setup, std::size_t place, ladder::RungSink& sink,
              RungCounters& counters);
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
  const std::string& rung() const { return name_; }

 private:
  bool has_rate_of(const Mark& mark) const;
  void run();
  Result<void> encode(Picture picture);
  void failed(const Error& error);

  const std::string name_;
  const media::RungRate rate_;
  VideoEncoderSetup setup_;  // until there is an encoder
  std::uint32_t bit_;
  ladder::RungSink& sink_;
  RungCounters& counters_;
  ladder::Attendance attendance_;
  // Before the pipeline's own queue, of which nothing can be taken back.
  ladder::PictureQueue<Picture> queue_;
  std::unique_ptr<VideoEncoder> encoder_;  // of run()
  std::atomic<bool> failed_{false};
  std::thread thread_;
};

class PictureStage {
 public:
  struct Setup {
    ladder::PlannedPicture picture;
    media::VideoFacts from;
    CapsPtr in;
    CapsPtr out;
    Times times;
    unsigned threads = 1;
  };
  PictureStage(Setup setup, ladder::RungSink& sink);
  ~PictureStage() { finish(); }
  PictureStage(const PictureStage&) = delete;
  PictureStage& operator=(const PictureStage&) = delete;

  // Both before the first push.
  void feed(PictureStage& smaller) { smaller_.push_back(&smaller); }
  void feed(EncodeStage& encoder) { encoders_.push_back(&encoder); }

  bool wants(const Mark& mark) const;
  void push(Picture picture);
  void finish();  // nothing follows; returns when all has been handed on

 private:
  void check(const Result<void>& done);
  void hand_on(GstSample& sample);

  Times times_;
  ladder::RungSink& sink_;
  std::vector<PictureStage*> smaller_;
  std::vector<EncodeStage*> encoders_;
  bool failed_ = false;
  // A mutex: pictures come out on a thread of the pipeline's.
  std::mutex mutex_;
  Marks marks_;
  std::unique_ptr<Pipe> pipe_;  // the last member: it ends first
};

}  // namespace kapok::gstreamer
