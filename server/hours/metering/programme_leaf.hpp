// The part of a leaf that says which programme it is about.
#pragma once

#include <string_view>

#include "server/hours/catalogue/catalogue.hpp"
#include "server/hours/ledger/leaf.hpp"
#include "server/hours/rules/rule_set.hpp"

namespace kapok::metering {

// `programme` may be null: then only the channel is named.
inline ledger::Leaf programme_leaf(ledger::LeafKind kind, std::string_view channel,
                                   const catalogue::Programme* programme,
                                   const catalogue::Catalogue& catalogue,
                                   const rules::RuleSet& rules) {
  ledger::Leaf leaf;
  leaf.kind = kind;
  leaf.channel = ledger::number32_of(channel);
  leaf.rule_set = rules.version;
  if (programme == nullptr) return leaf;
  leaf.programme = ledger::number64_of(programme->id);
  leaf.work = ledger::number64_of(programme->work);
  leaf.enterprise = ledger::number32_of(programme->enterprise);
  leaf.region = programme->region;
  if (programme->free) leaf.flags |= ledger::kLeafFree;
  const catalogue::Work* work = catalogue.work(programme->work);
  if (work != nullptr && work->baseline) leaf.flags |= ledger::kLeafBaseline;
  return leaf;
}

}  // namespace kapok::metering
