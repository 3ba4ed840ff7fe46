#include "server/picture/channel/era_keeper.hpp"

#include <algorithm>
#include <utility>

namespace kapok::channel {

bool same_parameters(const media::Track& a, const media::Track& b) {
  return a.kind == b.kind && a.codec == b.codec && a.timescale == b.timescale &&
         a.codec_string == b.codec_string && a.language == b.language &&
         std::ranges::equal(a.config.bytes(), b.config.bytes());
}

EraKeeper::EraKeeper(std::unique_ptr<Rendering> rendering, const Clock& clock, Log log)
    : rendering_(std::move(rendering)), clock_(clock), log_(std::move(log)) {}

Result<void> EraKeeper::open() {
  const UtcTime end = KAPOK_TRY(rendering_->open());
  end_ = end.time_since_epoch();
  return {};
}

bool EraKeeper::continues(const AirRequest& request) const {
  if (eras_ == 0 || request.continuity == Continuity::broken || request.feed != feed_ ||
      request.arrival - last_arrival_ > kContinueWithin || request.tracks.size() != tracks_.size())
    return false;
  return std::ranges::all_of(request.tracks, [&](const packaging::RenditionTrack& wanted) {
    return std::ranges::any_of(tracks_, [&](const packaging::RenditionTrack& there) {
      return there.rendition == wanted.rendition && same_parameters(*there.track, *wanted.track);
    });
  });
}

EraKeeper::Start EraKeeper::begin(AirRequest request) {
  const bool goes_on = continues(request);
  last_arrival_ = std::max(last_arrival_, request.arrival);
  if (goes_on) {
    const ChannelTime at = std::max(era_clock_.at(request.arrival), end_);
    for (packaging::RenditionTrack& track : request.tracks) update_track(std::move(track));
    return {at, false};
  }
  // The wall clock is looked at here and nowhere else. The channel's time never goes back
  // [RFC8216bis 6.2.1: nor do its numbers], not after a restart and not after an NTP step.
  const ChannelTime utc = clock_.utc().time_since_epoch() - (clock_.mono() - request.arrival);
  // Whole milliseconds are whole ticks at 90 kHz and 48 kHz.
  const ChannelTime at = std::chrono::ceil<milliseconds>(std::max(utc, end_));
  era_clock_ = {request.arrival, at};
  feed_ = std::move(request.feed);
  tracks_ = request.tracks;
  last_.clear();
  era_start_ = end_ = at;
  ++eras_;
  const UtcTime start{std::chrono::duration_cast<microseconds>(at)};
  log_.info("era.started",
            {{"feed", feed_}, {"start", format_utc(start)}, {"tracks", tracks_.size()}});
  if (!request.tracks.empty()) rendering_->start_era(start, std::move(request.tracks));
  return {at, true};
}

void EraKeeper::add_track(packaging::RenditionTrack track) {
  tracks_.push_back(track);
  rendering_->add_track(std::move(track));
}

void EraKeeper::update_track(packaging::RenditionTrack track) {
  const auto there =
      std::ranges::find(tracks_, track.rendition, &packaging::RenditionTrack::rendition);
  if (there == tracks_.end() || there->track->facts == track.track->facts) return;
  there->track = track.track;
  rendering_->update_track(std::move(track));
}

Result<void> EraKeeper::append(const std::string& rendition, const media::Packet& packet,
                               ChannelTime end) {
  go_on(packet.arrival, end);
  return append_rising(rendition, packet);
}

Result<void> EraKeeper::append_rising(const std::string& rendition, const media::Packet& packet) {
  const auto [last, first] = last_.try_emplace(rendition, packet.dts);
  if (!first && packet.dts <= last->second)
    return fail(Errc::malformed, "dts {} does not follow {}", packet.dts.count, last->second.count);
  last->second = packet.dts;
  return rendering_->append(rendition, packet);
}

void EraKeeper::add_rung(packaging::RenditionTrack track) {
  rendering_->add_track(std::move(track));
}

bool EraKeeper::covers(media::Ticks pts, media::Timescale timescale) const {
  // Rounded to a timescale's ticks and back.
  constexpr nanoseconds kRounding = microseconds(50);
  return eras_ > 0 && media::to_nanoseconds(pts, timescale) + kRounding >= era_start_;
}

void EraKeeper::go_on(MonoTime arrival, ChannelTime end) {
  last_arrival_ = std::max(last_arrival_, arrival);
  end_ = std::max(end_, end);
}

void EraKeeper::set_live() {
  if (live_since_) return;
  live_since_ = clock_.utc();
  rendering_->feed_live();
}

void EraKeeper::set_idle() {
  if (!live_since_) return;
  live_since_.reset();
  rendering_->feed_idle();
}

Task<> EraKeeper::close() {
  return rendering_->close();
}

}  // namespace kapok::channel
