// Who decodes the source's pictures and who encodes a rung's. libavcodec does both, unless an
// engine brings other Codecs; where these cannot, libavcodec does again.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "server/media/packet.hpp"
#include "transcoder/ffmpeg/hw_device.hpp"
#include "transcoder/ffmpeg/mark.hpp"
#include "transcoder/ladder/engine.hpp"
#include "transcoder/ladder/plan.hpp"

namespace kapok::ffmpeg {

// One video track to pictures. Broken packets are counted, and decoding goes on at the next sync
// packet; pictures go, in order of pts and each once, to the OnPicture that the decoder was made
// with: on the caller's thread or on one of its own, and none between flush() and the next
// decode(). Used by one thread.
class PictureDecoder {
 public:
  virtual ~PictureDecoder() = default;
  virtual void decode(const media::Packet& packet, ladder::SegmentStart start) = 0;
  // Gives everything that is held back. What follows begins at a sync packet.
  virtual void flush() = 0;
  virtual bool is_on_device() const = 0;
  // Set once it gives no more pictures, which is no fault of the bitstream.
  virtual const std::optional<Error>& lost() const = 0;
};

// One rung's video: pictures in, packets in mdat form to the sink. GOPs are closed, begin where a
// mark starts a segment and nowhere else. Used by one thread.
class PictureEncoder {
 public:
  virtual ~PictureEncoder() = default;
  virtual Result<void> encode(Picture picture) = 0;
  virtual Result<void> finish() = 0;
};

struct VideoRungSetup {
  media::VideoRung rung;
  media::TrackId id = 0;
  media::Timescale timescale = 1;
  media::Rational frame_rate;  // of the rung
  unsigned threads = 1;
  std::shared_ptr<HwDevice> device = {};  // that encodes; null: in software
};

// How many threads a decoder of such pictures gets of `threads`.
unsigned decoder_threads(const media::VideoFacts& facts, unsigned threads);

class Codecs {
 public:
  virtual ~Codecs() = default;
  // Where they work: "software", "nvidia software".
  virtual std::string device() const = 0;
  // Errors: unsupported. Then libavcodec decodes.
  virtual Result<std::unique_ptr<PictureDecoder>> decoder(std::shared_ptr<const media::Track> track,
                                                          unsigned threads, Counters& counters,
                                                          OnPicture out) const = 0;
  // Arguments as of VideoEncoder::open(). Errors: unsupported, config. Then libavcodec encodes,
  // unless the rung has a graph of its own (VideoRung::bin), which libavcodec does not know.
  virtual Result<std::unique_ptr<PictureEncoder>> encoder(const VideoRungSetup& setup,
                                                          const AVFrame& first,
                                                          const media::VideoFacts& source,
                                                          ladder::RungSink& sink,
                                                          RungCounters& counters) const = 0;
  // A rung that nobody can make, which was told.
  virtual bool leaves_out(const media::VideoRung& rung) const = 0;
};

}  // namespace kapok::ffmpeg
