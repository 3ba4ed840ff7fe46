// Encoding by a graph of GStreamer's elements; packets come out on a thread of its pipeline's.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "transcoder/ffmpeg/codecs.hpp"
#include "transcoder/gstreamer/elements.hpp"
#include "transcoder/gstreamer/pipe.hpp"

namespace kapok::gstreamer {

struct VideoEncoderSetup {
  media::VideoRung rung;
  media::TrackId id = 0;
  media::Timescale timescale = 1;
  media::Rational frame_rate;  // of the rung
  std::string text;            // of the encoder: encoder_text(), or an operator's
  CapsPtr pictures;            // of what is encoded
};

// Of a picture in HEVC: what stands before its VPS, the last one if there are several. x265enc of
// GStreamer 1.22 puts a copy of the parameter sets before its first picture, which has its own, and
// between them memory that it has not written: a parser takes that for whatever it happens to be.
std::size_t before_parameter_sets(ByteSpan coded);

class VideoEncoder final : public ffmpeg::PictureEncoder {
 public:
  // Errors: config (the graph cannot be made).
  static Result<std::unique_ptr<VideoEncoder>> open(VideoEncoderSetup setup, ladder::RungSink& sink,
                                                    ffmpeg::RungCounters& counters);
  // An error is what failed since the last call, too.
  Result<void> encode(ffmpeg::Picture picture) override;
  Result<void> finish() override;

 private:
  VideoEncoder(VideoEncoderSetup setup, ladder::RungSink& sink, ffmpeg::RungCounters& counters);
  void take(GstSample& sample);
  Result<void> give(GstSample& sample);
  Result<media::Packet> read(GstSample& sample);
  Result<void> announce(const media::Packet& first, ByteSpan coded);
  Buffer payload_of(ByteSpan coded) const;
  Result<void> failure() const;

  VideoEncoderSetup setup_;
  ladder::RungSink& sink_;
  ffmpeg::RungCounters& counters_;
  std::optional<Times> times_;  // since the first picture; before it nothing comes out
  // A mutex: what is encoded comes out on a thread of the pipeline's.
  mutable std::mutex mutex_;
  ffmpeg::Marks marks_;
  std::optional<Error> error_;
  // Of the thread that it comes out on:
  std::shared_ptr<const media::Track> track_;
  Bytes sei_;                   // of the encoder's header, for each sync packet
  std::unique_ptr<Pipe> pipe_;  // the last member: it ends first
};

}  // namespace kapok::gstreamer
