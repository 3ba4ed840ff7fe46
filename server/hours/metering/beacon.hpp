// What a player says that it played: intervals of channel time since its last report, with a rising
// number, so that a repeated report changes nothing. `visible` and `rate` speak of the intervals in
// this report: a player reports before either of them changes. A report is only a claim; it earns
// nothing that we did not deliver.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/result.hpp"
#include "server/hours/rules/interval_set.hpp"

namespace kapok::metering {

constexpr std::size_t kMaxBeaconBytes = 16 * 1024;
constexpr std::size_t kMaxBeaconIntervals = 64;  // our player sends at most 16
// One interval cannot be longer than a player may be silent for.
constexpr std::int64_t kMaxBeaconIntervalMs = 15 * 60 * 1000;

// JavaScript's largest safe integer.
constexpr std::uint64_t kMaxBeaconSequence = (std::uint64_t{1} << 53) - 1;

enum class Visibility : std::uint8_t { unknown, visible, hidden };
enum class PlayState : std::uint8_t { playing, paused, stalled, ended };

struct BeaconReport {
  std::string token;
  std::uint64_t sequence = 0;            // strictly rising within a session, from 1
  std::int64_t sent_ms = 0;              // the player's clock, 0: not told
  PlayState state = PlayState::playing;  // now; `ended` closes the session's accounts at once
  std::uint32_t rate_milli = 1000;
  Visibility visibility = Visibility::unknown;
  std::vector<rules::Span> played;  // ms of channel time
};

// {"token","seq","sent_ms","state","rate","visible","played":[{"from_ms","to_ms"}]}; other members
// are ignored. Errors: malformed, limit.
Result<BeaconReport> parse_beacon(std::string_view json);

}  // namespace kapok::metering
