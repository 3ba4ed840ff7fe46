#include "transcoder/ladder/loudness.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace kapok::ladder {

namespace {

constexpr std::size_t kHopsPerSecond = 10;
constexpr std::size_t kMomentaryHops = 4;
constexpr std::size_t kShortTermHops = 30;
constexpr double kOffset = -0.691;     // [BS.1770-4 annex 1] so that 0 dBFS at 997 Hz is -3.01
constexpr double kAbsoluteGate = -70;  // LUFS
constexpr double kRelativeGate = -10;  // LU below the mean of what passed the first
constexpr double kNothing = 1e-12;     // of energy

double lufs_of(double energy) {
  return kOffset + 10 * std::log10(std::max(energy, kNothing));
}

double linear(double db) {
  return std::pow(10, db / 20);
}

// [BS.1770-4 annex 2] four times as many samples, by a polyphase filter of 48 taps; the last two
// phases are the first two backwards.
constexpr std::array<std::array<float, 12>, 2> kPhases{{
    {0.0017089843750F, 0.0109863281250F, -0.0196533203125F, 0.0332031250000F, -0.0594482421875F,
     0.1373291015625F, 0.9721679687500F, -0.1022949218750F, 0.0476074218750F, -0.0266113281250F,
     0.0148925781250F, -0.0083007812500F},
    {-0.0291748046875F, 0.0292968750000F, -0.0517578125000F, 0.0891113281250F, -0.1665039062500F,
     0.4650878906250F, 0.7797851562500F, -0.2003173828125F, 0.1015625000000F, -0.0582275390625F,
     0.0330810546875F, -0.0189208984375F},
}};
// How far that filter's output is behind its input.
constexpr std::size_t kPeakDelay = 6;

}  // namespace

LoudnessMeter::LoudnessMeter(std::uint32_t sample_rate, std::size_t channels)
    : states_(channels), weights_(channels, 1), hop_samples_(sample_rate / kHopsPerSecond) {
  // The filters of BS.1770-4 annex 1, which lists them for 48 kHz, for any rate (the analogue
  // prototypes as libebur128 has them).
  {
    constexpr double kFrequency = 1681.974450955533;
    constexpr double kGainDb = 3.999843853973347;
    constexpr double kQ = 0.7071752369554196;
    const double k = std::tan(std::numbers::pi * kFrequency / sample_rate);
    const double vh = linear(kGainDb);
    const double vb = std::pow(vh, 0.4996667741545416);
    const double a0 = 1 + k / kQ + k * k;
    shelf_ = {.b0 = (vh + vb * k / kQ + k * k) / a0,
              .b1 = 2 * (k * k - vh) / a0,
              .b2 = (vh - vb * k / kQ + k * k) / a0,
              .a1 = 2 * (k * k - 1) / a0,
              .a2 = (1 - k / kQ + k * k) / a0};
  }
  {
    constexpr double kFrequency = 38.13547087602444;
    constexpr double kQ = 0.5003270373238773;
    const double k = std::tan(std::numbers::pi * kFrequency / sample_rate);
    const double a0 = 1 + k / kQ + k * k;
    high_pass_ = {
        .b0 = 1, .b1 = -2, .b2 = 1, .a1 = 2 * (k * k - 1) / a0, .a2 = (1 - k / kQ + k * k) / a0};
  }
  constexpr std::size_t kSurround = 6;
  constexpr double kRearWeight = 1.41;
  if (channels == kSurround) weights_ = {1, 1, 1, 0, kRearWeight, kRearWeight};
}

double LoudnessMeter::Biquad::step(double in, double* state) const {
  const double out = b0 * in + state[0];
  state[0] = b1 * in - a1 * out + state[1];
  state[1] = b2 * in - a2 * out;
  return out;
}

bool LoudnessMeter::add(std::size_t channel_count, const float* samples) {
  for (std::size_t c = 0; c < channel_count; ++c) {
    const double shelved = shelf_.step(static_cast<double>(samples[c]), states_[c].data());
    const double weighted = high_pass_.step(shelved, states_[c].data() + 2);
    energy_ += weights_[c] * weighted * weighted;
  }
  if (++in_hop_ < hop_samples_) return false;
  hops_.push_back(energy_ / static_cast<double>(hop_samples_));
  if (hops_.size() > kMaxHops) hops_.pop_front();
  energy_ = 0;
  in_hop_ = 0;
  if (momentary()) ++heard_;
  return true;
}

double LoudnessMeter::mean_of_last(std::size_t hops) const {
  double sum = 0;
  for (std::size_t i = 0; i < hops; ++i) sum += hops_[hops_.size() - 1 - i];
  return sum / static_cast<double>(hops);
}

std::optional<double> LoudnessMeter::momentary() const {
  if (hops_.empty()) return std::nullopt;
  const double loudness = lufs_of(mean_of_last(std::min(hops_.size(), kMomentaryHops)));
  return loudness > kAbsoluteGate ? std::optional(loudness) : std::nullopt;
}

std::optional<double> LoudnessMeter::short_term() const {
  if (hops_.size() < kShortTermHops) return std::nullopt;
  const double loudness = lufs_of(mean_of_last(kShortTermHops));
  return loudness > kAbsoluteGate ? std::optional(loudness) : std::nullopt;
}

std::optional<double> LoudnessMeter::gated() const {
  const auto mean_above = [this](double gate) -> std::optional<double> {
    double sum = 0;
    std::size_t blocks = 0;
    for (std::size_t i = 0; i + kMomentaryHops <= hops_.size(); ++i) {
      const double energy = (hops_[i] + hops_[i + 1] + hops_[i + 2] + hops_[i + 3]) / 4;
      if (lufs_of(energy) <= gate) continue;
      sum += energy;
      ++blocks;
    }
    if (blocks == 0) return std::nullopt;
    return lufs_of(sum / static_cast<double>(blocks));
  };
  const auto first = mean_above(kAbsoluteGate);
  return first ? mean_above(*first + kRelativeGate) : std::nullopt;
}

