// What the pictures of each rendition were, and from when: learnt from published segments, asked
// when a delivered stretch is judged. Bounded per rendition: the newest changes are kept.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/evidence/facts.hpp"
#include "server/hours/ledger/leaf.hpp"
#include "server/hours/rules/interval_set.hpp"
#include "server/hours/rules/rule_set.hpp"

namespace kapok::metering {

std::int64_t to_ms(UtcTime time);  // floor
UtcTime from_ms(std::int64_t time);
rules::Span to_span(const evidence::Interval& interval);

rules::PictureClaim claim_of(const evidence::PictureFacts& picture);
ledger::UhdClass classify(const rules::RuleSet& rules, const evidence::PictureFacts& picture);
// Fills codec, size, rate, depth, colour and class.
void describe_picture(ledger::Leaf& leaf, const evidence::PictureFacts& picture,
                      ledger::UhdClass uhd);

class PictureHistory {
 public:
  static constexpr std::size_t kMaxChanges = 64;
  static constexpr std::size_t kMaxRenditions = 4096;

  void published(const evidence::Published& segment, ledger::UhdClass uhd);

  struct Piece {
    rules::Span span;
    ledger::UhdClass uhd = ledger::UhdClass::none;
    const evidence::PictureFacts* picture = nullptr;  // null: never published
  };
  // `span` cut where the picture changed. Before the first known change the first one holds.
  std::vector<Piece> split(std::string_view channel, std::string_view rendition,
                           rules::Span span) const;

 private:
  struct Change {
    std::int64_t from_ms = 0;
    ledger::UhdClass uhd = ledger::UhdClass::none;
    evidence::PictureFacts picture;
  };
  std::map<std::string, std::deque<Change>, std::less<>> changes_;  // by "channel/rendition"
};

}  // namespace kapok::metering
