// One video track to pictures. Broken packets are counted, and decoding goes on at the next sync
// packet; pictures come out in order of pts, each once. Used by one thread (libavcodec has its own
// below it).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "server/media/packet.hpp"
#include "transcoder/ffmpeg/hw_device.hpp"
#include "transcoder/ffmpeg/mark.hpp"
#include "transcoder/ladder/engine.hpp"

namespace kapok::ffmpeg {

using OnPicture = std::function<void(Picture)>;

class VideoDecoder {
 public:
  // Whether open() can succeed. Errors: unsupported (no decoder), limit (too large a picture).
  static Result<void> check(const media::Track& track);
  // With `device` it decodes there, unless that does not take this bitstream: its pictures then
  // come in memory. Errors of open(): also unsupported (the device has no decoder for the codec).
  static Result<std::unique_ptr<VideoDecoder>> open(const media::Track& track, unsigned threads,
                                                    Counters& counters,
                                                    std::shared_ptr<HwDevice> device = nullptr);

  void decode(const media::Packet& packet, ladder::SegmentStart start, const OnPicture& out);
  // Gives everything that is held back. What follows begins at a sync packet.
  void flush(const OnPicture& out);

  bool is_on_device() const { return device_ != nullptr; }
  // What the device says again and again that is no fault of the bitstream: it is lost.
  const std::optional<Error>& device_error() const { return device_error_; }

 private:
  // A broken bitstream gives such errors too on some drivers, though not so many without a picture.
  static constexpr unsigned kMaxDeviceErrors = 8;

  VideoDecoder(const media::Track& track, ContextPtr context, Counters& counters,
               std::shared_ptr<HwDevice> device);
  void failed(int code);
  void receive(const OnPicture& out);
  void give(FramePtr frame, const OnPicture& out);

  media::VideoFacts facts_;
  std::shared_ptr<HwDevice> device_;
  ContextPtr context_;
  Counters& counters_;
  Marks marks_;
  bool waits_for_sync_ = true;
  bool broken_ = false;      // receive() met an error
  bool start_lost_ = false;  // a segment's first packet gave no picture: the next one starts it
  std::uint32_t number_ = 0;
  unsigned device_errors_ = 0;  // since the last picture
  std::optional<Error> device_error_;
};

}  // namespace kapok::ffmpeg
