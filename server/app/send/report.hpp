// What kapok-send tells: lines of text, made from plain numbers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "server/base/clock.hpp"

namespace kapok::send_app {

// Over all connections of one link, since the start.
struct LinkCounts {
  std::uint64_t bytes = 0;
  std::uint64_t packets = 0;
  std::uint64_t lost = 0;  // reported by the other side
  std::uint64_t resent = 0;
  std::uint64_t dropped = 0;  // too late to be sent again

  LinkCounts& operator+=(const LinkCounts& other);
};

struct LinkLine {
  std::string name;
  std::string state;  // "connected", "calling", ...
  bool up = false;
  microseconds rtt{0};
  double mbps = 0;
  LinkCounts counts;
};

// "00:00:12  25.1 Mb/s | a:9000 rtt 21 ms, 25.1 Mb/s, lost 12, resent 12 | b:9000 calling"
std::string progress_line(seconds since_start, double mbps, const std::vector<LinkLine>& links);
// One line for the feed, one for each link.
std::string summary(milliseconds took, std::uint64_t feed_bytes, std::uint64_t undelivered_messages,
                    const std::vector<LinkLine>& links);

}  // namespace kapok::send_app
