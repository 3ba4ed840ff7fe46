// One ledger entry: a fixed record of 200 bytes, so that an entry bundle is one pread at a computed
// offset. It says what happened in numbers only; names stand in the catalogue text that the last
// CATALOGUE leaf before it refers to. No address, account or device is ever in a leaf.
//
// Layout, version 1, all numbers big-endian, unused fields zero, times in ms since 1970 (UTC):
//   off size field
//     0   1  kind            LeafKind
//     1   1  version         1
//     2   1  reason          Reason: why it earns nothing; 0: it earns
//     3   1  grade           1: client and server agree (A), 2: other beacon (B), 3: server only
//     (C) 4   2  flags           kLeaf...: free, baseline, visibility unknown 6   1  uhd UhdClass
//     of the picture 7   1  codec           1 avc, 2 hevc, 3 av1, 0 unknown 8   8  opened_ms wall
//     clock: when the interval opened
//    16   8  closed_ms       wall clock: when it was closed
//    24   8  media_from_ms   channel time, half-open [from, to)
//    32   8  media_to_ms
//    40   8  content_from_ms position in the work at media_from (HOUR): what re-runs are found by
//    48  16  session         VIEW
//    64  16  household       VIEW: pseudonym of the reporting window; zero: anonymous
//    80  16  salt            random: a public hash reveals nothing about a guessable record
//    96   8  programme       first 8 bytes of SHA-256 of the id; 0: none
//   104   8  work            the same
//   112   4  channel         first 4 bytes of SHA-256 of the id
//   116   4  enterprise      the same
//   120   4  region          GB/T 2260 code, 0: unknown
//   124   4  credit_ms       what it earns, viewing time or programme time
//   128   4  claimed_ms      reported by the player (VIEW, also of what earns nothing)
//   132   4  delivered_ms    of the claimed: handed over in full by us
//   136   4  wall_ms         wall clock between opened and closed
//   140   8  bytes           delivered (VIEW)
//   148   2  width
//   150   2  height
//   152   4  frame_rate_milli
//   156   1  bit_depth
//   157   1  colour primaries  (CICP)
//   158   1  colour transfer   (CICP)
//   159   1  zero
//   160   2  rate_milli      playback rate (VIEW), 1000 = normal
//   162   2  rule_set        version of the rule set it was made under
//   164   4  check           CRC-32C of the other 196 bytes: tells a torn record from a whole one
//   168  32  sha256          RULESET, CATALOGUE: of the text; HOUR: of the segments' hashes in
//   order;
//                            CORRECTION: of the corrected leaf
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "server/base/bytes.hpp"
#include "server/base/crypto.hpp"
#include "server/base/result.hpp"

namespace kapok::ledger {

constexpr std::size_t kLeafBytes = 200;
constexpr std::uint8_t kLeafVersion = 1;

enum class LeafKind : std::uint8_t {
  rule_set = 1,    // the rules from here on
  catalogue = 2,   // the catalogue from here on
  hour = 3,        // a stretch of a programme that could be watched
  view = 4,        // a stretch of a programme that was watched
  correction = 5,  // takes back an earlier leaf (place kept; not written yet)
  // Slate, black, frozen, bars, silence. `uhd` says by which reading it is no programme: loose, by
  // both; strict, by the strict one alone; none, it counts. Later leaves may say more of the same
  // moments, never less. Under rule set 1 all were taken out.
  picture_event = 6,
  report = 7,  // a report was issued (place kept)
  key = 8,     // a signing key came or went (place kept)
};

enum class Reason : std::uint8_t {
  none = 0,
  not_delivered = 1,      // claimed by the player, never handed over by us
  short_play = 2,         // continuous play of 3 s or less
  too_fast = 3,           // playback rate of 3 or more
  background = 4,         // not visible
  faster_than_clock = 5,  // more than the wall clock allows
  no_programme = 6,       // nothing scheduled on the channel at that time
  not_reported = 7,       // delivered, no report from a player (preload, box without reports)
  slate = 8,
  black = 9,
  frozen = 10,
  bars = 11,
  silence = 12,
};
constexpr std::uint8_t kLastReason = 12;
std::string_view name_of(Reason reason);
std::string_view name_of(LeafKind kind);

enum class UhdClass : std::uint8_t { none = 0, loose = 1, strict = 2 };
std::string_view name_of(UhdClass uhd);

constexpr std::uint16_t kLeafFree = 1;               // free for households in the province
constexpr std::uint16_t kLeafBaseline = 2;           // offered before the window: never new
constexpr std::uint16_t kLeafVisibilityUnknown = 4;  // the player did not say
constexpr std::uint16_t kLeafFlags = kLeafFree | kLeafBaseline | kLeafVisibilityUnknown;

using Id16 = std::array<std::byte, 16>;

struct Leaf {
  LeafKind kind = LeafKind::view;
  Reason reason = Reason::none;
  std::uint8_t grade = 0;
  std::uint16_t flags = 0;
  UhdClass uhd = UhdClass::none;
  std::uint8_t codec = 0;
  std::int64_t opened_ms = 0;
  std::int64_t closed_ms = 0;
  std::int64_t media_from_ms = 0;
  std::int64_t media_to_ms = 0;
  std::int64_t content_from_ms = 0;
  Id16 session{};
  Id16 household{};
  Id16 salt{};  // the ledger fills it
  std::uint64_t programme = 0;
  std::uint64_t work = 0;
  std::uint32_t channel = 0;
  std::uint32_t enterprise = 0;
  std::uint32_t region = 0;
  std::uint32_t credit_ms = 0;
  std::uint32_t claimed_ms = 0;
  std::uint32_t delivered_ms = 0;
  std::uint32_t wall_ms = 0;
  std::uint64_t bytes = 0;
  std::uint16_t width = 0;
  std::uint16_t height = 0;
  std::uint32_t frame_rate_milli = 0;
  std::uint8_t bit_depth = 0;
  std::uint8_t primaries = 0;
  std::uint8_t transfer = 0;
  std::uint16_t rate_milli = 0;
  std::uint16_t rule_set = 0;
  Digest256 sha256{};
  bool operator==(const Leaf&) const = default;
};

using LeafBytes = std::array<std::byte, kLeafBytes>;
LeafBytes encode(const Leaf& leaf);

// Errors: malformed (length, check, values out of their range), unsupported (later version).
Result<Leaf> decode_leaf(ByteSpan bytes);

// The check field alone: whether these 200 bytes were written whole.
bool is_whole(ByteSpan bytes);

// How ids stand in a leaf. The catalogue refuses two ids that meet in one number.
std::uint64_t number64_of(std::string_view id);
std::uint32_t number32_of(std::string_view id);

}  // namespace kapok::ledger
