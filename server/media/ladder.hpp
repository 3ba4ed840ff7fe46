// What a channel's worker shall make of its source: the ladder and its rungs, as plain values. The
// configuration makes them, the wire carries them, the engine encodes by them. A rung is published
// as the rendition of its name. Whoever takes a Ladder from outside calls validate() first.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "server/base/buffer.hpp"
#include "server/base/clock.hpp"
#include "server/base/result.hpp"
#include "server/media/detection.hpp"
#include "server/media/track.hpp"

namespace kapok::media {

// Players switch between a handful of rungs; each more costs an encoder.
constexpr std::size_t kMaxVideoRungs = 12;
constexpr std::size_t kMaxAudioRungs = 16;  // two for each of eight languages
constexpr std::size_t kMaxAudioSources = 8;
constexpr std::uint32_t kMinRungHeight = 64;    // below it no level of H.264 is worth a picture
constexpr std::uint32_t kMaxRungHeight = 4352;  // 8K with the encoders' padding to 64 lines
constexpr std::uint32_t kMinRungBitRate = 8'000;
constexpr std::uint32_t kMaxRungBitRate = 400'000'000;  // 8K at the best level of HEVC
constexpr std::uint32_t kMinVbvMs = 100;                // two frames at 25/s and some
constexpr std::uint32_t kMaxVbvMs = 10'000;             // more is as good as no bound
constexpr std::uint8_t kMaxBFrames = 8;
constexpr std::size_t kMaxEncoderWord = 32;  // a preset's or tune's length
constexpr std::size_t kMaxBinText = 1024;    // a graph that takes more has no place in a setting
// [EBU R 128] broadcasts are at -23, streams at -14 to -18; outside of this range it is a mistake.
constexpr std::int32_t kMinLoudness = -40;
constexpr std::int32_t kMaxLoudness = -9;
constexpr microseconds kMinPosterInterval{1'000'000};
constexpr microseconds kMaxPosterInterval{3'600'000'000};
constexpr std::uint32_t kMaxPosterSide = 1920;
constexpr std::uint32_t kMaxThumbnailSide = 640;
constexpr std::uint32_t kMinStillSide = 64;

enum class RungRange : std::uint8_t {
  keep,  // the source's dynamic range
  sdr,   // tone-mapped if the source is HDR
};
enum class RungRate : std::uint8_t {
  full,
  half,  // every second frame: 50 -> 25
};

struct VideoRung {
  std::string name;  // of the rendition: "1080p"
  Codec codec = Codec::avc;
  std::uint32_t height = 0;  // lines; the width follows the source's shape
  RungRate rate = RungRate::full;
  std::uint32_t bit_rate = 0;  // b/s, the mean; the peak too, over the VBV's length
  std::uint32_t vbv_ms = 1000;
  std::uint8_t bit_depth = 8;
  RungRange range = RungRange::sdr;
  std::uint8_t b_frames = 0;
  std::string preset;  // the encoder's own word; empty: the engine's choice
  std::string tune;
  // GStreamer only: a graph of an operator's own, from the source's pictures to this rung's codec,
  // in the language of gst-launch-1.0; empty: the engine's (docs/operations.md, "A graph of your
  // own").
  std::string bin;
  bool operator==(const VideoRung&) const = default;
};

// A ladder that is written names no source: fit() makes a rung of each audio track of it.
struct AudioRung {
  std::string name;
  Codec codec = Codec::aac;
  std::uint8_t channels = 2;
  std::uint32_t bit_rate = 0;
  std::int32_t loudness = 0;  // in LUFS, what programmes are brought to; 0: as they are
  std::uint8_t source = 0;    // which audio track of the source, counted in the order they are told
  bool operator==(const AudioRung&) const = default;
};

// Still pictures of the same frames. `side`: of the longer side, in square pixels; a smaller source
// is not enlarged.
struct PosterWish {
  bool enabled = true;
  microseconds interval{10'000'000};  // to the next segment's start
  std::uint32_t side = 1280;
  bool operator==(const PosterWish&) const = default;
};
struct ThumbnailWish {
  bool enabled = true;  // one for each segment
  std::uint32_t side = 320;
  bool operator==(const ThumbnailWish&) const = default;
};

// A logo on all video rungs, at the same place and size relative to each picture.
constexpr std::size_t kMaxLogoBytes = std::size_t{4} * 1024 * 1024;
constexpr std::uint32_t kMaxLogoSide = 4096;
enum class Corner : std::uint8_t { top_left, top_right, bottom_left, bottom_right };
struct OverlayWish {
  std::string image;  // where the configuration found it
  Buffer png;         // empty: no logo
  Corner corner = Corner::top_right;
  std::uint32_t height_percent = 10;  // of the picture's height, as the margin
  std::uint32_t margin_percent = 4;
  std::uint32_t opacity_percent = 80;
  bool operator==(const OverlayWish& other) const;
};
// Bounded in bytes and pixels, by its header. Errors: config.
Result<void> check_logo(ByteSpan png);

struct Ladder {
  std::string name;
  std::string engine = "ffmpeg";
  std::string device = "auto";
  std::vector<VideoRung> video;
  std::vector<AudioRung> audio;
  Detection detect;
  PosterWish poster;  // of ladders with video rungs
  ThumbnailWish thumbnails;
  OverlayWish overlay;
  bool clock = false;  // channel time in the picture, for tests
  bool operator==(const Ladder&) const = default;
};

// What one rung asks for by itself; errors name the field, not the rung. Errors: config.
Result<void> validate(const VideoRung& rung);
Result<void> validate(const AudioRung& rung);
// Everything: each rung, names that are ids, unique and not a source rendition's, one dynamic range
// per codec (players switch within a codec, and a picture that changes its range blinks).
Result<void> validate(const Ladder& ladder);

struct RungLeftOut {
  std::string rung;
  std::string why;
};
struct RungAdded {
  std::string rung;
  std::string why;
};
struct FittedLadder {
  Ladder ladder;
  std::vector<RungLeftOut> left_out;  // for a notice
  std::vector<RungAdded> added;
};
// The rungs that this source can feed: those above it are left out, `half` of a source at 30 frames
// a second or fewer is full. `video` and `audio`: the source's tracks, null if it has none.
FittedLadder rungs_for(const Ladder& ladder, const VideoFacts* video, const AudioFacts* audio);

struct AudioSource {
  Codec codec = Codec::aac;
  AudioFacts facts;
  std::string language;  // BCP 47, empty: unknown
};
// The same for a source with its sounds in several languages (`sounds`: at most kMaxAudioSources
// are looked at): each audio rung is made of each of them, called after the rung, those of further
// sounds with "-<language>" or "-<number>" behind it. A ladder of pictures alone gets stereo in AAC
// for every language that the source has only in a form that not every player takes.
FittedLadder fit(const Ladder& ladder, const VideoFacts* video,
                 std::span<const AudioSource> sounds);

// Whether half of so many frames a second is still motion (0/0, unknown: it may).
bool may_halve(Rational frame_rate);

// Even, in the source's shape (its sample aspect ratio stays).
std::uint32_t width_of(const VideoRung& rung, const VideoFacts& source);

}  // namespace kapok::media
