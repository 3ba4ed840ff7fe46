#include "server/picture/channel/start_gate.hpp"

#include <algorithm>
#include <cassert>

namespace kapok::channel {
namespace {

// Sound from longer before the first picture is of no use.
constexpr nanoseconds kAudioBeforeVideo = seconds(2);
constexpr nanoseconds kJump = seconds(1);

}  // namespace

void StartGate::announce(media::TrackId track, media::TrackKind kind) {
  announced_[track] = kind;
}

void StartGate::withdraw(media::TrackId track) {
  announced_.erase(track);
  forget(track);
}

void StartGate::add(HeldPacket held) {
  const media::Packet& packet = *held.packet;
  const auto kind = announced_.find(packet.track);
  assert(kind != announced_.end());
  now_ = packet.arrival;
  if (!first_arrival_) first_arrival_ = now_;
  const auto shown = shown_.find(packet.track);
  if (kind->second == media::TrackKind::video) {
    video_seen_ = true;
    if (shown == shown_.end() && !packet.sync) {
      ++dropped_;
      drop_before(now_ - kAudioBeforeVideo);
      return;
    }
  }
  if (shown != shown_.end()) {
    const nanoseconds step = held.feed - shown->second.last_feed;
    const nanoseconds passed = packet.arrival - shown->second.last_arrival;
    if (step < -kJump || step - passed > kJump) {
      // Another jump: what was held of this track is from before it.
      forget(packet.track);
      if (kind->second == media::TrackKind::video && !packet.sync) {
        ++dropped_;
        return;
      }
    }
  }
  if (bytes_ + packet.payload.size() > kMaxBytes ||
      (!held_.empty() && now_ - held_.front().packet->arrival > kMaxHeld)) {
    dropped_ += held_.size();
    clear();
    first_arrival_ = now_;
    video_seen_ = kind->second == media::TrackKind::video;
    if (video_seen_ && !packet.sync) {
      ++dropped_;
      return;
    }
  }
  const auto [entry, is_new] = shown_.try_emplace(packet.track, Shown{now_, held.feed, now_});
  entry->second.last_feed = held.feed;
  entry->second.last_arrival = now_;
  bytes_ += packet.payload.size();
  held_.push_back(std::move(held));
}

std::optional<media::TrackId> StartGate::leader() const {
  for (const media::TrackKind wanted : {media::TrackKind::video, media::TrackKind::audio})
    for (const auto& [id, seen] : shown_)
      if (announced_.at(id) == wanted) return id;
  return std::nullopt;
}

bool StartGate::ready() const {
  const auto lead = leader();
  if (!lead) return false;
  const auto announced = [&](media::TrackKind kind) {
    return std::ranges::any_of(announced_, [&](const auto& entry) { return entry.second == kind; });
  };
  const bool has_video = announced(media::TrackKind::video);
  const bool has_audio = announced(media::TrackKind::audio);
  if (has_video && announced_.at(*lead) != media::TrackKind::video &&
      (video_seen_ || now_ - *first_arrival_ < kMaxWaitForVideo))
    return false;

  const nanoseconds waited = now_ - shown_.at(*lead).first_arrival;
  const bool all_shown = shown_.size() == announced_.size();
  if (!all_shown && waited < kMaxWaitForAnnounced) return false;
  if (!(has_video && has_audio) && waited < kWaitForOtherKind) return false;

  if (waited < kLook) return false;

  // Is the leading track still coming faster than it plays?
  std::optional<nanoseconds> first_delay;
  nanoseconds least{0};
  MonoTime fell;
  for (const HeldPacket& held : held_) {
    if (held.packet->track != *lead) continue;
    const nanoseconds delay = held.packet->arrival.time_since_epoch() - held.feed;
    if (!first_delay) {
      first_delay = least = delay;
      fell = held.packet->arrival;
    } else if (delay < least - milliseconds(10)) {
      least = delay;
      fell = held.packet->arrival;
    }
  }
  return *first_delay - least < kBurst || now_ - fell >= kBurstOver || waited >= kMaxBurst;
}

GateOpening StartGate::open() {
  GateOpening opening;
  const auto lead = leader();
  assert(lead);
  bool first = true;
  for (const HeldPacket& held : held_) {
    if (held.packet->track != *lead) continue;
    const nanoseconds delay = held.packet->arrival.time_since_epoch() - held.feed;
    if (first) {
      opening.feed = held.feed;
      opening.composition = std::max(nanoseconds::zero(), held.composition);
    }
    opening.delay = first ? delay : std::min(opening.delay, delay);
    first = false;
  }
  for (const auto& [id, seen] : shown_) opening.tracks.push_back(id);
  opening.packets = std::move(held_);
  clear();
  return opening;
}

void StartGate::clear() {
  held_.clear();
  shown_.clear();
  bytes_ = 0;
  video_seen_ = false;
  first_arrival_.reset();
}

void StartGate::forget(media::TrackId track) {
  std::erase_if(held_, [&](const HeldPacket& held) {
    if (held.packet->track != track) return false;
    bytes_ -= held.packet->payload.size();
    ++dropped_;
    return true;
  });
  shown_.erase(track);
}

void StartGate::drop_before(MonoTime arrival) {
  std::erase_if(held_, [&](const HeldPacket& held) {
    if (held.packet->arrival >= arrival) return false;
    bytes_ -= held.packet->payload.size();
    ++dropped_;
    return true;
  });
}

}  // namespace kapok::channel
