// Which feed of a channel is on air. Today: the live feed with the highest priority, and a feed
// that has fallen silent only while no other lives. Later policies (hold times, slate, a person's
// hand) replace this class and nothing else.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "server/base/clock.hpp"

namespace kapok::channel {

struct FeedStanding {
  int priority = 0;        // the larger wins
  bool connected = false;  // somebody publishes it
  // Of its last packet; nullopt: none yet.
  std::optional<MonoTime> last_packet;
};

class FeedChoice {
 public:
  // A feed that sent nothing for this long is not live, connected or not.
  static constexpr nanoseconds kSilence = seconds(2);

  // The index of the feed to put on air; `current` stays when no feed is better. Equal priorities:
  // the current one, else the one configured first.
  std::optional<std::size_t> choose(std::span<const FeedStanding> feeds,
                                    std::optional<std::size_t> current, MonoTime now) const;
};

}  // namespace kapok::channel
