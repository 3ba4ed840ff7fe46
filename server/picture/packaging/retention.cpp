#include "server/picture/packaging/retention.hpp"

#include <algorithm>
#include <limits>

namespace kapok::packaging {

namespace {

// Never list less: delta updates, hold-back and a slow player's buffer reach back this far.
constexpr int kMinSegments = 6;
// Left to others on the same file system, and to what is being written just now.
constexpr std::uint64_t kReservePercent = 5;
constexpr std::uint64_t kMaxReserveBytes = std::uint64_t{256} * 1024 * 1024;
// The promise to DASH players moves in steps, so that their manifest rarely changes.
constexpr microseconds kPromiseStep{10'000'000};

}  // namespace

void Retention::add(const std::string& rendition, std::uint64_t number, UtcTime start, UtcTime end,
                    std::uint64_t bytes) {
  renditions_[rendition].kept.push_back({number, start, end, bytes, microseconds(0), {}});
  total_bytes_ += bytes;
  listed_bytes_ += bytes;
  largest_segment_ = std::max(largest_segment_, bytes);
  newest_ = std::max(newest_, end);
}

void Retention::set_limits(RetentionLimits limits) {
  // A promise that want of room has lowered stays so; one that was whole follows the window.
  promised_ = promised_ == limits_.window ? limits.window : std::min(promised_, limits.window);
  limits_ = limits;
}

void Retention::set_listed_from(const std::string& id, std::uint64_t number) {
  Rendition& rendition = renditions_[id];
  while (rendition.expired < rendition.kept.size() &&
         rendition.kept[rendition.expired].number < number) {
    Kept& kept = rendition.kept[rendition.expired++];
    // When it left is not known any more: the whole grace from now.
    kept.unlink_at = newest_ + limits_.window + (kept.end - kept.start);
    listed_bytes_ -= kept.bytes;
    cut_ = std::max(cut_, kept.end);
  }
}

std::uint64_t Retention::budget() const {
  std::uint64_t room =
      limits_.bytes > 0 ? limits_.bytes : std::numeric_limits<std::uint64_t>::max();
  if (available_) {
    const std::uint64_t all = total_bytes_ + *available_;
    const std::uint64_t reserve =
        std::min(kMaxReserveBytes, all / 100 * kReservePercent) + 2 * largest_segment_;
    room = std::min(room, all > reserve ? all - reserve : 0);
  }
  return room;
}

void Retention::no_room() {
  if (listed_bytes_ == 0) return;
  const UtcTime oldest = std::max(cut_, newest_ - limits_.window);
  cut_ = oldest + (newest_ - oldest) / 2;
}

std::vector<Leaving> Retention::expire(microseconds longest_segment) {
  const UtcTime latest_cut = newest_ - longest_segment * kMinSegments;
  UtcTime oldest = newest_;
  for (const auto& [id, rendition] : renditions_)
    if (rendition.expired < rendition.kept.size())
      oldest = std::min(oldest, rendition.kept[rendition.expired].start);
  const microseconds listed_now = newest_ - oldest;

  cut_ = std::max(cut_, newest_ - limits_.window);
  // Short of room: walk the cut over the oldest listed segments until what is left fits.
  const std::uint64_t room = budget();
  std::map<std::string, std::size_t> at;
  for (const auto& [id, rendition] : renditions_) at[id] = rendition.expired;
  std::uint64_t listed = listed_bytes_;
  const auto advance = [&] {
    for (auto& [id, index] : at) {
      const auto& kept = renditions_[id].kept;
      while (index < kept.size() && kept[index].end <= cut_) listed -= kept[index++].bytes;
    }
  };
  advance();
  bool short_of_room = false;
  while (listed > room / 2 && cut_ < latest_cut) {
    short_of_room = true;
    UtcTime next = latest_cut;
    for (const auto& [id, index] : at) {
      const auto& kept = renditions_[id].kept;
      if (index < kept.size()) next = std::min(next, kept[index].end);
    }
    cut_ = std::max(next, cut_ + microseconds(1));
    advance();
  }
  cut_ = settled_cut_ = std::min(cut_, std::max(latest_cut, settled_cut_));
  if (short_of_room) {
    const microseconds real = newest_ - cut_;
    if (real < promised_)
      promised_ =
          std::max<microseconds>(real / kPromiseStep * kPromiseStep, std::min(real, kPromiseStep));
  }

  std::vector<Leaving> leaving;
  for (auto& [id, rendition] : renditions_) {
    bool any = false;
    auto& kept = rendition.kept;
    while (rendition.expired < kept.size() && kept[rendition.expired].end <= cut_) {
      Kept& gone = kept[rendition.expired++];
      const microseconds longest = std::max(gone.longest_playlist, listed_now);
      gone.unlink_at = newest_ + longest + (gone.end - gone.start);
      listed_bytes_ -= gone.bytes;
      any = true;
    }
    if (!any) continue;
    leaving.push_back({id, kept[rendition.expired - 1].number + 1});
    // Those that stay were in the long playlist too, if it shrank by more than one segment.
    if (short_of_room)
      for (std::size_t i = rendition.expired; i < kept.size(); ++i)
        kept[i].longest_playlist = std::max(kept[i].longest_playlist, listed_now);
  }
  return leaving;
}

std::vector<Leaving> Retention::unlink() {
  std::vector<Leaving> leaving;
  for (auto& [id, rendition] : renditions_) {
    std::optional<std::uint64_t> last;
    while (rendition.expired > 0 && rendition.kept.front().unlink_at <= newest_) {
      total_bytes_ -= rendition.kept.front().bytes;
      last = rendition.kept.front().number;
      rendition.kept.pop_front();
      --rendition.expired;
    }
    if (last) leaving.push_back({id, *last + 1});
  }
  return leaving;
}

}  // namespace kapok::packaging
