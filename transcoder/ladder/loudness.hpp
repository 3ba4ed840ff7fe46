// Loudness as EBU R 128 has it: a meter [ITU-R BS.1770-4], and a rider that brings live sound to a
// target. A programme's loudness is known only at its end, so the rider goes by what was heard in
// the last half minute, slowly, as a hand on a fader would; behind it a limiter holds true peaks
// below kCeiling. It delays by about 5 ms, where libavfilter's loudnorm takes 3 s. Used by one
// thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

namespace kapok::ladder {

// One vector a channel, all of one length.
using Planes = std::vector<std::vector<float>>;

class LoudnessMeter {
 public:
  // How far back it hears.
  static constexpr std::size_t kMaxHops = 300;

  // Channels in the order of ISO/IEC 23001-8: of six the fourth is the LFE, which does not count.
  LoudnessMeter(std::uint32_t sample_rate, std::size_t channels);

  // True: another 100 ms are complete.
  bool add(std::size_t channel_count, const float* samples);  // one of each channel
  // In LUFS; absent below the gates, or while nothing was heard.
  std::optional<double> momentary() const;        // 400 ms; at the start what there is
  std::optional<double> short_term() const;       // 3 s
  std::optional<double> gated() const;            // all that it hears, BS.1770's two gates applied
  std::uint64_t heard() const { return heard_; }  // hops above the absolute gate

 private:
  struct Biquad {
    double b0 = 1, b1 = 0, b2 = 0, a1 = 0, a2 = 0;
    double step(double in, double* state) const;
  };
  double mean_of_last(std::size_t hops) const;

  Biquad shelf_;
  Biquad high_pass_;
  std::vector<std::array<double, 4>> states_;
  std::vector<double> weights_;
  std::size_t hop_samples_;
  std::size_t in_hop_ = 0;
  double energy_ = 0;
  std::deque<double> hops_;  // mean squares of 100 ms each, the newest last
  std::uint64_t heard_ = 0;
};

// Holds the true peaks of what goes through below a ceiling.
class PeakLimiter {
 public:
  PeakLimiter(std::uint32_t sample_rate, std::size_t channels, double ceiling);
  std::size_t delay() const { return delay_; }
  // One sample of each channel in, one out in its place, delay() later.
  void step(float* samples);

 private:
  static constexpr std::size_t kTaps = 12;
  double true_peak(const float* samples);

  std::size_t channels_;
  double ceiling_;
  std::size_t window_;
  std::size_t delay_;
  double release_;
  std::vector<std::array<float, kTaps>> recent_;
  std::vector<float> line_;  // of delay_ + 1 samples of each channel, a ring
  std::size_t at_ = 0;
  std::uint64_t count_ = 0;
  std::deque<std::pair<std::uint64_t, double>> least_;  // rising gains of the window
  double held_ = 1;
  std::vector<double> averaged_;  // a ring of the window
  double sum_;
};

class LoudnessRider {
 public:
  // [EBU R 128 s1] -1 dBTP behind the encoder, which adds a little of its own.
  static constexpr double kCeilingDb = -2;
  static constexpr double kMaxBoostDb = 20;
  static constexpr double kMaxCutDb = 30;

  LoudnessRider(std::uint32_t sample_rate, std::size_t channels, double target_lufs);

  // Takes the samples and gives as many, though the first of all only delayed() later.
  void ride(Planes& planes);
  // What is still inside.
  Planes finish();
  std::size_t delayed() const { return inside_; }

 private:
  void turn();

  std::size_t channels_;
  double target_;
  LoudnessMeter meter_;
  PeakLimiter limiter_;
  double wanted_db_ = 0;
  double gain_ = 1;
  double gain_step_;  // share of the way to wanted_db_ in one sample
  std::size_t inside_ = 0;
  std::vector<float> one_;
};

}  // namespace kapok::ladder
