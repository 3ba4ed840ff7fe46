// How long segments are listed, and how long after that their files stay. Pure: told what exists,
// it answers what leaves the playlists and what may be unlinked. Time is channel time.
//
// [RFC 8216bis 6.2.2] a segment that left the playlist stays fetchable for its own duration plus
// that of the longest playlist that listed it: that grace is never shortened. So a bound in bytes
// is met by listing less: half of the room is for what is listed, half for what is in its grace.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "server/base/clock.hpp"

namespace kapok::packaging {

struct RetentionLimits {
  microseconds window{1'800'000'000};
  std::uint64_t bytes = 0;  // 0: no bound of its own
};

struct Leaving {
  std::string rendition;
  std::uint64_t before = 0;
};

class Retention {
 public:
  explicit Retention(RetentionLimits limits) : limits_(limits) {}

  void add(const std::string& rendition, std::uint64_t number, UtcTime start, UtcTime end,
           std::uint64_t bytes);
  // Applied with the next expire(); a longer window fills as time goes on.
  void set_limits(RetentionLimits limits);
  // After recovery: what had left the playlist already.
  void set_listed_from(const std::string& rendition, std::uint64_t number);
  // Room that the file system still has for us.
  void set_available(std::optional<std::uint64_t> bytes) { available_ = bytes; }
  // A write failed for want of room: list half as much from now on.
  void no_room();

  std::vector<Leaving> expire(microseconds longest_segment);
  std::vector<Leaving> unlink();

  std::uint64_t total_bytes() const { return total_bytes_; }
  // What can be promised to players that do not read playlists (DASH).
  microseconds promised_window() const { return promised_; }

 private:
  struct Kept {
    std::uint64_t number = 0;
    UtcTime start;
    UtcTime end;
    std::uint64_t bytes = 0;
    microseconds longest_playlist{0};
    UtcTime unlink_at;
  };
  struct Rendition {
    std::deque<Kept> kept;
    std::size_t expired = 0;  // of the front of kept
  };
  std::uint64_t budget() const;

  RetentionLimits limits_;
  microseconds promised_ = limits_.window;
  std::map<std::string, Rendition> renditions_;
  std::uint64_t total_bytes_ = 0;
  std::uint64_t listed_bytes_ = 0;
  std::uint64_t largest_segment_ = 0;
  std::optional<std::uint64_t> available_;
  UtcTime newest_;
  UtcTime cut_;  // segments that end by then are not listed
  UtcTime settled_cut_;
};

}  // namespace kapok::packaging
