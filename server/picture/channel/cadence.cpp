#include "server/picture/channel/cadence.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace kapok::channel {
namespace {

constexpr Timescale kVideoTimescale = 90'000;
// Coarser than this and frames jitter; finer and ticks since 1970 serve nobody.
constexpr Timescale kFinestKept = 240'000;
constexpr Timescale kCoarsestKept = 10'000;
// A rounded timestamp against a grid that began on a rounded timestamp: less than one and a half
// units apart.
constexpr double kRoundingSpread = 1.5;
// An audio packet may be this much of its own length off before it is taken for a gap.
constexpr double kAudioTolerance = 0.75;
constexpr double kMaxAudioToleranceSeconds = 0.030;
constexpr double kSmoothing = 1.0 / 64;
// In input ticks: how far apart the errors of a run may be, and what is worth a step.
constexpr double kRunSpread = 1.5;
constexpr double kLeastStep = 3;

std::int64_t rounded(double value) {
  return static_cast<std::int64_t>(std::llround(value));
}

}  // namespace

Timescale output_timescale(const media::Track& track) {
  if (track.kind == media::TrackKind::audio) {
    const media::AudioFacts* audio = track.audio();
    return audio != nullptr && audio->sample_rate > 0 ? audio->sample_rate : 48'000;
  }
  return track.timescale >= kCoarsestKept && track.timescale <= kFinestKept ? track.timescale
                                                                            : kVideoTimescale;
}

std::optional<FrameLength> nominal_frame(const media::Track& track) {
  const std::int64_t out = output_timescale(track);
  if (const media::AudioFacts* audio = track.audio()) {
    if (audio->samples_per_frame == 0 || audio->sample_rate == 0) return std::nullopt;
    return FrameLength{audio->samples_per_frame, 1};
  }
  const media::VideoFacts* video = track.video();
  if (video == nullptr || video->frame_rate.numerator == 0 || video->frame_rate.denominator == 0)
    return std::nullopt;
  const FrameLength frame{out * video->frame_rate.denominator, video->frame_rate.numerator};
  // Nonsense in the bitstream (0.001 fps, 100000 fps) is as good as nothing.
  if (frame.ticks() < static_cast<double>(out) / 1000 || frame.ticks() > static_cast<double>(out))
    return std::nullopt;
  return frame;
}

std::optional<media::Rational> FrameRateFinder::add(double dts_s) {
  constexpr std::array<media::Rational, 13> kRates{{{24000, 1001},
                                                    {24, 1},
                                                    {25, 1},
                                                    {30000, 1001},
                                                    {30, 1},
                                                    {48, 1},
                                                    {50, 1},
                                                    {60000, 1001},
                                                    {60, 1},
                                                    {100, 1},
                                                    {120000, 1001},
                                                    {120, 1},
                                                    {15, 1}}};
  constexpr double kRounding = 0.0022;  // two timestamps, each rounded to a millisecond
  const double gap = dts_s - last_s_;
  if (frames_ > 0) {
    least_gap_s_ = frames_ == 1 ? gap : std::min(least_gap_s_, gap);
    largest_gap_s_ = frames_ == 1 ? gap : std::max(largest_gap_s_, gap);
  }
  // A drop, a jump or a varying rate: count again from here.
  if (frames_ == 0 || gap <= 0 || largest_gap_s_ - least_gap_s_ > kRounding) {
    first_s_ = last_s_ = dts_s;
    frames_ = 1;
    return std::nullopt;
  }
  last_s_ = dts_s;
  if (++frames_ <= kFrames) return std::nullopt;
  const double rate = (frames_ - 1) / (last_s_ - first_s_);
  for (const media::Rational& known : kRates)
    if (std::abs(rate / known.value() - 1) < 3e-4) return known;
  frames_ = 0;
  return std::nullopt;
}

Cadence::Cadence(Timescale in, Timescale out, media::TrackKind kind)
    : in_(in), out_(out), kind_(kind), quantum_(static_cast<double>(out) / in) {}

void Cadence::set_frame(std::optional<FrameLength> frame) {
  if (frame == frame_) return;
  frame_ = frame;
  base_ = last_;  // the grid goes on from the last packet: no step
  frames_ = 0;
  nudge_ = 0;
  smoothed_error_ = 0;
}

std::int64_t Cadence::grid(std::int64_t frames) const {
  const __int128 ticks = static_cast<__int128>(frames) * frame_->numerator;
  return base_ + static_cast<std::int64_t>((ticks + frame_->denominator / 2) / frame_->denominator);
}

std::int64_t Cadence::next(std::int64_t in) {
  const std::int64_t given = media::rescale({in}, in_, out_).count;
  const auto resync = [&] {
    base_ = given;
    frames_ = 0;
    nudge_ = 0;
    smoothed_error_ = 0;
    run_ = 0;
    return given;
  };
  std::int64_t time = given;
  if (!started_) {
    resync();
    started_ = true;
    last_ = given;
    return given;
  }
  if (frame_) {
    const double length = frame_->ticks();
    const double rounding = kRoundingSpread * std::max(1.0, quantum_);
    double tolerance = rounding;
    if (kind_ == media::TrackKind::audio)
      tolerance =
          std::max(rounding, std::min(kAudioTolerance * length,
                                      kMaxAudioToleranceSeconds * static_cast<double>(out_)));
    const double shift = nudge_;
    const double error = static_cast<double>(given - grid(frames_ + 1)) - shift;
    if (std::abs(error) <= tolerance) {
      ++frames_;
      const double unit = std::max(1.0, quantum_);
      if (run_ == 0 || std::abs(error - run_error_) > kRunSpread * unit) {
        run_error_ = error;
        run_ = 0;
      }
      if (++run_ >= kStepRun && std::abs(run_error_) >= kLeastStep * unit) {
        ++resyncs_;
        last_ = std::max(resync(), last_ + 1);
        return last_;
      }
      smoothed_error_ += (error - smoothed_error_) * kSmoothing;
      if (std::abs(smoothed_error_) > std::max(1.0, quantum_))
        nudge_ += std::copysign(max_nudge_ * length, smoothed_error_);
      time = grid(frames_) + rounded(nudge_);
    } else {
      // Whole frames missing keep the grid; anything else sets it anew.
      const std::int64_t skipped =
          frames_ + std::max<std::int64_t>(
                        1, rounded((static_cast<double>(given - grid(frames_)) - shift) / length));
      if (std::abs(static_cast<double>(given - grid(skipped)) - shift) <= rounding) {
        frames_ = skipped;
        time = grid(frames_) + rounded(nudge_);
      } else {
        time = resync();
        ++resyncs_;
        ++trial_resyncs_;
      }
    }
  }
  last_ = std::max(time, last_ + 1);
  if (++trial_packets_ == kTrial) {
    if (trial_resyncs_ > kMaxResyncsInTrial) frame_.reset();
    trial_packets_ = trial_resyncs_ = 0;
  }
  return last_;
}

std::int64_t Cadence::offset(std::int64_t in) const {
  const std::int64_t given = media::rescale({in}, in_, out_).count;
  if (!frame_ || kind_ != media::TrackKind::video) return given;
  const double frames = std::round(static_cast<double>(given) / frame_->ticks());
  const std::int64_t near = rounded(frames * frame_->ticks());
  return std::abs(static_cast<double>(given - near)) <= kRoundingSpread * std::max(1.0, quantum_)
             ? near
             : given;
}

}  // namespace kapok::channel
