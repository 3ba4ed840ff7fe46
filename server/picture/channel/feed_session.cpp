#include "server/picture/channel/feed_session.hpp"

#include <utility>

#include "server/media/describe.hpp"
#include "server/picture/channel/channel.hpp"
#include "server/picture/channel/era_keeper.hpp"

namespace kapok::channel {
namespace {

bool is_packaged(const media::Track& track) {
  return media::is_packaged(track.codec);
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
    if (tracks_.size() >= kMaxTracks) return fail(Errc::limit, "more than {} tracks", kMaxTracks);
    tracks_[track->id].announced = track;
    if (!is_packaged(*track)) return TrackNews::ignored;
    gate_.announce(track->id, track->kind);
    timeline_.set_track(*track);
    return TrackNews::fresh;
  }
  TrackState& state = found->second;
  const std::shared_ptr<const media::Track> before = std::exchange(state.announced, track);
  if (!is_packaged(*track)) {
    return is_packaged(*before)
               ? Result<TrackNews>(fail(Errc::unsupported,
                                        "track {} changed to a codec that is not packaged",
                                        track->id))
               : TrackNews::unchanged;
  }
  if (same_parameters(*before, *track)) {
    if (before->facts == track->facts) return TrackNews::unchanged;
    state.complete_at_next_sync = true;
    return TrackNews::updated;
  }
  gate_.announce(track->id, track->kind);
  timeline_.set_track(*track);
  state.complete_at_next_sync = true;
  return is_packaged(*before) ? TrackNews::changed : TrackNews::fresh;
}

FeedSession::TrackState* FeedSession::measure(std::shared_ptr<const media::Packet>& packet) {
  last_packet_ = packet->arrival;
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
  return is_packaged(*state.announced) ? &state : nullptr;
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
    out.codec_string = track.codec_string;
    out.language = track.language;
    out.rendition = state.rendition;
    if (const auto* video = track.video()) out.video = *video;
    if (const auto* audio = track.audio()) out.audio = *audio;
    state.meter.fill(out);
  }
}

}  // namespace kapok::channel
