// One video track to pictures. Broken packets are counted, a decoder that fails begins anew at the
// next sync packet; pictures come out in order of pts, each once, on a thread of the pipeline's.
// decode() and flush() are of one thread.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include "server/media/packet.hpp"
#include "transcoder/gstreamer/picture.hpp"
#include "transcoder/gstreamer/pipe.hpp"
#include "transcoder/ladder/engine.hpp"

namespace kapok::gstreamer {

// The caps are those of the picture's frame.
using OnDecoded = std::function<void(Picture, const GstCaps&)>;

// What a decoder is told of a track. Errors: unsupported.
Result<CapsPtr> coded_caps_of(const media::Track& track);

class VideoDecoder {
 public:
  // `text`: decoder_text().
  VideoDecoder(std::shared_ptr<const media::Track> track, std::string text, Counters& counters,
               OnDecoded out);

  // Errors: the pipeline does not come to be.
  Result<void> decode(const media::Packet& packet, ladder::SegmentStart start, const Times& times);
  // Gives everything that is held back. What follows begins at a sync packet.
  void flush();

 private:
  Result<void> open();
  void add_mark(const media::Packet& packet, bool starts_segment);
  void failed();
  void give(GstSample& sample);

  std::shared_ptr<const media::Track> track_;
  std::string text_;
  Counters& counters_;
  OnDecoded out_;
  Times times_;
  bool waits_for_sync_ = true;
  // A mutex: pictures come out on a thread of the pipeline's.
  std::mutex mutex_;
  Marks marks_;
  bool start_lost_ = false;  // a segment's first packet gave no picture: the next one starts it
  std::uint32_t number_ = 0;
  std::unique_ptr<Pipe> pipe_;  // the last member: it ends first
};

}  // namespace kapok::gstreamer
