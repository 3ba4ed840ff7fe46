// The source's video: a queue of packets, the decoder's thread, and the pipeline of the pictures
// that come just now. Sheds rungs when the packets pile up. Works on one path; when the device of
// that fails, which is remembered, on the next.
#pragma once

#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "transcoder/ffmpeg/codecs.hpp"
#include "transcoder/ffmpeg/pipeline.hpp"
#include "transcoder/ffmpeg/watch.hpp"
#include "transcoder/ladder/packet_queue.hpp"

namespace kapok::ffmpeg {

class VideoLane {
 public:
  // Half of the frame rate, then a rung goes when packets of this much media time wait and the
  // first of them has waited as long (after a burst it has not), the next when they still do so
  // much later.
  static constexpr std::chrono::milliseconds kShedAbove{700};
  static constexpr std::chrono::milliseconds kShedAgainAfter{500};
  // What was left out comes back while fewer wait than that.
  static constexpr std::chrono::milliseconds kRoomBelow{300};

  struct Setup {
    const media::Ladder& ladder;
    ladder::EngineOptions options;
    std::vector<Path> paths;  // the best first, the last one software
    const Codecs* codecs;     // null: libavcodec
  };
  VideoLane(Setup setup, ladder::RungSink& sink, Counters& counters, std::span<RungCounters> rungs);
  ~VideoLane();
  VideoLane(const VideoLane&) = delete;
  VideoLane& operator=(const VideoLane&) = delete;

  void track(std::shared_ptr<const media::Track> track) { queue_.push(std::move(track)); }
  void packet(const media::Packet& packet, media::Timescale timescale, ladder::SegmentStart start);
  void flush(std::shared_ptr<std::promise<void>> done) {
    queue_.push(ladder::Flush{std::move(done)});
  }
  std::chrono::milliseconds waiting() const { return queue_.span(); }
  std::string device() const;  // that it works on now, as word_of() has it

 private:
  void run();
  void decode(const ladder::SourcePacket& source);
  void change_track(std::shared_ptr<const media::Track> track);
  bool decodes_on_device() const;
  void open_decoder();
  Result<std::unique_ptr<PictureDecoder>> make_decoder();
  void leave_failed_device();
  void leave_failed_codecs(const Error& error);
  void push(Picture picture);  // on the decoder's thread
  void finish();
  void end_pipeline();
  void rebuild(const media::VideoFacts& facts, const AVFrame& first, media::Timescale timescale);
  void shed_if_late(MonoTime now);
  struct Source {
    std::shared_ptr<const media::Track> track;
    media::Rational frame_rate;
  };
  Source source() const;

  const media::Ladder& ladder_;
  ladder::EngineOptions options_;
  ladder::RungSink& sink_;
  Counters& counters_;
  std::span<RungCounters> rungs_;
  ladder::PacketQueue queue_;
  bool dropping_ = false;            // of who gives packets
  std::optional<MonoTime> shed_at_;  // likewise

  // Of run():
  std::unique_ptr<PictureDecoder> decoder_;
  const Codecs* decoders_;   // null: libavcodec's
  const Codecs* encoders_;   // likewise
  std::vector<Path> paths_;  // the one in use, then those for when it fails
  std::unique_ptr<DeviceWatch> device_watch_;
  // Of push():
  PictureWatch watch_;
  std::optional<media::VideoFacts> pictures_;  // what pipeline_ is for
  int format_ = 0;                             // likewise
  const void* pool_ = nullptr;                 // likewise: where on the device they lie, if there
  bool skips_to_start_ = false;                // a new path begins where a segment does
  bool told_of_memory_ = false;
  // A mutex: who gives packets sheds while the lane's thread waits for a slow encoder, and a
  // decoder may have a thread of its own.
  mutable std::mutex mutex_;
  Source source_;           // under it
  media::DeviceId device_;  // likewise
  std::shared_ptr<Pipeline> pipeline_;
  std::thread thread_;
};

}  // namespace kapok::ffmpeg
