#include "server/picture/channel/timeline.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>

namespace kapok::channel {
namespace {

constexpr std::size_t kMaxKnots = 16;
constexpr seconds kMaxFrame{10};
constexpr std::int64_t kMaxSeconds = std::int64_t{100} * 366 * 86'400;

std::int64_t ticks_at(ChannelTime time, Timescale timescale) {
  return media::from_nanoseconds(time, timescale).count;
}

}  // namespace

std::optional<nanoseconds> feed_time(Ticks time, Timescale timescale) {
  if (timescale == 0) return std::nullopt;
  const std::int64_t whole = time.count / timescale;
  if (whole > kMaxSeconds || whole < -kMaxSeconds) return std::nullopt;
  return media::to_nanoseconds(time, timescale);
}

Ticks Unwrapper::adjust(Ticks dts) {
  constexpr std::array kWraps{std::int64_t{1} << 32, std::int64_t{1} << 33};
  // What still counts as going on: a minute of milliseconds, seven tenths of a second of 90 kHz.
  constexpr std::int64_t kNear = 60'000;
  if (last_) {
    const std::int64_t step = dts.count + added_.count - last_->count;
    for (const std::int64_t wrap : kWraps)
      if (std::abs(step + wrap) < kNear) added_.count += wrap;
  }
  last_ = dts + added_;
  return added_;
}

void Timeline::set_track(const media::Track& track) {
  TrackState& state = tracks_[track.id];
  const Timescale out = output_timescale(track);
  const std::optional<FrameLength> frame = nominal_frame(track);
  // A video timescale fine enough to be kept carries no rounding worth undoing.
  const bool rounded = track.kind == media::TrackKind::audio || track.timescale != out;
  if (state.cadence && state.kind == track.kind && state.in == track.timescale &&
      state.out == out) {
    if (rounded && frame) state.cadence->set_frame(frame);
    return;
  }
  state = TrackState{};
  state.kind = track.kind;
  state.in = std::max<Timescale>(1, track.timescale);
  state.out = out;
  state.cadence.emplace(state.in, out, track.kind);
  state.cadence->set_max_nudge(max_nudge_);
  if (rounded) state.cadence->set_frame(frame);
}

void Timeline::anchor(nanoseconds feed, MonoTime arrival, ChannelTime at) {
  clock_ = {arrival, at};
  offset_ = at - feed;
  knots_.assign(1, Knot{feed, 0, 0});
  newest_ = feed;
  end_ = at;
  drift_ = {};
  reference_.reset();
  adopt_delay_ = false;
  delay_bias_ns_ = 0;
  for (auto& [id, track] : tracks_) {
    track.started = false;
    track.last_feed.reset();
    track.reorder = 0;
  }
}

void Timeline::set_segment_duration(nanoseconds duration) {
  if (duration <= nanoseconds::zero()) return;
  const double bound = static_cast<double>(kMaxSlewPerSegment.count()) /
                       static_cast<double>(duration.count()) / 500e-6;
  const double share = std::min(1.0, bound);
  max_slew_ = kMaxSlew * share;
  max_nudge_ = kMaxNudge * share;
  for (auto& [id, track] : tracks_) track.cadence->set_max_nudge(max_nudge_);
}

double Timeline::slew_ns_at(nanoseconds feed) const {
  for (auto knot = knots_.rbegin(); knot != knots_.rend(); ++knot)
    if (knot->feed <= feed || std::next(knot) == knots_.rend())
      return knot->slew_ns + knot->rate * static_cast<double>((feed - knot->feed).count());
  return 0;
}

nanoseconds Timeline::slew_at(nanoseconds feed) const {
  return nanoseconds(std::llround(slew_ns_at(feed)));
}

void Timeline::start(TrackState& track, Ticks dts, nanoseconds feed) const {
  const std::optional<FrameLength> frame = track.cadence->frame();
  track.cadence.emplace(track.in, track.out, track.kind);
  track.cadence->set_max_nudge(max_nudge_);
  track.cadence->set_frame(frame);
  track.first = dts;
  track.base = ticks_at(feed + offset_, track.out);
  track.last = 0;
  track.reorder = 0;
  track.started = true;
}

Placement Timeline::place(const media::Packet& packet, Placed& placed) {
  const auto found = tracks_.find(packet.track);
  assert(found != tracks_.end() && !knots_.empty());
  TrackState& track = found->second;
  const Ticks dts = packet.dts;
  const std::optional<nanoseconds> time = feed_time(dts, track.in);
  if (!time) return Placement::stale;
  const nanoseconds feed = *time;
  const nanoseconds ahead = channel_time(feed) - clock_.at(packet.arrival);

  if (!track.started) {
    const nanoseconds bound = packet.arrival - clock_.mono < kGrace ? kMaxApartInGrace : kMaxApart;
    if (feed - newest_ > bound || newest_ - feed > bound) return Placement::stale;
    start(track, dts, feed);
  } else {
    const nanoseconds step = feed - *track.last_feed;
    if (step < -kMaxStepBack || (step > kMaxStepForward && ahead > kMaxStepForward))
      return Placement::jumped;
  }
  track.last_feed = feed;

  Cadence& cadence = *track.cadence;
  if (track.kind == media::TrackKind::video && track.in != track.out && !cadence.frame())
    if (const auto rate = track.rate.add(static_cast<double>((dts - track.first).count) / track.in))
      cadence.set_frame(FrameLength{std::int64_t{track.out} * rate->denominator, rate->numerator});

  const std::int64_t even = cadence.next((dts - track.first).count);
  const std::int64_t slewed =
      track.base + even + std::llround(slew_ns_at(feed) * 1e-9 * static_cast<double>(track.out));
  const std::int64_t composition = cadence.offset((packet.pts - packet.dts).count);
  // Some encoders let pts run before dts (edit-list style). Decoding is moved earlier for good, by
  // as little as needed: presentation, and with it lip-sync, stays.
  track.reorder = std::max(track.reorder, -composition);
  placed.dts.count = std::max(slewed - track.reorder, track.last + 1);
  placed.pts.count = std::max(slewed + composition, placed.dts.count);
  // A duration beyond any frame's would only move the end of the timeline.
  const bool told =
      packet.duration.count > 0 && packet.duration.count / track.in < kMaxFrame.count();
  placed.duration = told ? media::rescale(packet.duration, track.in, track.out) : Ticks{};
  if (track.kind == media::TrackKind::audio && cadence.frame())
    placed.duration.count = cadence.frame()->numerator / cadence.frame()->denominator;
  const std::int64_t length =
      placed.duration.count > 0
          ? placed.duration.count
          : (track.last > 0 ? std::min<std::int64_t>(placed.dts.count - track.last, track.out) : 0);
  track.last = placed.dts.count;
  end_ = std::max(end_, media::to_nanoseconds({placed.dts.count + length}, track.out));
  newest_ = std::max(newest_, feed);
  observe(packet.track, packet, feed);
  return Placement::placed;
}

std::optional<Placed> Timeline::place_beside(const media::Packet& packet, Timescale in,
                                             Timescale out) const {
  const std::optional<nanoseconds> feed = feed_time(packet.dts, in);
  if (!feed || *feed - newest_ > kMaxApart || newest_ - *feed > kMaxApart) return std::nullopt;
  Placed placed;
  placed.dts.count = ticks_at(channel_time(*feed), out);
  placed.pts = placed.dts + media::rescale(packet.pts - packet.dts, in, out);
  if (packet.duration.count > 0 && packet.duration.count / in < kMaxFrame.count())
    placed.duration = media::rescale(packet.duration, in, out);
  return placed;
}

// Arrival is judged by one track only: audio may be sent half a second before its picture, and the
// smallest delay of both would then be the audio's.
void Timeline::observe(media::TrackId id, const media::Packet& packet, nanoseconds feed) {
  const bool video = tracks_.at(id).kind == media::TrackKind::video;
  if (!reference_ || (video && tracks_.at(*reference_).kind != media::TrackKind::video) ||
      packet.arrival - reference_seen_ > kReferenceSilence) {
    // Another track takes over: it drifts from where the mapping is now, whatever its own delay.
    if (reference_ && *reference_ != id) {
      adopt_delay_ = true;
      drift_ = {};
    }
    reference_ = id;
  }
  if (*reference_ != id) return;
  reference_seen_ = packet.arrival;
  const nanoseconds delay = packet.arrival.time_since_epoch() - feed;
  if (const auto fit = drift_.sample(packet.arrival, delay)) steer(*fit, packet.arrival);
}

void Timeline::steer(const DriftFit& fit, MonoTime now) {
  // The packet that arrives just now without more than usual jitter has this feed time, and should
  // stand at clock_.at(now).
  const nanoseconds feed = now.time_since_epoch() - fit.least_delay - fit.jitter;
  double error_ns = static_cast<double>((clock_.at(now) - channel_time(feed)).count());
  if (adopt_delay_) {
    delay_bias_ns_ = error_ns;
    adopt_delay_ = false;
  }
  error_ns -= delay_bias_ns_;
  const double rate =
      std::clamp(fit.slope + error_ns * 1e-9 / kSettleSeconds, -max_slew_, max_slew_);
  // From the newest packet on, so that no track sees its past moved.
  knots_.push_back({newest_, slew_ns_at(newest_), rate});
  if (knots_.size() > kMaxKnots) knots_.pop_front();
}

double Timeline::drift_ppm() const {
  const auto& fit = drift_.fit();
  return fit ? -fit->slope * 1e6 : 0;
}

}  // namespace kapok::channel
