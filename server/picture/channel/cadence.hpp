// Undoes the rounding of a track's timestamps. FLV counts milliseconds: 1024 samples at 48 kHz come
// as 21, 22, 21 ms and a 59.94 fps frame as 16 or 17. A Cadence knows the true spacing (samples in
// a frame, or the frame rate) and counts frames, so that spacing is exact; it follows the input
// when that leaves the grid: slowly (an audio clock of its own), by whole frames (drops), or at
// once (a gap). One per track and era; pure.
#pragma once

#include <cstdint>
#include <optional>

#include "server/media/track.hpp"

namespace kapok::channel {

using media::Timescale;

// A frame's length in output ticks, as a fraction: 90000 * 1001 / 60000.
struct FrameLength {
  std::int64_t numerator = 0;
  std::int64_t denominator = 1;
  bool operator==(const FrameLength&) const = default;
  double ticks() const { return static_cast<double>(numerator) / static_cast<double>(denominator); }
};

// The ticks in which a track leaves the channel: the sample rate for audio, the track's own
// timescale for video if it is fine enough, else 90000.
Timescale output_timescale(const media::Track& track);
// From the facts; nullopt: unknown or varying.
std::optional<FrameLength> nominal_frame(const media::Track& track);

// Finds the frame rate of a video whose bitstream does not tell it, from rounded timestamps.
class FrameRateFinder {
 public:
  // One decode time in seconds since any origin. A rate once it is sure, for good.
  std::optional<media::Rational> add(double dts_s);

 private:
  // 59.94 and 60 differ by 0.1 %; 240 frames at 120 fps rounded to 1 ms are known to 0.05 %.
  static constexpr int kFrames = 480;
  double first_s_ = 0;
  double last_s_ = 0;
  double least_gap_s_ = 0;
  double largest_gap_s_ = 0;
  int frames_ = 0;
};

class Cadence {
 public:
  // How much one frame may be lengthened to follow a slow deviation of the input.
  static constexpr double kMaxNudge = 100e-6;
  // So many packets off by the same amount are a step of the input, not jitter: it is followed.
  static constexpr int kStepRun = 8;
  // A grid that must be set anew this often in so many packets is not the input's: it is given up.
  static constexpr std::uint64_t kTrial = 256;
  static constexpr std::uint64_t kMaxResyncsInTrial = 8;

  Cadence(Timescale in, Timescale out, media::TrackKind kind);
  void set_frame(std::optional<FrameLength> frame);
  const std::optional<FrameLength>& frame() const { return frame_; }
  void set_max_nudge(double rate) { max_nudge_ = rate; }

  // Input ticks since the track's first packet -> output ticks since it, strictly growing.
  std::int64_t next(std::int64_t in);
  // A composition offset (pts - dts), input ticks -> output ticks, on the grid if near it.
  std::int64_t offset(std::int64_t in) const;
  std::uint64_t resyncs() const { return resyncs_; }

 private:
  std::int64_t grid(std::int64_t frames) const;

  Timescale in_;
  Timescale out_;
  media::TrackKind kind_;
  std::optional<FrameLength> frame_;
  double max_nudge_ = kMaxNudge;
  double quantum_;  // one input tick, in output ticks
  bool started_ = false;
  std::int64_t base_ = 0;    // output ticks where the grid was last set
  std::int64_t frames_ = 0;  // since then
  double nudge_ = 0;         // output ticks added since then
  double smoothed_error_ = 0;
  double run_error_ = 0;  // of the last packets, while they agree with each other
  int run_ = 0;
  std::int64_t last_ = 0;
  std::uint64_t resyncs_ = 0;
  std::uint64_t trial_packets_ = 0;
  std::uint64_t trial_resyncs_ = 0;
};

}  // namespace kapok::channel
