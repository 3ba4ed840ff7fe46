// Decoding by libavcodec, which has its own threads below the one that uses it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "transcoder/ffmpeg/codecs.hpp"
#include "transcoder/ladder/decoded_marks.hpp"

namespace kapok::ffmpeg {

class VideoDecoder final : public PictureDecoder {
 public:
  // Whether open() can succeed. Errors: unsupported (no decoder), limit (too large a picture).
  static Result<void> check(const media::Track& track);
  // With `device` it decodes there, unless that does not take this bitstream: its pictures then
  // come in memory. Errors of open(): also unsupported (the device has no decoder for the codec).
  static Result<std::unique_ptr<VideoDecoder>> open(const media::Track& track, unsigned threads,
                                                    Counters& counters, OnPicture out,
                                                    std::shared_ptr<HwDevice> device = nullptr);

  // Pictures come on the caller's thread.
  void decode(const media::Packet& packet, ladder::SegmentStart start) override;
  void flush() override;
  bool is_on_device() const override { return device_ != nullptr; }
  // What the device says again and again that is no fault of the bitstream.
  const std::optional<Error>& lost() const override { return lost_; }

 private:
  // A broken bitstream gives such errors too on some drivers, though not so many without a picture.
  static constexpr unsigned kMaxDeviceErrors = 8;

  VideoDecoder(const media::Track& track, ContextPtr context, Counters& counters, OnPicture out,
               std::shared_ptr<HwDevice> device);
  void failed(int code);
  void receive();
  void give(FramePtr frame);

  media::VideoFacts facts_;
  std::shared_ptr<HwDevice> device_;
  ContextPtr context_;
  Counters& counters_;
  OnPicture out_;
  ladder::DecodedMarks marks_;
  bool waits_for_sync_ = true;
  bool broken_ = false;         // receive() met an error
  unsigned device_errors_ = 0;  // since the last picture
  std::optional<Error> lost_;
};

}  // namespace kapok::ffmpeg
