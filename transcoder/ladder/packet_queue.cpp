#include "transcoder/ladder/packet_queue.hpp"

#include <algorithm>
#include <utility>

namespace kapok::ladder {

bool PacketQueue::has_room(std::size_t bytes) const {
  return items_.empty() ||
         (bytes_ + bytes <= kMaxBytes && items_.size() < kMaxItems && span_locked() < kMaxSpan);
}

bool PacketQueue::push(SourcePacket item, media::Timescale timescale, Pace pace, MonoTime now) {
  const std::size_t size = item.packet.payload.size();
  const auto time = media::to_nanoseconds(item.packet.dts, timescale);
  std::unique_lock lock(mutex_);
  if (pace == Pace::file) {
    changed_.wait(lock, [&] { return closed_ || has_room(size); });
  } else if (dropping_ || !has_room(size) || age_locked(now) > kMaxAge) {
    // Back at a sync packet, once half of the wait is gone: not to drop again at once.
    dropping_ = !item.packet.sync || !has_room(size) || span_locked() > kMaxSpan / 2 ||
                age_locked(now) > kMaxAge / 2;
    if (dropping_) return false;
  }
  if (closed_) return false;
  timescale_ = timescale;
  last_in_ = time;
  if (!std::exchange(holds_packets_, true)) last_out_ = time;
  bytes_ += size;
  items_.push_back({std::move(item), now});
  changed_.notify_all();
  return true;
}

void PacketQueue::push(std::shared_ptr<const media::Track> track) {
  push_always(std::move(track));
}

void PacketQueue::push(Flush flush) {
  push_always(std::move(flush));
}

void PacketQueue::push_always(SourceItem item) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return closed_ || items_.size() < kMaxItems; });
  if (closed_) {
    if (const auto* flush = std::get_if<Flush>(&item); flush != nullptr && flush->done)
      flush->done->set_value();
    return;
  }
  items_.push_back({std::move(item), MonoTime::max()});
  changed_.notify_all();
}

std::optional<SourceItem> PacketQueue::pop() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return closed_ || !items_.empty(); });
  if (closed_) return std::nullopt;
  SourceItem item = std::move(items_.front().item);
  items_.pop_front();
  if (const auto* packet = std::get_if<SourcePacket>(&item)) {
    bytes_ -= packet->packet.payload.size();
    last_out_ = media::to_nanoseconds(packet->packet.dts, timescale_);
  }
  // After a jump of the clock nothing of the old one may count.
  if (items_.empty()) holds_packets_ = false;
  changed_.notify_all();
  return item;
}

void PacketQueue::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  for (const auto& held : items_)
    if (const auto* flush = std::get_if<Flush>(&held.item); flush != nullptr && flush->done)
      flush->done->set_value();
  items_.clear();
  changed_.notify_all();
}

std::chrono::milliseconds PacketQueue::span() const {
  const std::lock_guard lock(mutex_);
  return span_locked();
}

std::chrono::nanoseconds PacketQueue::age(MonoTime now) const {
  const std::lock_guard lock(mutex_);
  return age_locked(now);
}

std::chrono::nanoseconds PacketQueue::age_locked(MonoTime now) const {
  if (items_.empty()) return std::chrono::nanoseconds(0);
  return std::max(std::chrono::nanoseconds(0), now - std::min(now, items_.front().since));
}

std::chrono::milliseconds PacketQueue::span_locked() const {
  if (!holds_packets_) return std::chrono::milliseconds(0);
  return std::chrono::duration_cast<std::chrono::milliseconds>(
      std::max(std::chrono::nanoseconds(0), last_in_ - last_out_));
}

}  // namespace kapok::ladder
