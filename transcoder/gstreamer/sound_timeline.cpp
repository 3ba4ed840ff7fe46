#include "transcoder/gstreamer/sound_timeline.hpp"

#include <algorithm>
#include <cstdlib>

namespace kapok::gstreamer {

std::int64_t SoundTimeline::samples(std::chrono::nanoseconds time) const {
  return media::from_nanoseconds(time, rate_).count;
}

std::chrono::nanoseconds SoundTimeline::begin() const {
  return media::to_nanoseconds({base_.value_or(0)}, rate_);
}

std::int64_t SoundTimeline::error_of(std::chrono::nanoseconds pts) const {
  return samples(pts) - (*base_ + written_);
}

bool SoundTimeline::continues(std::chrono::nanoseconds pts) const {
  return !base_ || std::abs(error_of(pts)) <= samples(kMaxGap);
}

std::vector<float> SoundTimeline::place(std::span<const float> samples_in,
                                        std::chrono::nanoseconds pts) {
  if (!base_) base_ = samples(pts);
  const std::int64_t error = error_of(pts);
  const auto frames = static_cast<std::int64_t>(samples_in.size() / channels_);
  std::vector<float> placed;
  if (error > samples(kMaxError)) {
    placed.resize(static_cast<std::size_t>(error) * channels_);
    placed.insert(placed.end(), samples_in.begin(), samples_in.end());
  } else if (error < -samples(kMaxError)) {
    const std::int64_t cut = std::min(-error, frames);
    const auto kept = samples_in.subspan(static_cast<std::size_t>(cut) * channels_);
    placed.assign(kept.begin(), kept.end());
  } else if (std::abs(error) > samples(kStretchedAbove)) {
    const std::int64_t most = std::max<std::int64_t>(1, frames / std::int64_t{kStretchShare});
    placed = stretched(samples_in, std::clamp(error, -most, most));
  } else {
    placed.assign(samples_in.begin(), samples_in.end());
  }
  written_ += static_cast<std::int64_t>(placed.size() / channels_);
  return placed;
}

// Between neighbours in a straight line: a sample in a thousand is added or left out over the whole
// buffer, of which the ends stay where they are.
std::vector<float> SoundTimeline::stretched(std::span<const float> in, std::int64_t by) const {
  const std::size_t frames = in.size() / channels_;
  const auto wanted = static_cast<std::size_t>(static_cast<std::int64_t>(frames) + by);
  if (frames < 2 || wanted < 2) return {in.begin(), in.end()};
  std::vector<float> out(wanted * channels_);
  const double step = static_cast<double>(frames - 1) / static_cast<double>(wanted - 1);
  for (std::size_t i = 0; i < wanted; ++i) {
    const double at = static_cast<double>(i) * step;
    const std::size_t left = std::min(static_cast<std::size_t>(at), frames - 2);
    const auto share = static_cast<float>(at - static_cast<double>(left));
    for (std::size_t channel = 0; channel < channels_; ++channel) {
      const float a = in[left * channels_ + channel];
      const float b = in[(left + 1) * channels_ + channel];
      out[i * channels_ + channel] = a + (b - a) * share;
    }
  }
  return out;
}

}  // namespace kapok::gstreamer
