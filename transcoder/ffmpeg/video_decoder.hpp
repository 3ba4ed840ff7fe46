// One video track to pictures. Broken packets are counted, and decoding goes on at the next sync
// packet; pictures come out in order of pts, each once. Used by one thread (libavcodec has its own
// below it).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "server/media/packet.hpp"
#include "transcoder/ffmpeg/mark.hpp"
#include "transcoder/ladder/engine.hpp"

namespace kapok::ffmpeg {

using OnPicture = std::function<void(Picture)>;

class VideoDecoder {
 public:
  // Whether open() can succeed. Errors: unsupported (no decoder), limit (too large a picture).
  static Result<void> check(const media::Track& track);
  static Result<std::unique_ptr<VideoDecoder>> open(const media::Track& track, unsigned threads,
                                                    Counters& counters);

  void decode(const media::Packet& packet, ladder::SegmentStart start, const OnPicture& out);
  // Gives everything that is held back. What follows begins at a sync packet.
  void flush(const OnPicture& out);

 private:
  VideoDecoder(const media::Track& track, ContextPtr context, Counters& counters);
  void receive(const OnPicture& out);
  void give(FramePtr frame, const OnPicture& out);

  media::VideoFacts facts_;
  ContextPtr context_;
  Counters& counters_;
  Marks marks_;
  bool waits_for_sync_ = true;
  bool broken_ = false;      // receive() met an error
  bool start_lost_ = false;  // a segment's first packet gave no picture: the next one starts it
  std::uint32_t number_ = 0;
};

}  // namespace kapok::ffmpeg
