// One rung's video encoder: pictures in, packets in mdat form to the sink. GOPs are closed, begin
// where a mark starts a segment and nowhere else. encode() and finish() are of one thread.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "transcoder/gstreamer/elements.hpp"
#include "transcoder/gstreamer/picture.hpp"
#include "transcoder/gstreamer/pipe.hpp"
#include "transcoder/ladder/engine.hpp"

namespace kapok::gstreamer {

struct VideoEncoderSetup {
  media::VideoRung rung;
  media::TrackId id = 0;
  Times times;
  media::Rational frame_rate;  // of the rung
  std::string text;            // of the encoder: encoder_text(), or an operator's
  CapsPtr pictures;            // of what is encoded
};

class VideoEncoder {
 public:
  static Result<std::unique_ptr<VideoEncoder>> open(VideoEncoderSetup setup, ladder::RungSink& sink,
                                                    RungCounters& counters);
  // An error is what failed since the last call, too.
  Result<void> encode(Picture picture);
  Result<void> finish();

 private:
  VideoEncoder(VideoEncoderSetup setup, ladder::RungSink& sink, RungCounters& counters);
  void take(GstSample& sample);
  Result<void> give(GstSample& sample);
  Result<media::Packet> read(GstSample& sample);
  Result<void> announce(const media::Packet& first, ByteSpan coded);
  Buffer payload_of(ByteSpan coded) const;
  Result<void> failure() const;

  VideoEncoderSetup setup_;
  ladder::RungSink& sink_;
  RungCounters& counters_;
  // A mutex: what is encoded comes out on a thread of the pipeline's.
  mutable std::mutex mutex_;
  Marks marks_;
  std::optional<Error> error_;
  // Of the thread that it comes out on:
  std::shared_ptr<const media::Track> track_;
  Bytes sei_;                   // of the encoder's header, for each sync packet
  std::unique_ptr<Pipe> pipe_;  // the last member: it ends first
};

}  // namespace kapok::gstreamer
