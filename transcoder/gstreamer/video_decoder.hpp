// Decoding by an element of GStreamer's. A pipeline that fails begins anew at the next sync packet;
// pictures come out on a thread of the pipeline's.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "transcoder/ffmpeg/codecs.hpp"
#include "transcoder/gstreamer/pipe.hpp"
#include "transcoder/ladder/decoded_marks.hpp"

namespace kapok::gstreamer {

class VideoDecoder final : public ffmpeg::PictureDecoder {
 public:
  // `text`: decoder_text(). Errors: unsupported (the pipeline does not come to be).
  static Result<std::unique_ptr<VideoDecoder>> open(std::shared_ptr<const media::Track> track,
                                                    std::string text, ffmpeg::Counters& counters,
                                                    ffmpeg::OnPicture out);

  void decode(const media::Packet& packet, ladder::SegmentStart start) override;
  void flush() override;
  // Its pictures are in memory, wherever they were decoded.
  bool is_on_device() const override { return false; }
  const std::optional<Error>& lost() const override { return lost_; }

 private:
  // So often a broken bitstream may end a pipeline without a picture between.
  static constexpr unsigned kMaxFailures = 4;

  VideoDecoder(std::shared_ptr<const media::Track> track, std::string text,
               ffmpeg::Counters& counters, ffmpeg::OnPicture out);
  Result<void> open_pipe();
  Result<void> push(const media::Packet& packet);
  void add_mark(const media::Packet& packet, bool starts_segment);
  void failed(const Error& error);
  // Returns of how many pictures they were.
  std::size_t forget_marks();
  void give(GstSample& sample);
  std::optional<ffmpeg::Mark> mark_of(GstSample& sample, const AVFrame* frame);

  std::shared_ptr<const media::Track> track_;
  std::string text_;
  ffmpeg::Counters& counters_;
  ffmpeg::OnPicture out_;
  std::optional<Times> times_;  // of pipe_
  bool waits_for_sync_ = true;
  std::optional<Error> lost_;
  // A mutex: pictures come out on a thread of the pipeline's.
  std::mutex mutex_;
  ladder::DecodedMarks marks_;
  std::optional<Error> unreadable_;
  unsigned failures_ = 0;       // since the last picture
  std::unique_ptr<Pipe> pipe_;  // the last member: it ends first
};

}  // namespace kapok::gstreamer
