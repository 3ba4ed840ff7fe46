// Judges LL-HLS media playlists by RFC 8216bis: for our tests and for anybody's origin. Reads the
// text with a parser of its own (not the writer's), so that it can disagree with it. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kapok::packaging {

struct LintedPart {
  std::string uri;
  double duration = 0;
  bool independent = false;
};
struct LintedSegment {
  std::uint64_t number = 0;
  std::string uri;  // empty: still open
  double duration = 0;
  bool gap = false;
  bool discontinuity = false;
  std::string map;
  std::string program_date_time;
  std::vector<LintedPart> parts;
};
struct LintedPlaylist {
  std::uint64_t target_duration = 0;
  double part_target = 0;
  double part_hold_back = 0;
  double hold_back = 0;
  double can_skip_until = 0;
  bool can_block_reload = false;
  std::uint64_t media_sequence = 0;
  std::uint64_t discontinuity_sequence = 0;
  std::uint64_t skipped = 0;
  std::vector<LintedSegment> segments;  // without the skipped; the last may be open
  std::optional<std::string> preload_hint;
  std::vector<std::string> reports;  // URIs
  std::vector<std::string> faults;   // what the text alone breaks, each with its clause
};

LintedPlaylist lint_playlist(std::string_view text);
// What `later` breaks when a player loads it after `earlier` (both full).
std::vector<std::string> lint_reload(const LintedPlaylist& earlier, const LintedPlaylist& later);
// Whether a delta update says the same as the full playlist of the same moment.
std::vector<std::string> lint_delta(const LintedPlaylist& full, const LintedPlaylist& delta);
// What a player would trip over that switches between these renditions of one channel (both full,
// of one moment): other numbers, other times by more than `frame` seconds, a discontinuity of its
// own. The second may be behind the first.
std::vector<std::string> lint_siblings(const LintedPlaylist& first, const LintedPlaylist& second,
                                       double frame);

}  // namespace kapok::packaging
