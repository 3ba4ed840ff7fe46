// Which stretches of each channel show no programme, by which reading of the rules: learnt from
// picture events, asked when a played stretch is judged. An event is told again while it lasts;
// what it was worth may then change for its whole length (ten seconds of black are another thing
// than two). Bounded per channel and kind: the newest stretches are kept, far longer than reports
// may be late.
#pragma once

#include <array>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "server/evidence/facts.hpp"
#include "server/hours/ledger/leaf.hpp"
#include "server/hours/rules/interval_set.hpp"
#include "server/hours/rules/rule_set.hpp"

namespace kapok::metering {

ledger::Reason reason_of(evidence::PictureEventKind kind);

class PictureExclusions {
 public:
  static constexpr std::size_t kMaxSpans = 1024;
  static constexpr std::size_t kMaxChannels = 4096;

  struct Piece {
    rules::Span span;
    rules::Counted counted = rules::Counted::by_both;
    ledger::Reason reason = ledger::Reason::none;  // none: nothing was told of
  };
  // What is new: stretches that were not told of before, or are worth less than they were.
  std::vector<Piece> take(const evidence::PictureEvent& event, const rules::RuleSet& rules);

  // `span` cut by how it counts, in order; where several events meet the one that takes out most.
  std::vector<Piece> split(std::string_view channel, rules::Span span) const;

 private:
  // In order of precedence where they meet.
  static constexpr std::array kKinds{
      evidence::PictureEventKind::slate, evidence::PictureEventKind::bars,
      evidence::PictureEventKind::black, evidence::PictureEventKind::frozen,
      evidence::PictureEventKind::silence};
  struct Stretches {
    // By how they count; each holds the ones after it too.
    std::array<rules::IntervalSet, 3> worth{rules::IntervalSet(kMaxSpans),
                                            rules::IntervalSet(kMaxSpans),
                                            rules::IntervalSet(kMaxSpans)};
  };
  using OfChannel = std::array<Stretches, kKinds.size()>;
  std::map<std::string, OfChannel, std::less<>> channels_;
};

}  // namespace kapok::metering
