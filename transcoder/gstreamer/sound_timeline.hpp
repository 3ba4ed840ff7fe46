// Samples put where their times say: a small difference is stretched away, a gap is filled with
// silence and an overlap cut, so that sound is never further from its time than kMaxError. Samples
// are interleaved floats. Pure, used by one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "server/media/time.hpp"

namespace kapok::gstreamer {

class SoundTimeline {
 public:
  // Lips and voice drift apart visibly at 40 ms; half of it leaves room for the encoder's frames.
  static constexpr std::chrono::milliseconds kMaxError{20};
  static constexpr std::chrono::milliseconds kStretchedAbove{2};
  // Beyond it a jump is one: the encoder begins anew there.
  static constexpr std::chrono::milliseconds kMaxGap{1000};
  // A tenth of a per cent is a pitch that nobody hears.
  static constexpr std::size_t kStretchShare = 1000;

  SoundTimeline(std::uint32_t rate, std::size_t channels) : rate_(rate), channels_(channels) {}

  std::uint32_t rate() const { return rate_; }
  std::size_t channels() const { return channels_; }
  // Whether samples at this time may follow without a jump.
  bool continues(std::chrono::nanoseconds pts) const;
  // What follows what was returned before, gapless.
  std::vector<float> place(std::span<const float> samples, std::chrono::nanoseconds pts);
  std::chrono::nanoseconds begin() const;            // of the first sample
  std::int64_t written() const { return written_; }  // samples of one channel

 private:
  std::int64_t samples(std::chrono::nanoseconds time) const;
  // How many samples these lie behind what was written (negative: before it).
  std::int64_t error_of(std::chrono::nanoseconds pts) const;
  std::vector<float> stretched(std::span<const float> samples, std::int64_t by) const;

  std::uint32_t rate_;
  std::size_t channels_;
  std::optional<std::int64_t> base_;  // of the first sample, in samples since 1970
  std::int64_t written_ = 0;
};

}  // namespace kapok::gstreamer
