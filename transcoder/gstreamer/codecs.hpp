// GStreamer's elements in the place of libavcodec's decoders and encoders.
#pragma once

#include <set>
#include <string>

#include "transcoder/ffmpeg/codecs.hpp"
#include "transcoder/gstreamer/toolbox.hpp"

namespace kapok::gstreamer {

class Codecs final : public ffmpeg::Codecs {
 public:
  // `broken`: rungs whose own graph cannot be made, which was told. `device`: what it is called.
  Codecs(Toolbox toolbox, std::set<std::string> broken, std::string device)
      : toolbox_(std::move(toolbox)), broken_(std::move(broken)), device_(std::move(device)) {}

  std::string device() const override { return device_; }
  Result<std::unique_ptr<ffmpeg::PictureDecoder>> decoder(std::shared_ptr<const media::Track> track,
                                                          unsigned threads,
                                                          ffmpeg::Counters& counters,
                                                          ffmpeg::OnPicture out) const override;
  Result<std::unique_ptr<ffmpeg::PictureEncoder>> encoder(
      const ffmpeg::VideoRungSetup& setup, const AVFrame& first, const media::VideoFacts& source,
      ladder::RungSink& sink, ffmpeg::RungCounters& counters) const override;
  bool leaves_out(const media::VideoRung& rung) const override {
    return broken_.contains(rung.name);
  }

 private:
  Toolbox toolbox_;
  std::set<std::string> broken_;
  std::string device_;
};

}  // namespace kapok::gstreamer
