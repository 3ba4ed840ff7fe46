#include "server/picture/channel/feed_choice.hpp"

#include <tuple>

namespace kapok::channel {

std::optional<std::size_t> FeedChoice::choose(std::span<const FeedStanding> feeds,
                                              std::optional<std::size_t> current,
                                              MonoTime now) const {
  std::optional<std::size_t> best;
  std::tuple<bool, int, bool> best_rank;
  for (std::size_t i = 0; i < feeds.size(); ++i) {
    const FeedStanding& feed = feeds[i];
    if (!feed.connected) continue;
    const bool live = feed.last_packet && now - *feed.last_packet <= kSilence;
    // Among feeds that are all silent nothing is gained by switching.
    const std::tuple<bool, int, bool> rank = {live, live ? feed.priority : 0, current == i};
    if (!best || rank > best_rank) {
      best = i;
      best_rank = rank;
    }
  }
  return best;
}

}  // namespace kapok::channel
