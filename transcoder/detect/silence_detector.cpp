#include "transcoder/detect/silence_detector.hpp"

namespace kapok::detect {

namespace {

template <class Sample>
double mean_square(Channel<Sample> channel, double full_scale) {
  if (channel.count == 0) return 0;
  double sum = 0;
  for (std::size_t i = 0; i < channel.count; ++i) {
    const auto sample = static_cast<double>(channel.first[i * channel.step]);
    sum += sample * sample;
  }
  return sum / (static_cast<double>(channel.count) * full_scale * full_scale);
}

}  // namespace

double power(Channel<float> channel) {
  return mean_square(channel, 1);
}
double power(Channel<double> channel) {
  return mean_square(channel, 1);
}
double power(Channel<std::int16_t> channel) {
  return mean_square(channel, 32'768.0);
}
double power(Channel<std::int32_t> channel) {
  return mean_square(channel, 2'147'483'648.0);
}

}  // namespace kapok::detect
