// The accounts of one session: what was delivered (D), what the player says it played (P), and what
// that earns: min(|P n D| / rate, wall clock), in whole milliseconds, as VIEW leaves. What earns
// nothing becomes leaves too, with a reason. Pure and single-threaded: time comes in as arguments.
// Bounded: kMaxPending reports, kMaxDeliveredSpans per rendition, kMaxRenditions.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "server/access/session_token.hpp"
#include "server/base/clock.hpp"
#include "server/hours/catalogue/catalogue.hpp"
#include "server/hours/ledger/leaf.hpp"
#include "server/hours/metering/beacon.hpp"
#include "server/hours/metering/picture_exclusions.hpp"
#include "server/hours/metering/picture_history.hpp"
#include "server/hours/rules/interval_set.hpp"
#include "server/hours/rules/rule_set.hpp"

namespace kapok::metering {

// What a judgement needs to know besides the session.
struct Judgement {
  const rules::RuleSet& rules;
  const catalogue::Catalogue& catalogue;
  const PictureHistory& pictures;
  const PictureExclusions& exclusions;
};

struct Moment {
  MonoTime mono;
  UtcTime utc;
};

class ViewingSession {
 public:
  static constexpr std::size_t kMaxPending = 1024;  // plays that wait to be judged
  static constexpr std::size_t kMaxDeliveredSpans = 256;
  static constexpr std::size_t kMaxRenditions = 16;
  static constexpr std::size_t kMaxTallies = 64;

  ViewingSession(access::SessionToken token, Moment now);

  // The full token, for a session that was first known by its deliveries alone (server restart).
  void adopt(access::SessionToken token) { token_ = std::move(token); }

  // A complete part or segment of video was handed over.
  void delivered(std::string_view rendition, rules::Span span, std::uint64_t bytes, Moment now);

  enum class Taken : std::uint8_t { yes, repeated, too_many };
  Taken reported(const BeaconReport& report, const rules::RuleSet& rules, Moment now);

  // Judges the plays that were reported before `until`: deliveries that are still on their way (a
  // growing segment that plays already) get the time between to arrive.
  void judge(MonoTime until, const Judgement& with);
  // Judges everything, ends the running play, closes the open interval.
  void close(const Judgement& with, std::vector<ledger::Leaf>& out);
  // Before the session is forgotten: close(), and what was delivered but never played.
  void end(const Judgement& with, Moment now, std::vector<ledger::Leaf>& out);
  // Closes the open interval: one leaf per programme, picture class and reason.
  void close_interval(const Judgement& with, std::vector<ledger::Leaf>& out);

  std::optional<MonoTime> interval_opened() const { return interval_opened_; }
  MonoTime last_active() const { return last_active_; }
  bool touched() const { return touched_; }
  bool closed() const { return closed_; }
  bool wants_close() const { return wants_close_; }
  const access::SessionToken& token() const { return token_; }

 private:
  struct Play {
    rules::Span media;
    std::uint32_t rate_milli = 1000;
    Visibility visibility = Visibility::unknown;
    std::int64_t allowed_ms = 0;    // of wall clock
    std::int64_t wall_from_ms = 0;  // UTC
    std::int64_t wall_to_ms = 0;
    MonoTime reported;
  };
  // What goes into one leaf.
  struct TallyKey {
    const catalogue::Programme* programme = nullptr;  // kept alive by catalogue_
    ledger::UhdClass uhd = ledger::UhdClass::none;
    ledger::Reason reason = ledger::Reason::none;
    std::uint32_t rate_milli = 0;
    Visibility visibility = Visibility::unknown;
    std::int64_t slice = 0;  // of the local day
    auto operator<=>(const TallyKey&) const = default;
  };
  struct Tally {
    std::int64_t credit_ms = 0;
    std::int64_t claimed_ms = 0;
    std::int64_t delivered_ms = 0;
    std::int64_t wall_ms = 0;
    rules::Span media;
    rules::Span wall;
    evidence::PictureFacts picture;
  };
  struct Entry {
    TallyKey key;
    Tally tally;
  };
  // A continuous play that is not longer than the rules want yet.
  struct Run {
    std::int64_t media_end_ms = 0;
    std::int64_t credit_ms = 0;
    bool counts = false;
    std::vector<Entry> held;
  };

  void judge_play(const Play& play, const Judgement& with);
  // What of a delivered piece is programme is credited, the rest excluded.
  void judge_piece(const Play& play, const PictureHistory::Piece& piece, const Judgement& with,
                   std::int64_t& allowed);
  void credit_piece(const Play& play, const PictureHistory::Piece& piece, const Judgement& with,
                    std::int64_t& allowed);
  void exclude(const Play& play, rules::Span media, ledger::Reason reason, const Judgement& with,
               std::int64_t delivered_ms);
  void add(const TallyKey& key, const Tally& tally);
  void hold(const TallyKey& key, const Tally& tally, const Judgement& with);
  void end_run();
  std::vector<PictureHistory::Piece> delivered_pieces(rules::Span media,
                                                      const Judgement& with) const;
  ledger::Leaf leaf_of(const TallyKey& key, const Tally& tally, const Judgement& with) const;

  access::SessionToken token_;
  std::vector<std::pair<std::string, rules::IntervalSet>> delivered_;
  rules::IntervalSet played_{kMaxDeliveredSpans};
  std::deque<Play> pending_;
  std::optional<Run> run_;
  std::map<TallyKey, Tally> tallies_;
  std::uint64_t bytes_ = 0;  // since the last closed interval

  std::uint64_t last_sequence_ = 0;
  MonoTime consumed_until_;  // of the wall clock
  std::optional<std::int64_t> clock_offset_ms_;
  std::int64_t last_sent_ms_ = 0;
  std::optional<MonoTime> interval_opened_;
  MonoTime last_active_;
  bool touched_ = false;
  bool closed_ = true;  // nothing open
  bool wants_close_ = false;
};

}  // namespace kapok::metering
