// Everything that can be said about a channel right now, for the API. Copied out on the home shard;
// then it belongs to the reader.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "server/picture/channel/anomalies.hpp"
#include "server/picture/channel/live_facts.hpp"
#include "server/picture/channel/worker_facts.hpp"

namespace kapok::channel {

struct ChannelFacts {
  std::string id;
  std::string title;
  bool live = false;
  std::optional<UtcTime> live_since;
  std::uint64_t eras = 0;         // started since the server started
  UtcTime end;                    // of the channel's timeline
  std::optional<UtcTime> poster;  // channel time of the newest one
  std::vector<FeedFacts> feeds;
  std::optional<LadderFacts> ladder;    // of a channel that has one
  std::vector<AnomalyFacts> anomalies;  // its transcoder's findings, the newest first
};

}  // namespace kapok::channel
