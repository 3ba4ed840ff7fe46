// Tests only: tracks, and an encoder whose clock is off, behind a network that is late.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "server/media/packet.hpp"

namespace kapok::channel {

inline media::Track video_track(media::TrackId id, media::Timescale timescale,
                                media::Rational rate) {
  media::Track track;
  track.id = id;
  track.kind = media::TrackKind::video;
  track.codec = media::Codec::avc;
  track.timescale = timescale;
  track.codec_string = "avc1.640033";
  media::VideoFacts facts;
  facts.width = 3840;
  facts.height = 2160;
  facts.frame_rate = rate;
  track.facts = facts;
  return track;
}

inline media::Track audio_track(media::TrackId id, media::Timescale timescale,
                                std::uint32_t sample_rate) {
  media::Track track;
  track.id = id;
  track.kind = media::TrackKind::audio;
  track.codec = media::Codec::aac;
  track.timescale = timescale;
  track.codec_string = "mp4a.40.2";
  track.facts = media::AudioFacts{sample_rate, 2, 1024};
  return track;
}

// Video track 1, AAC track 2, both in FLV milliseconds, rounded down.
class SimulatedFeed {
 public:
  struct Options {
    media::Rational rate{50, 1};
    double drift_ppm = 0;  // positive: the encoder's clock is fast
    nanoseconds jitter{0};
    bool stalls = false;  // each 97 s the network holds everything for 3 s
    std::uint64_t gop_frames = 100;
  };
  struct Next {
    media::Packet packet;
    double media_s = 0;   // unrounded, on the encoder's clock
    nanoseconds sent{0};  // true time since the feed began
    bool in_stall = false;
  };

  explicit SimulatedFeed(Options options) : options_(options) {}

  // Packets in the order in which they arrive; TCP keeps the order in which they were sent.
  Next next() {
    const double video_s =
        static_cast<double>(video_) * options_.rate.denominator / options_.rate.numerator;
    const double audio_s = static_cast<double>(audio_) * 1024 / 48'000;
    const bool is_video = video_s <= audio_s;
    Next next;
    next.media_s = is_video ? video_s : audio_s;
    next.packet.track = is_video ? 1 : 2;
    next.packet.dts = {static_cast<std::int64_t>(next.media_s * 1000 + 1e-6)};
    next.packet.pts = next.packet.dts;
    next.packet.sync = !is_video || video_ % options_.gop_frames == 0;
    ++(is_video ? video_ : audio_);
    next.sent = nanoseconds(
        static_cast<std::int64_t>(next.media_s / (1 + options_.drift_ppm * 1e-6) * 1e9));
    nanoseconds arrival = next.sent;
    if (options_.jitter > nanoseconds::zero())
      arrival += nanoseconds(static_cast<std::int64_t>(
          random_() % static_cast<std::uint64_t>(options_.jitter.count())));
    if (options_.stalls) {
      const nanoseconds phase = next.sent % seconds(97);
      if (phase > seconds(90) && phase < seconds(93)) {
        arrival = next.sent - phase + seconds(93);
        next.in_stall = true;
      }
    }
    if (arrival < last_arrival_) arrival = last_arrival_;
    last_arrival_ = arrival;
    next.packet.arrival = MonoTime(seconds(500) + arrival);
    return next;
  }

 private:
  Options options_;
  std::uint64_t video_ = 0;
  std::uint64_t audio_ = 0;
  nanoseconds last_arrival_{0};
  std::mt19937_64 random_{42};
};

}  // namespace kapok::channel
