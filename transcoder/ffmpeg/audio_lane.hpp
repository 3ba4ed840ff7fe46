// One audio track of the source: a queue of packets and one thread that decodes once, listens for
// silence in the first, and encodes every rung that is made of it.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "transcoder/ffmpeg/audio_encoder.hpp"
#include "transcoder/ffmpeg/watch.hpp"
#include "transcoder/ladder/packet_queue.hpp"

namespace kapok::ffmpeg {

class AudioLane {
 public:
  // `source`: which one, as media::AudioRung counts; `rungs`: counters of the ladder's audio rungs.
  AudioLane(const media::Ladder& ladder, std::uint8_t source, ladder::Pace pace,
            ladder::RungSink& sink, Counters& counters, std::span<RungCounters> rungs);
  ~AudioLane();
  AudioLane(const AudioLane&) = delete;
  AudioLane& operator=(const AudioLane&) = delete;

  // Whether there is a decoder for it. Errors: unsupported.
  static Result<void> check(const media::Track& track);
  void track(std::shared_ptr<const media::Track> track) { queue_.push(std::move(track)); }
  void packet(const media::Packet& packet, media::Timescale timescale);
  void flush(std::shared_ptr<std::promise<void>> done) {
    queue_.push(ladder::Flush{std::move(done)});
  }

 private:
  struct Rung {
    AudioRungSetup setup;
    RungCounters* counters = nullptr;
    std::unique_ptr<AudioEncoder> encoder;
    bool failed = false;
  };
  void run();
  void change_track(std::shared_ptr<const media::Track> track);
  Result<void> open_decoder();
  void decode(const media::Packet& packet);
  void decode(ByteSpan bytes, std::int64_t pts, MonoTime arrival);
  void receive(MonoTime arrival);
  void encode(const AVFrame& frame, MonoTime arrival);
  Result<void> encode(Rung& rung, const AVFrame& frame, MonoTime arrival);
  void check(Rung& rung, const Result<void>& done);
  void finish();

  const media::Ladder& ladder_;
  std::uint8_t source_;
  ladder::Pace pace_;
  ladder::RungSink& sink_;
  Counters& counters_;
  std::span<RungCounters> rung_counters_;
  ladder::PacketQueue queue_;
  // Of run():
  std::shared_ptr<const media::Track> track_;
  ContextPtr decoder_;
  ParserPtr parser_;  // of codecs whose packets are not single frames
  std::optional<std::int64_t> next_pts_;
  SoundWatch watch_;
  std::vector<Rung> rungs_;
  std::thread thread_;
};

}  // namespace kapok::ffmpeg
