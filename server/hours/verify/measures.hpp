// The two measures, computed from leaves alone and in log order, in integer milliseconds: programme
// hours (A, clause 17's "newly added hours offered free") and viewing hours (B). They are kept
// apart everywhere. Both readings of UHD stand side by side. This is the one computation: the
// report prints it, and kapok-verify repeats it.
//
// A, for a stretch of a programme: `offered` counts moments of channel time once per programme,
// however many renditions or leaves bring them; `fresh` counts content time once per enterprise and
// work over the whole log (a re-run, a simulcast, a catch-up adds nothing), and nothing of a work
// of the baseline; both only while the programme is free. Slate, black, frozen pictures and bars
// are taken out, by the reading that their leaves name: what only the strict one takes out counts
// as loose, in A by these leaves, in B by the class of the VIEW leaf.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <unordered_set>
#include <vector>

#include "server/base/clock.hpp"
#include "server/base/result.hpp"
#include "server/hours/ledger/leaf.hpp"
#include "server/hours/rules/interval_set.hpp"

namespace kapok::verify {

// What is asked for; zero and nullopt: everything.
struct MeasureFilter {
  std::int64_t from_ms = INT64_MIN;  // half-open; channel time for A, wall clock for B
  std::int64_t to_ms = INT64_MAX;
  std::uint32_t enterprise = 0;
  std::uint64_t programme = 0;
  std::uint32_t channel = 0;
  std::uint32_t region = 0;
  bool operator==(const MeasureFilter&) const = default;
};

// One line of a report. The month is local (UTC+8), as year * 100 + month.
struct RowKey {
  std::int32_t month = 0;
  std::uint32_t enterprise = 0;
  std::uint64_t programme = 0;
  std::uint64_t work = 0;
  std::uint32_t region = 0;
  auto operator<=>(const RowKey&) const = default;
};

struct ProgrammeHours {
  std::int64_t offered_strict_ms = 0;
  std::int64_t offered_loose_ms = 0;  // contains strict
  std::int64_t offered_other_ms = 0;  // not UHD: shown apart, never added
  std::int64_t offered_paid_ms = 0;   // UHD by the loose reading, but not free
  std::int64_t fresh_strict_ms = 0;
  std::int64_t fresh_loose_ms = 0;
  bool operator==(const ProgrammeHours&) const = default;
};

struct ViewingHours {
  std::int64_t strict_ms = 0;
  std::int64_t loose_ms = 0;  // contains strict
  std::int64_t other_ms = 0;  // not UHD
  std::int64_t total_ms = 0;
  std::int64_t claimed_ms = 0;  // media time that players reported, credited or not
  std::int64_t intervals = 0;
  bool operator==(const ViewingHours&) const = default;
};

// What earned nothing, by reason: of B the claimed (or, not_reported, the delivered) media time.
using Excluded = std::array<std::int64_t, ledger::kLastReason + 1>;

struct Measured {
  std::map<RowKey, ProgrammeHours> programme_hours;
  std::map<RowKey, ViewingHours> viewing_hours;
  std::map<RowKey, Excluded> excluded_views;
  // Of A, moments: taken out by the strict reading, by the loose one, and all that was told of.
  Excluded excluded_hours{};
  Excluded excluded_loose_hours{};
  Excluded picture_events{};
  std::int64_t sessions = 0;  // that have credited time
  std::optional<Digest256> rule_set;
  std::optional<Digest256> catalogue;
  std::uint16_t rule_set_version = 0;
  bool operator==(const Measured&) const = default;
};

class Measures {
 public:
  explicit Measures(MeasureFilter filter) : filter_(filter) {}

  // Leaves in log order.
  void add(const ledger::Leaf& leaf);
  Measured finish();

 private:
  // Everything about one stretch that later leaves cannot change.
  struct Stretch {
    RowKey row;
    rules::Span media;
    std::int64_t content_shift_ms = 0;  // content position = channel time + this
    ledger::UhdClass uhd = ledger::UhdClass::none;
    std::uint32_t channel = 0;
    bool free = false;
    bool baseline = false;
  };
  // Session ids are random and ours: their own bits are the hash.
  struct SessionHash {
    std::size_t operator()(const ledger::Id16& id) const {
      std::size_t hash = 0;
      std::memcpy(&hash, id.data(), sizeof hash);
      return hash;
    }
  };
  void add_view(const ledger::Leaf& leaf);
  void add_hour(const ledger::Leaf& leaf);
  void add_picture_event(const ledger::Leaf& leaf);
  void count_months(const Stretch& stretch, rules::Span span);
  void count(const Stretch& stretch, rules::Span span);
  bool wanted(const ledger::Leaf& leaf) const;

  MeasureFilter filter_;
  Measured out_;
  std::vector<Stretch> stretches_;
  // What is no programme, by channel.
  struct NotProgramme {
    rules::IntervalSet strict;
    rules::IntervalSet loose;
  };
  std::map<std::uint32_t, NotProgramme> not_programme_;
  // What of it was asked for and is in out_ already, by channel and reason.
  struct Told {
    rules::IntervalSet all;
    rules::IntervalSet strict;
    rules::IntervalSet loose;
  };
  std::map<std::pair<std::uint32_t, ledger::Reason>, Told> told_;
  // Moments offered, by programme and channel: strict, loose, other, paid.
  std::map<std::pair<std::uint64_t, std::uint32_t>, std::array<rules::IntervalSet, 4>> offered_;
  // Content first made free, by enterprise and work: strict, loose.
  std::map<std::pair<std::uint32_t, std::uint64_t>, std::array<rules::IntervalSet, 2>> fresh_;
  std::unordered_set<ledger::Id16, SessionHash> sessions_;
};

// Local month of a time, and where the next one begins.
std::int32_t local_month(std::int64_t time_ms);
std::int64_t next_local_month(std::int64_t time_ms);

}  // namespace kapok::verify
