// One audio track of the source: a queue of packets, decoded once on a pipeline's thread, which
// gives every rung that is made of it its samples.
#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <thread>
#include <vector>

#include "transcoder/gstreamer/audio_encoder.hpp"
#include "transcoder/gstreamer/toolbox.hpp"
#include "transcoder/ladder/packet_queue.hpp"

namespace kapok::gstreamer {

class AudioLane {
 public:
  struct Setup {
    const media::Ladder& ladder;
    std::uint8_t source = 0;  // which track, as media::AudioRung counts
    ladder::Pace pace = ladder::Pace::live;
  };
  // `rungs`: counters of the ladder's audio rungs.
  AudioLane(const Setup& setup, const Toolbox& toolbox, ladder::RungSink& sink,
            ladder::Counters& counters, std::span<ladder::RungCounters> rungs);
  ~AudioLane();
  AudioLane(const AudioLane&) = delete;
  AudioLane& operator=(const AudioLane&) = delete;

  // Whether there is a decoder for it. Errors: unsupported.
  Result<void> check(const media::Track& track) const;
  void track(std::shared_ptr<const media::Track> track) { queue_.push(std::move(track)); }
  void packet(const media::Packet& packet, media::Timescale timescale);
  void flush(std::shared_ptr<std::promise<void>> done) {
    queue_.push(ladder::Flush{std::move(done)});
  }

 private:
  struct Rung {
    media::AudioRung rung;
    media::TrackId id = 0;
    ladder::RungCounters* counters = nullptr;
    std::unique_ptr<AudioEncoder> encoder;
    bool failed = false;
  };
  void run();
  void change_track(std::shared_ptr<const media::Track> track);
  Result<void> open_decoder();
  void decode(const media::Packet& packet);
  void end_decoder();
  void hear(GstSample& sample);
  Result<void> encode(Rung& rung, GstSample& sample, std::chrono::nanoseconds pts);
  void check(Rung& rung, const Result<void>& done);
  void finish();

  const Setup setup_;
  const Toolbox& toolbox_;
  ladder::RungSink& sink_;
  ladder::Counters& counters_;
  std::span<ladder::RungCounters> rung_counters_;
  ladder::PacketQueue queue_;
  std::atomic<MonoTime> arrival_{MonoTime{}};
  // Of run():
  std::shared_ptr<const media::Track> track_;
  std::optional<Times> times_;
  // Of the decoder's thread while there is one, else of run():
  std::vector<Rung> rungs_;
  std::unique_ptr<Pipe> decoder_;  // ends before what it gives samples to
  std::thread thread_;
};

}  // namespace kapok::gstreamer
