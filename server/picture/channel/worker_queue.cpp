#include "server/picture/channel/worker_queue.hpp"

#include <algorithm>

namespace kapok::channel {

void WorkerQueue::track(std::shared_ptr<const media::Track> track) {
  const auto known =
      std::ranges::find(tracks_, track->id, [](const auto& other) { return other->id; });
  if (known != tracks_.end()) {
    if (*known == track) return;
    *known = track;
  } else {
    tracks_.push_back(track);
  }
  if (flowing_) items_.emplace_back(wire::SourceTrack{std::move(track)});
}

void WorkerQueue::packet(const media::Packet& packet, SegmentStart start) {
  if (full(packet)) {
    drop_all();
    behind_ = true;
  }
  const bool has_video = std::ranges::any_of(
      tracks_, [](const auto& track) { return track->kind == media::TrackKind::video; });
  if (!flowing_ && (start == SegmentStart::yes || !has_video)) begin();
  if (!flowing_) {
    if (behind_) ++dropped_;
    return;
  }
  given_ = true;
  bytes_ += packet.payload.size();
  newest_ = packet.arrival;
  if (!oldest_) oldest_ = packet.arrival;
  items_.emplace_back(wire::SourcePacket{packet, start == SegmentStart::yes});
}

void WorkerQueue::discontinuity() {
  if (flowing_) items_.emplace_back(wire::Discontinuity{});
  given_ = given_ && !flowing_;
  flowing_ = false;
  behind_ = false;
  tracks_.clear();
}

void WorkerQueue::restart() {
  items_.clear();
  bytes_ = 0;
  oldest_.reset();
  flowing_ = given_ = behind_ = false;
}

bool WorkerQueue::full(const media::Packet& packet) const {
  return oldest_ && (bytes_ + packet.payload.size() > limits_.bytes ||
                     items_.size() >= limits_.items || packet.arrival - *oldest_ > limits_.time);
}

void WorkerQueue::begin() {
  if (given_) items_.emplace_back(wire::Discontinuity{});
  for (const auto& track : tracks_) items_.emplace_back(wire::SourceTrack{track});
  flowing_ = true;
  behind_ = false;
}

void WorkerQueue::drop_all() {
  dropped_ +=
      static_cast<std::uint64_t>(std::ranges::count_if(items_, [](const wire::ToWorker& item) {
        return std::holds_alternative<wire::SourcePacket>(item);
      }));
  items_.clear();
  bytes_ = 0;
  oldest_.reset();
  flowing_ = false;
}

std::optional<wire::ToWorker> WorkerQueue::pop() {
  if (items_.empty()) return std::nullopt;
  std::optional<wire::ToWorker> item(std::move(items_.front()));
  items_.pop_front();
  if (const auto* packet = std::get_if<wire::SourcePacket>(&*item)) {
    bytes_ -= packet->packet.payload.size();
    oldest_.reset();
    const auto next = std::ranges::find_if(items_, [](const wire::ToWorker& waiting) {
      return std::holds_alternative<wire::SourcePacket>(waiting);
    });
    if (next != items_.end()) oldest_ = std::get<wire::SourcePacket>(*next).packet.arrival;
  }
  return item;
}

nanoseconds WorkerQueue::waiting() const {
  return oldest_ ? newest_ - *oldest_ : nanoseconds::zero();
}

}  // namespace kapok::channel
