// Encoding by libavcodec, whose encoders have their own threads below the one that uses it.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "transcoder/ffmpeg/codecs.hpp"
#include "transcoder/ladder/encoder_header.hpp"

namespace kapok::ffmpeg {

class VideoEncoder final : public PictureEncoder {
 public:
  // `first`: the picture that tells size, format and colour; `source`: mastering display and light,
  // kept where the picture is still HDR.
  static Result<std::unique_ptr<VideoEncoder>> open(VideoRungSetup setup, const AVFrame& first,
                                                    const media::VideoFacts& source,
                                                    ladder::RungSink& sink, RungCounters& counters);

  Result<void> encode(Picture picture) override;
  Result<void> finish() override;

 private:
  VideoEncoder(VideoRungSetup setup, ContextPtr context, ladder::RungSink& sink,
               RungCounters& counters);
  Result<void> receive();
  Result<void> give(PacketPtr packet);
  Buffer payload_of(PacketPtr packet) const;
  bool writes_start_codes() const;
  Result<ladder::EncoderHeader> read_headers() const;

  VideoRungSetup setup_;
  ContextPtr context_;
  ladder::RungSink& sink_;
  RungCounters& counters_;
  Marks marks_;
  // Encoders count from 0: ticks since 1970 leave them too few bits for their own arithmetic.
  std::optional<media::Ticks> base_;
  std::optional<media::VideoFacts> light_;  // of the source where the rung is HDR
  Bytes sei_;
  bool announced_ = false;
};

}  // namespace kapok::ffmpeg