PeakLimiter::PeakLimiter(std::uint32_t sample_rate, std::size_t channels, double ceiling)
    : channels_(channels),
      ceiling_(ceiling),
      window_(sample_rate / 200),  // 5 ms
      delay_(window_ - 1 + kPeakDelay),
      release_(1 / (0.1 * sample_rate)),  // within 100 ms most of the way
      recent_(channels),
      line_((delay_ + 1) * channels),
      averaged_(window_, 1),
      sum_(static_cast<double>(window_)) {}

double PeakLimiter::true_peak(const float* samples) {
  float peak = 0;
  for (std::size_t c = 0; c < channels_; ++c) {
    auto& recent = recent_[c];
    std::shift_right(recent.begin(), recent.end(), 1);
    recent[0] = samples[c];
    for (const auto& phase : kPhases) {
      float forth = 0;
      float back = 0;
      for (std::size_t i = 0; i < kTaps; ++i) {
        forth += phase[i] * recent[i];
        back += phase[kTaps - 1 - i] * recent[i];
      }
      peak = std::max({peak, std::abs(forth), std::abs(back)});
    }
    // Between four points a peak may be a little higher; at the samples it is known.
    peak = std::max(peak, std::abs(recent[kPeakDelay]));
  }
  return static_cast<double>(peak);
}

// The least gain of a window, then its mean over as long a window: when a peak leaves the delay
// line every gain in that mean is low enough for it, and none jumped.
void PeakLimiter::step(float* samples) {
  const double peak = true_peak(samples);
  const double gain = peak > ceiling_ ? ceiling_ / peak : 1;
  while (!least_.empty() && least_.back().second >= gain) least_.pop_back();
  least_.emplace_back(count_, gain);
  if (least_.front().first + window_ <= count_) least_.pop_front();
  const double least = least_.front().second;
  held_ = least < held_ ? least : held_ + (least - held_) * release_;
  double& oldest = averaged_[count_ % window_];
  sum_ += held_ - oldest;
  oldest = held_;
  ++count_;
  // Rounding adds up over days.
  if (count_ % (window_ * 4096) == 0) {
    sum_ = 0;
    for (const double each : averaged_) sum_ += each;
  }
  const auto mean = static_cast<float>(sum_ / static_cast<double>(window_));
  float* slot = line_.data() + at_ * channels_;
  std::copy_n(samples, channels_, slot);
  at_ = (at_ + 1) % (delay_ + 1);
  const float* out = line_.data() + at_ * channels_;
  for (std::size_t c = 0; c < channels_; ++c) samples[c] = out[c] * mean;
}

LoudnessRider::LoudnessRider(std::uint32_t sample_rate, std::size_t channels, double target_lufs)
    : channels_(channels),
      target_(target_lufs),
      meter_(sample_rate, channels),
      limiter_(sample_rate, channels, linear(kCeilingDb)),
      gain_step_(1 / (0.05 * sample_rate)),
      one_(channels) {}

// Every 100 ms of sound.
void LoudnessRider::turn() {
  // Nobody turns up a pause.
  constexpr double kPauseBelow = 15;
  const auto now = meter_.momentary();
  if (!now) return;
  const auto programme = meter_.gated().value_or(*now);
  if (*now < programme - kPauseBelow) return;
  double db = target_ - programme;
  // Something much louder than what was before is not left so until the mean has followed.
  constexpr double kShortTermAbove = 4;
  if (const auto recent = meter_.short_term())
    db = std::min(db, target_ + kShortTermAbove - *recent);
  db = std::clamp(db, -kMaxCutDb, kMaxBoostDb);
  // dB a second. At the start nothing is known: a wrong loudness is heard longer than a turn, and
  // what is far too loud weighs most in the programme's.
  constexpr std::uint64_t kStartHops = 30;
  constexpr double kUpAtStart = 12;
  constexpr double kUp = 1.5;
  constexpr double kDown = 4;
  const bool starts = meter_.heard() < kStartHops;
  const double up = (starts ? kUpAtStart : kUp) / kHopsPerSecond;
  const double down = starts ? kMaxCutDb : kDown / kHopsPerSecond;
  wanted_db_ = std::clamp(db, wanted_db_ - down, wanted_db_ + up);
}

void LoudnessRider::ride(Planes& planes) {
  const std::size_t samples = planes.front().size();
  double wanted = linear(wanted_db_);
  std::size_t given = 0;
  for (std::size_t i = 0; i < samples; ++i) {
    for (std::size_t c = 0; c < channels_; ++c) one_[c] = planes[c][i];
    if (meter_.add(channels_, one_.data())) {
      turn();
      wanted = linear(wanted_db_);
    }
    gain_ += (wanted - gain_) * gain_step_;
    for (float& sample : one_) sample *= static_cast<float>(gain_);
    limiter_.step(one_.data());
    if (inside_ < limiter_.delay()) {
      ++inside_;
      continue;
    }
    for (std::size_t c = 0; c < channels_; ++c) planes[c][given] = one_[c];
    ++given;
  }
  for (auto& plane : planes) plane.resize(given);
}

Planes LoudnessRider::finish() {
  Planes rest(channels_);
  for (; inside_ > 0; --inside_) {
    std::ranges::fill(one_, 0.0F);
    limiter_.step(one_.data());
    for (std::size_t c = 0; c < channels_; ++c) rest[c].push_back(one_[c]);
  }
  return rest;
}

}  // namespace kapok::ladder
