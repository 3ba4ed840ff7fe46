// One audio rung: decoded samples in, AAC packets out on a timeline of samples. Used by one thread;
// packets come out on a thread of the pipeline's.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>

#include "server/media/ladder.hpp"
#include "transcoder/gstreamer/elements.hpp"
#include "transcoder/gstreamer/pipe.hpp"
#include "transcoder/gstreamer/sound_timeline.hpp"
#include "transcoder/ladder/counters.hpp"
#include "transcoder/ladder/engine.hpp"

namespace kapok::gstreamer {

class AudioEncoder {
 public:
  struct Setup {
    media::AudioRung rung;
    media::TrackId id = 0;
    std::string language;
    const AudioEncoderElement* element = nullptr;
    CapsPtr samples;  // of what is encoded, interleaved floats
  };
  static Result<std::unique_ptr<AudioEncoder>> open(Setup setup, ladder::RungSink& sink,
                                                    ladder::RungCounters& counters);

  // Whether samples of these caps may follow: they sound like those before, without a jump.
  bool continues(const GstCaps& caps, std::chrono::nanoseconds pts) const;
  // An error is what failed since the last call, too.
  Result<void> encode(std::span<const float> samples, std::chrono::nanoseconds pts,
                      MonoTime arrival);
  Result<void> finish();

 private:
  AudioEncoder(Setup setup, SoundTimeline timeline, ladder::RungSink& sink,
               ladder::RungCounters& counters);
  void take(GstSample& sample);
  Result<void> give(GstSample& sample);
  Result<void> announce(const GstCaps& caps);
  Result<void> failure() const;

  Setup setup_;
  SoundTimeline timeline_;
  media::Timescale rate_;  // of the rung
  ladder::RungSink& sink_;
  ladder::RungCounters& counters_;
  std::atomic<MonoTime> arrival_{MonoTime{}};
  mutable std::mutex mutex_;
  std::optional<Error> error_;
  // Of the thread that packets come out on:
  std::optional<media::Ticks> next_;
  std::unique_ptr<Pipe> pipe_;  // the last member: it ends first
};

}  // namespace kapok::gstreamer
