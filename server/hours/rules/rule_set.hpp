// The rules by which hours are counted (the reading of clause 17), as one value with a version.
// Thresholds follow the NRTA draft 网络视听收视指标及计算方法 where it has them. The canonical JSON
// and its hash go into the ledger before anything is counted under them, so every figure names its
// rules. A change of any number is a new version.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "server/base/clock.hpp"
#include "server/base/crypto.hpp"
#include "server/base/result.hpp"

namespace kapok::rules {

// What pictures must be; 0 and false: not asked for.
struct PictureRule {
  std::uint32_t min_width = 0;
  std::uint32_t min_height = 0;
  std::uint32_t min_frame_rate_milli = 0;
  std::uint32_t min_bit_depth = 0;
  bool wide_gamut = false;    // [GB/T 41809-2022] BT.2020 primaries
  bool high_dynamic = false;  // [GB/T 41808-2022] PQ or HLG
  bool operator==(const PictureRule&) const = default;
};

struct PictureClaim {
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  std::uint32_t frame_rate_milli = 0;  // 0: unknown
  std::uint32_t bit_depth = 0;
  std::uint8_t primaries = 2;
  std::uint8_t transfer = 2;
};

// From which length on a stretch of such pictures is no programme and is taken out; 0: never.
struct PictureLimits {
  milliseconds slate{1};
  milliseconds bars{2'000};
  milliseconds black{1'000};
  milliseconds frozen{5'000};
  milliseconds silence{0};  // alone it is told of, and counts
  bool operator==(const PictureLimits&) const = default;
};

struct RuleSet {
  std::uint16_t version = 2;

  // Programme hours (A).
  PictureRule strict{3840, 2160, 50'000, 10, false, false};
  PictureRule loose{3840, 2160, 0, 0, false, false};
  // Both hours. What the loose reading takes out the strict one takes out too. A cut to black and a
  // held picture are means of programmes up to ten seconds, bars and slates never are.
  PictureLimits strict_limits;
  PictureLimits loose_limits{.black = milliseconds(10'000), .frozen = milliseconds(10'000)};
  milliseconds longest_bridged_gap{2'000};  // more is an interruption and is taken out
  milliseconds longest_hour_leaf{60'000};   // availability is logged at least this often

  // Viewing hours (B).
  milliseconds shortest_play{3'000};       // a continuous play must be longer than this
  std::uint32_t rate_limit_milli = 3'000;  // playback must be slower than this
  bool count_background = false;
  milliseconds longest_interval{300'000};  // of one VIEW leaf
  milliseconds longest_backlog{900'000};   // wall clock that late reports may still claim
  milliseconds session_silence{45'000};    // then a session counts as ended

  bool operator==(const RuleSet&) const = default;
};

// Version 1 took out every stretch that was told of, and had no readings of it.
constexpr std::uint16_t kFirstWithPictureLimits = 2;
constexpr PictureLimits kAnyPictureEvent{milliseconds(1), milliseconds(1), milliseconds(1),
                                         milliseconds(1), milliseconds(1)};

// By which readings a stretch of pictures counts.
enum class Counted : std::uint8_t { by_both, by_loose, by_none };
Counted counted(const RuleSet& rules, milliseconds PictureLimits::* kind, milliseconds length);

bool conforms(const PictureRule& rule, const PictureClaim& picture);

std::string canonical_text(const RuleSet& rules);
Digest256 hash_of(const RuleSet& rules);
// Errors: malformed, unsupported (a field that this program does not know: it could not count by
// it).
Result<RuleSet> parse_rule_set(std::string_view text);

}  // namespace kapok::rules
