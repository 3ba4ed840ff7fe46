#include "server/picture/channel/live_facts.hpp"

#include <algorithm>

namespace kapok::channel {

void TrackMeter::add(nanoseconds feed, std::size_t bytes, bool sync) {
  ++packets_;
  bytes_ += bytes;
  if (sync) {
    if (last_sync_ && feed > *last_sync_) {
      gop_ = feed - *last_sync_;
      gop_frames_ = frames_in_gop_;
    }
    last_sync_ = feed;
    frames_in_gop_ = 0;
  }
  ++frames_in_gop_;
  const std::int64_t index = std::chrono::floor<seconds>(feed).count();
  // After a jump the old seconds say nothing.
  if (index < newest_ - 1 || index > newest_ + 30) ring_ = {};
  Second& second = ring_[static_cast<std::size_t>(
      (index % static_cast<std::int64_t>(kSeconds) + static_cast<std::int64_t>(kSeconds)) %
      static_cast<std::int64_t>(kSeconds))];
  if (second.index != index || second.frames == 0) second = {index, 0, 0, feed};
  ++second.frames;
  second.bytes += bytes;
  newest_ = index;
}

void TrackMeter::fill(TrackFacts& facts) const {
  facts.packets = packets_;
  facts.bytes = bytes_;
  facts.gop_frames = gop_frames_;
  facts.gop = std::chrono::duration_cast<microseconds>(gop_);
  // From the first packet of the oldest second to the first of the running one: whole frames.
  const Second* oldest = nullptr;
  const Second* running = nullptr;
  std::uint64_t frames = 0;
  std::uint64_t bytes = 0;
  for (const Second& second : ring_) {
    if (second.frames == 0 || second.index <= newest_ - static_cast<std::int64_t>(kSeconds))
      continue;
    if (second.index == newest_) {
      running = &second;
      continue;
    }
    if (oldest == nullptr || second.index < oldest->index) oldest = &second;
    frames += second.frames;
    bytes += second.bytes;
  }
  if (oldest == nullptr || running == nullptr || running->first <= oldest->first) return;
  const double span = std::chrono::duration<double>(running->first - oldest->first).count();
  facts.frames_per_second = static_cast<double>(frames) / span;
  facts.bits_per_second = static_cast<std::uint64_t>(static_cast<double>(bytes) * 8 / span);
}

std::optional<nanoseconds> TrackMeter::gop() const {
  if (gop_ <= nanoseconds::zero()) return std::nullopt;
  return gop_;
}

}  // namespace kapok::channel
