// One audio rung: decoded frames in, AAC or Opus packets out on a timeline of samples. The source's
// times rule: a small difference is resampled away, a gap is filled with silence and an overlap
// cut, so that sound is never further from its time than kMaxError. Used by one thread.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "server/media/ladder.hpp"
#include "transcoder/ffmpeg/av.hpp"
#include "transcoder/ffmpeg/mark.hpp"
#include "transcoder/ladder/engine.hpp"
#include "transcoder/ladder/loudness.hpp"

struct AVAudioFifo;

namespace kapok::ffmpeg {

struct AudioRungSetup {
  media::AudioRung rung;
  media::TrackId id = 0;
  std::string language;
};

class AudioEncoder {
 public:
  // Lips and voice drift apart visibly at 40 ms; half of it leaves room for the encoder's frames.
  static constexpr std::chrono::milliseconds kMaxError{20};
  static constexpr std::chrono::milliseconds kResampledAbove{2};
  // Beyond it a jump is one: the encoder begins anew there.
  static constexpr std::chrono::milliseconds kMaxGap{1000};

  // `first`: the frame that tells rate and channels.
  static Result<std::unique_ptr<AudioEncoder>> open(const AudioRungSetup& setup,
                                                    const AVFrame& first, ladder::RungSink& sink,
                                                    RungCounters& counters);
  ~AudioEncoder();
  AudioEncoder(const AudioEncoder&) = delete;
  AudioEncoder& operator=(const AudioEncoder&) = delete;

  // Whether a frame may follow: it sounds like those before, without a jump.
  bool continues(const AVFrame& frame, std::chrono::nanoseconds pts) const;
  Result<void> encode(const AVFrame& frame, std::chrono::nanoseconds pts, MonoTime arrival);
  Result<void> finish();

 private:
  AudioEncoder(const AudioRungSetup& setup, ladder::RungSink& sink, RungCounters& counters);
  Result<void> open_encoder(const AVFrame& first);
  Result<void> open_resampler(const AVFrame& first);
  std::int64_t samples(std::chrono::nanoseconds time) const;
  // How many samples the frame lies behind what was written (negative: before it).
  std::int64_t error_of(std::chrono::nanoseconds pts) const;
  void correct(std::int64_t error);
  Result<void> resample(const AVFrame* frame);
  Result<void> queue(const ladder::Planes& planes);
  Result<void> encode_queued(int at_least);
  Result<void> receive();
  Result<void> announce();

  AudioRungSetup setup_;
  ladder::RungSink& sink_;
  RungCounters& counters_;
  ContextPtr context_;
  ResamplerPtr resampler_;
  std::optional<ladder::LoudnessRider> rider_;
  AVAudioFifo* queued_ = nullptr;  // samples not yet encoded, less than a frame
  int in_rate_ = 0;
  int in_channels_ = 0;
  int in_format_ = 0;
  std::optional<media::Ticks> base_;  // of the first sample, in samples since 1970
  std::int64_t written_ = 0;          // samples that went into queued_
  std::int64_t encoded_ = 0;          // samples that left it
  std::int64_t to_skip_ = 0;          // of an overlap, or before the first frame
  std::int64_t resampling_until_ = 0;
  MonoTime arrival_;
  bool announced_ = false;
};

}  // namespace kapok::ffmpeg
