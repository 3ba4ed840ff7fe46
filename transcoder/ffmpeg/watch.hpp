// The detectors (transcoder/detect) on libav's frames: what they find goes to the sink. Each is
// used by one thread.
#pragma once

#include <optional>
#include <vector>

#include "server/media/time.hpp"
#include "transcoder/detect/picture_detector.hpp"
#include "transcoder/detect/silence_detector.hpp"
#include "transcoder/ffmpeg/av.hpp"
#include "transcoder/ladder/engine.hpp"

namespace kapok::ffmpeg {

// nullopt: a format that has no luma of 8 to 16 bits in memory (RGB, frames on a device).
std::optional<detect::Planes> planes_of(const AVFrame& frame);
// The power of the loudest channel; nullopt: a format that is none of libav's decoders' own.
std::optional<double> loudest_of(const AVFrame& frame);

class PictureWatch {
 public:
  PictureWatch(const media::Detection& detection, ladder::RungSink& sink)
      : detector_(detection), sink_(sink) {}
  bool wants(microseconds at) const { return detector_.wants(at); }
  void look(const AVFrame& frame, microseconds at, microseconds duration);
  void end();

 private:
  void tell();

  detect::PictureDetector detector_;
  ladder::RungSink& sink_;
  std::vector<media::AnomalyEvent> found_;
};

class SoundWatch {
 public:
  SoundWatch(const media::Detection& detection, ladder::RungSink& sink)
      : detector_(detection), listens_(detection.silence.count() > 0), sink_(sink) {}
  void hear(const AVFrame& frame, microseconds at);
  void end();

 private:
  void tell();

  detect::SilenceDetector detector_;
  bool listens_;
  ladder::RungSink& sink_;
  std::vector<media::AnomalyEvent> found_;
};

}  // namespace kapok::ffmpeg
