// What a player reports of itself every few seconds: which stretches it played, and how well. A
// claim, never a fact: crediting takes the smaller of this, what was delivered and the wall clock.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/result.hpp"

namespace kapok::api {

// A beat of ten seconds with a hundred seeks fits.
constexpr std::size_t kMaxBeaconBytes = 16 * 1024;
constexpr std::size_t kMaxPlayedIntervals = 128;
// JavaScript's largest safe integer; as milliseconds, the year 287396.
constexpr std::int64_t kMaxBeaconNumber = (std::int64_t{1} << 53) - 1;
constexpr double kMaxPlaybackRate = 16;

enum class ViewState : std::uint8_t { playing, paused, stalled, ended, hidden };

// Channel time, milliseconds since 1970, half-open.
struct PlayedInterval {
  std::int64_t from_ms = 0;
  std::int64_t to_ms = 0;
  bool operator==(const PlayedInterval&) const = default;
};

struct Beacon {
  std::string token;
  std::uint64_t seq = 0;     // grows within a session; a repeated one is the same beacon again
  std::int64_t sent_ms = 0;  // the player's clock
  ViewState state = ViewState::playing;
  double rate = 1;
  std::vector<PlayedInterval> played;  // since the beacon before
  std::int64_t wall_ms = 0;            // how long that took
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  std::uint64_t dropped = 0;
  std::uint64_t frames = 0;
  std::uint64_t stalls = 0;
  std::int64_t latency_ms = 0;
  bool visible = true;
};

// Errors: malformed, naming the field.
Result<Beacon> parse_beacon(std::string_view body);

}  // namespace kapok::api
