// Listens to decoded sound and tells of silence: every channel below -60 dBFS. Knows no engine and
// no clock; one thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "server/media/detection.hpp"
#include "transcoder/detect/stretch.hpp"

namespace kapok::detect {

// One channel's samples, wherever they lie: `step` samples apart, of one of these types.
template <class Sample>
struct Channel {
  const Sample* first = nullptr;
  std::size_t count = 0;
  std::size_t step = 1;
};

// The mean of the squares, where a full-scale square wave has 1.
double power(Channel<float> channel);
double power(Channel<double> channel);
double power(Channel<std::int16_t> channel);
double power(Channel<std::int32_t> channel);

class SilenceDetector {
 public:
  static constexpr double kSilentPower = 1e-6;  // -60 dBFS

  explicit SilenceDetector(const media::Detection& detection)
      : silence_(media::Anomaly::silence, detection.silence) {}

  // A block of some milliseconds from `at` on: the power of its loudest channel.
  void hear(double loudest, microseconds at, microseconds duration,
            std::vector<media::AnomalyEvent>& out) {
    silence_.put(loudest < kSilentPower ? Stretch::Found::yes : Stretch::Found::no, at,
                 at + duration, out);
  }
  // What follows does not continue what was.
  void end(std::vector<media::AnomalyEvent>& out) { silence_.end(out); }

 private:
  Stretch silence_;
};

}  // namespace kapok::detect
