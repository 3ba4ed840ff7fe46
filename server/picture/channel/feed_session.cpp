#include "server/picture/channel/feed_session.hpp"

#include <algorithm>
#include <utility>

#include "server/media/describe.hpp"
#include "server/media/supplemental.hpp"
#include "server/picture/channel/channel.hpp"
#include "server/picture/channel/era_keeper.hpp"

namespace kapok::channel {
namespace {

bool is_packaged(const media::Track& track) {
  return media::is_packaged(track.codec);
}

bool is_picture_or_sound(const media::Track& track) {
  return track.kind == media::TrackKind::video || track.kind == media::TrackKind::audio;
}

bool has_sensible_times(const media::Packet& packet, Timescale timescale) {
  const auto decoded = feed_time(packet.dts, timescale);
  const auto presented = feed_time(packet.pts, timescale);
  if (!decoded || !presented) return false;
  const nanoseconds composition = *presented - *decoded;
  return composition <= FeedSession::kMaxComposition &&
         composition >= -FeedSession::kMaxComposition;
}

}  // namespace

FeedSession::FeedSession(Channel& channel, std::string feed, media::PublishRequest request,
                         Counter& dropped, MonoTime opened, UtcTime since)
    : channel_(&channel),
      feed_(std::move(feed)),
      request_(std::move(request)),
      dropped_counter_(dropped),
      opened_(opened),
      since_(since) {
  request_.key.clear();  // its work is done
}

Result<void> FeedSession::take(media::FeedItem item) {
  if (channel_ == nullptr) return fail(Errc::closed, "the channel has closed this feed");
  return channel_->take(*this, std::move(item));
}

void FeedSession::cut(std::string_view reason) {
  if (channel_ != nullptr) channel_->close_session(*this, media::FeedEnd::error, reason);
}

std::function<void(std::string_view)> FeedSession::detach() {
  channel_ = nullptr;
  gate_.clear();
  return std::exchange(request_.close, nullptr);
}

Result<TrackNews> FeedSession::announce(const std::shared_ptr<const media::Track>& track) {
  if (track->timescale == 0) return fail(Errc::malformed, "track {} without timescale", track->id);
  const auto found = tracks_.find(track->id);
  if (found == tracks_.end()) {
    if (tracks_.size() >= kMaxTracks && !is_packaged(*track)) return TrackNews::ignored;
    if (tracks_.size() >= kMaxTracks) return fail(Errc::limit, "more than {} tracks", kMaxTracks);
    TrackState& state = tracks_[track->id];
    state.announced = track;
    if (!is_packaged(*track)) {
      if (carries(state)) expect(*track);
      return TrackNews::beside;
    }
    expect(*track);
    return end_readers_alone() ? TrackNews::changed : TrackNews::fresh;
  }
  TrackState& state = found->second;
  const std::shared_ptr<const media::Track> before = std::exchange(state.announced, track);
  if (!is_packaged(*track)) {
    if (carries(state)) expect(*track);
    if (!is_packaged(*before)) return TrackNews::beside_updated;
    gate_.withdraw(track->id);
    return TrackNews::changed;
  }
  if (same_parameters(*before, *track)) {
    if (before->facts == track->facts) return TrackNews::unchanged;
    state.complete_at_next_sync = true;
    return TrackNews::updated;
  }
  expect(*track);
  state.complete_at_next_sync = true;
  const bool begins = end_readers_alone();
  if (!is_packaged(*before)) state.rendered.reset();
  return is_packaged(*before) || begins ? TrackNews::changed : TrackNews::fresh;
}

void FeedSession::expect(const media::Track& track) {
  gate_.announce(track.id, track.kind);
  timeline_.set_track(track);
}

void FeedSession::begin_readers_alone() {
  const auto packaged = [](const auto& entry) { return is_packaged(*entry.second.announced); };
  if (std::ranges::any_of(tracks_, packaged)) return;
  for_readers_alone_ = true;
  for (const auto& [id, state] : tracks_)
    if (carries(state)) expect(*state.announced);
}

bool FeedSession::end_readers_alone() {
  if (!std::exchange(for_readers_alone_, false)) return false;
  for (const auto& [id, state] : tracks_)
    if (!is_packaged(*state.announced)) gate_.withdraw(id);
  return true;
}

bool FeedSession::carries(const TrackState& state) const {
  return is_packaged(*state.announced) ||
         (for_readers_alone_ && is_picture_or_sound(*state.announced));
}

bool FeedSession::has_picture() const {
  return std::ranges::any_of(tracks_, [&](const auto& entry) {
    const TrackState& state = entry.second;
    return state.rendered && carries(state) && state.announced->kind == media::TrackKind::video;
  });
}

FeedSession::TrackState* FeedSession::measure(std::shared_ptr<const media::Packet>& packet) {
  last_packet_ = packet->arrival;
  if (!first_packet_) first_packet_ = packet->arrival;
  if (!for_readers_alone_ && packet->arrival - *first_packet_ >= kWaitForPackaged)
    begin_readers_alone();
  ++packets_;
  bytes_ += packet->payload.size();
  const auto found = tracks_.find(packet->track);
  if (found == tracks_.end()) return nullptr;
  TrackState& state = found->second;
  if (!has_sensible_times(*packet, state.announced->timescale)) return nullptr;
  if (const Ticks added = state.unwrap.adjust(packet->dts); added.count != 0) {
    auto unwrapped = std::make_shared<media::Packet>(*packet);
    unwrapped->dts += added;
    unwrapped->pts += added;
    packet = std::move(unwrapped);
  }
  if (const auto feed = feed_time(packet->dts, state.announced->timescale))
    state.meter.add(*feed, packet->payload.size(), packet->sync);
  return &state;
}

packaging::RenditionTrack FeedSession::render(TrackState& track, const media::Packet& first) {
  const auto complete = media::enriched(track.announced, first.payload.bytes());
  auto rendered = std::make_shared<media::Track>(*complete);
  rendered->timescale = output_timescale(*complete);
  track.rendered = rendered;
  track.rendition = names_.name(*rendered);
  track.complete_at_next_sync = false;
  return {track.rendition, track.rendered};
}

std::shared_ptr<const media::Track> FeedSession::show(media::TrackId id) {
  TrackState& state = tracks_.at(id);
  auto shown = std::make_shared<media::Track>(*state.announced);
  shown->timescale = output_timescale(*shown);
  state.rendered = shown;
  state.complete_at_next_sync = false;
  return shown;
}

void FeedSession::show_all() {
  for (const auto& [id, state] : tracks_)
    if (!is_packaged(*state.announced)) show(id);
}

void FeedSession::wait_at_gate() {
  at_gate_ = true;
  gate_.clear();
  for (auto& [id, track] : tracks_) track.rendered.reset();
}

void FeedSession::fill(FeedFacts& facts, MonoTime now) const {
  facts.connected = true;
  facts.protocol = request_.protocol;
  facts.peer = request_.peer;
  facts.encoder = request_.encoder;
  facts.since = since_;
  facts.drift_ppm = timeline_.drift_ppm();
  facts.slew_ppm = timeline_.slew_ppm();
  facts.packets = packets_;
  facts.bytes = bytes_;
  facts.dropped_packets = dropped_ + gate_.dropped();
  facts.discontinuities = discontinuities_;
  if (last_packet_)
    facts.last_packet_age = std::chrono::duration_cast<microseconds>(now - *last_packet_);
  for (const auto& [id, state] : tracks_) {
    const media::Track& track = state.rendered ? *state.rendered : *state.announced;
    TrackFacts& out = facts.tracks.emplace_back();
    out.id = id;
    out.kind = track.kind;
    out.codec = track.codec;
    out.codec_string = media::offered_codec(track);
    out.language = track.language;
    out.rendition = state.rendition;
    if (const auto* video = track.video()) out.video = *video;
    if (const auto* audio = track.audio()) out.audio = *audio;
    if (track.ts) out.ts_stream_type = track.ts->stream_type;
    state.meter.fill(out);
  }
}

}  // namespace kapok::channel
