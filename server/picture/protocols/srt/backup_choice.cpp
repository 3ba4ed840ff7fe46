#include "server/picture/protocols/srt/backup_choice.hpp"

#include <algorithm>
#include <numeric>
#include <tuple>

namespace kapok::srt {

namespace {

// [libsrt SRTO_GROUPMINSTABLETIMEO] A link that has been silent for less is never suspected.
constexpr milliseconds kMinStability{60};
constexpr milliseconds kProbingMargin{50};
// A link that faltered is wary for so many latencies before it is stable again.
constexpr int kWaryLatencies = 4;

// By weight; then, among equals, the better one; then the one that has been there longer.
std::vector<std::size_t> by_priority(std::span<const BackupStanding* const> links) {
  std::vector<std::size_t> order(links.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto rank = [](LinkState state) {
    switch (state) {
      case LinkState::stable:
        return 0;
      case LinkState::fresh:
        return 1;
      case LinkState::wary:
        return 2;
      case LinkState::unstable:
        return 3;
      case LinkState::idle:
        break;
    }
    return 4;
  };
  std::ranges::sort(order, {}, [&](std::size_t i) {
    return std::tuple(-int{links[i]->weight()}, rank(links[i]->state()), i);
  });
  return order;
}

}  // namespace

void BackupStanding::activate(MonoTime now, const LinkHealth& health) {
  state_ = LinkState::fresh;
  activated_at_ = now;
  dropped_ = health.dropped;
}

void BackupStanding::silence() {
  state_ = LinkState::idle;
}

void BackupStanding::qualify(MonoTime now, const LinkHealth& health) {
  if (!active()) return;
  const milliseconds first_patience = std::max(kMinStability, health.latency);
  const bool probing = now - activated_at_ <= first_patience + kProbingMargin;
  const microseconds patience =
      probing ? first_patience
              : std::clamp<microseconds>(2 * health.rtt + 4 * health.rtt_variance, kMinStability,
                                         first_patience);
  const bool dropped = std::exchange(dropped_, health.dropped) != health.dropped;
  if (now - std::max(activated_at_, health.last_heard) > patience || (dropped && !probing))
    return failed();
  if (state_ == LinkState::unstable) {
    state_ = LinkState::wary;
    wary_since_ = now;
  }
  if (state_ == LinkState::fresh && !probing) state_ = LinkState::stable;
  if (state_ == LinkState::wary && now - wary_since_ > kWaryLatencies * health.latency)
    state_ = LinkState::stable;
}

std::optional<std::size_t> link_to_activate(std::span<const BackupStanding* const> links) {
  int heaviest_active = -1;
  bool trusted = false;
  for (const BackupStanding* link : links) {
    if (!link->active()) continue;
    heaviest_active = std::max<int>(heaviest_active, link->weight());
    trusted = trusted || link->trusted();
  }
  for (const std::size_t i : by_priority(links)) {
    if (links[i]->active()) continue;
    if (!trusted || links[i]->weight() > heaviest_active) return i;
    break;
  }
  return std::nullopt;
}

std::vector<std::size_t> links_to_silence(std::span<const BackupStanding* const> links) {
  std::vector<std::size_t> silenced;
  bool after_stable = false;
  for (const std::size_t i : by_priority(links)) {
    if (!links[i]->active()) continue;
    if (after_stable) silenced.push_back(i);
    if (links[i]->state() == LinkState::stable) after_stable = true;
  }
  return silenced;
}

}  // namespace kapok::srt
