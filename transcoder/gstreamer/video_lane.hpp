// The source's video: a queue of packets, the thread that gives them to a decoder, and the pipeline
// of the pictures that come just now. Sheds rungs when the packets pile up.
#pragma once

#include <mutex>
#include <optional>
#include <span>
#include <thread>

#include "transcoder/gstreamer/pipeline.hpp"
#include "transcoder/gstreamer/video_decoder.hpp"
#include "transcoder/ladder/packet_queue.hpp"

namespace kapok::gstreamer {

class VideoLane {
 public:
  // Half of the frame rate, then a rung goes when packets of this much media time wait, the next
  // when they still do so much media time later.
  static constexpr std::chrono::milliseconds kShedAbove{700};
  static constexpr std::chrono::milliseconds kShedAgainAfter{500};
  // What was left out comes back while fewer wait than that.
  static constexpr std::chrono::milliseconds kRoomBelow{300};

  VideoLane(const media::Ladder& ladder, ladder::EngineOptions options, const Toolbox& toolbox,
            ladder::RungSink& sink, Counters& counters, std::span<RungCounters> rungs);
  ~VideoLane();
  VideoLane(const VideoLane&) = delete;
  VideoLane& operator=(const VideoLane&) = delete;

  // Whether track() would be decoded. Errors: unsupported, limit.
  Result<void> check(const media::Track& track) const;
  void track(std::shared_ptr<const media::Track> track) { queue_.push(std::move(track)); }
  void packet(const media::Packet& packet, media::Timescale timescale, ladder::SegmentStart start);
  void flush(std::shared_ptr<std::promise<void>> done) {
    queue_.push(ladder::Flush{std::move(done)});
  }
  std::chrono::milliseconds waiting() const { return queue_.span(); }

 private:
  void run();
  void change_track(std::shared_ptr<const media::Track> track);
  void decode(const ladder::SourcePacket& source);
  void push(Picture picture, const GstCaps& caps);
  void finish();
  void shed_if_late(const media::Packet& packet, media::Timescale timescale);

  const media::Ladder& ladder_;
  ladder::EngineOptions options_;
  const Toolbox& toolbox_;
  ladder::RungSink& sink_;
  Counters& counters_;
  std::span<RungCounters> rungs_;
  ladder::PacketQueue queue_;
  bool dropping_ = false;                            // of who gives packets
  std::optional<std::chrono::nanoseconds> shed_at_;  // likewise, media time

  // Of run():
  std::shared_ptr<const media::Track> track_;
  std::optional<Times> times_;  // since the last finish()
  media::Rational frame_rate_;
  // Of the decoder's thread while there is one, else of run():
  std::optional<media::VideoFacts> pictures_;  // what pipeline_ is for
  std::string format_;                         // likewise
  // A mutex: who gives packets sheds while the decoder's thread waits for a slow encoder.
  std::mutex pipeline_mutex_;
  std::shared_ptr<Pipeline> pipeline_;
  std::unique_ptr<VideoDecoder> decoder_;  // ends before what its pictures go to
  std::thread thread_;
};

}  // namespace kapok::gstreamer
