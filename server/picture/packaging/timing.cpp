#include "server/picture/packaging/timing.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>

namespace kapok::packaging {

namespace {

constexpr std::array<media::Rational, 12> kStandardRates{{{24000, 1001},
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
                                                          {120, 1}}};
// Two timestamps in whole milliseconds differ from the truth by at most half of one each.
constexpr double kCoarseSlackUs = 1'500;

}  // namespace

media::Rational snap_frame_rate(std::uint64_t frames, microseconds length) {
  if (frames == 0 || length.count() <= 0) return {};
  const media::Rational* best = nullptr;
  double best_error = kCoarseSlackUs;
  for (const media::Rational& rate : kStandardRates) {
    const double expected = static_cast<double>(frames) * 1e6 / rate.value();
    const double error = std::abs(expected - static_cast<double>(length.count()));
    if (error < best_error) {
      best = &rate;
      best_error = error;
    }
  }
  if (best) return *best;
  // frames per second in thousandths; enough for a label.
  const double rate = static_cast<double>(frames) * 1e9 / static_cast<double>(length.count());
  return {static_cast<std::uint32_t>(std::lround(std::min(rate, 4e9))), 1000};
}

GopTiming measure_gop(std::span<const media::Packet> gop, const media::Packet& next_sync,
                      Timescale timescale) {
  GopTiming timing;
  if (gop.empty()) return timing;
  const Ticks length = next_sync.dts - gop.front().dts;
  const microseconds length_us = media::to_microseconds(length, timescale);
  timing.frame_rate = snap_frame_rate(gop.size(), length_us);
  timing.gop = length_us;
  if (timing.frame_rate.denominator != 1000)
    timing.gop = microseconds(
        std::llround(static_cast<double>(gop.size()) * 1e6 / timing.frame_rate.value()));
  const double frame_us = static_cast<double>(length_us.count()) / static_cast<double>(gop.size());
  for (std::size_t i = 1; i < gop.size(); ++i) {
    const microseconds step = media::to_microseconds(gop[i].dts - gop[i - 1].dts, timescale);
    // A hundred microseconds is more than any exact timescale needs to round.
    if (std::abs(static_cast<double>(step.count()) - frame_us) > 100) timing.coarse = true;
  }
  return timing;
}

microseconds segment_duration(microseconds gop, const SegmentRules& rules) {
  if (gop.count() <= 0) return rules.target;
  if (gop >= rules.ceiling) return rules.ceiling;
  // A GOP that misses the target by the rounding of its timestamps is meant to be the target.
  const microseconds slack{2'000};
  auto count = (rules.target - slack + gop - microseconds(1)) / gop;
  count = std::max<decltype(count)>(count, 1);
  if (gop * count > rules.ceiling) count = rules.ceiling / gop;
  return gop * count;
}

std::uint32_t target_duration(microseconds duration, const GopTiming& timing) {
  const microseconds longest = timing.irregular ? duration + timing.gop : duration;
  return static_cast<std::uint32_t>(
      std::max<std::int64_t>(1, (longest.count() + 500'000) / 1'000'000));
}

Ticks nominal_frame(const media::Track& track, const GopTiming& timing) {
  if (const media::AudioFacts* audio = track.audio()) {
    if (audio->samples_per_frame > 0 && audio->sample_rate > 0)
      return media::rescale({audio->samples_per_frame}, audio->sample_rate, track.timescale);
    return {};
  }
  const media::VideoFacts* video = track.video();
  const media::Rational rate = timing.frame_rate.numerator > 0
                                   ? timing.frame_rate
                                   : (video ? video->frame_rate : media::Rational{});
  if (rate.numerator == 0) return {};
  return media::rescale({rate.denominator}, rate.numerator, track.timescale);
}

RenditionTiming rendition_timing(const media::Track& track, Ticks frame, microseconds part_target,
                                 bool coarse) {
  RenditionTiming timing;
  timing.timescale = track.timescale;
  timing.kind = track.kind;
  // Sparse or unknown: whatever arrives within a part's time is a part.
  if (frame.count <= 0) frame = media::from_microseconds(part_target, track.timescale);
  timing.frame = frame;
  const double frames = static_cast<double>(part_target.count()) * track.timescale / 1e6 /
                        static_cast<double>(frame.count);
  timing.part_frames = static_cast<std::uint32_t>(std::max<long long>(1, std::llround(frames)));
  timing.part_target = frame * timing.part_frames;
  // Rounded timestamps make a part of the same frames up to two milliseconds longer.
  if (coarse)
    timing.part_target += media::from_microseconds(microseconds(2'000), track.timescale);
  else
    timing.part_target += {timing.part_frames};  // one tick a frame: 60 fps in 1/1000000, 1/1000
  return timing;
}

}  // namespace kapok::packaging
