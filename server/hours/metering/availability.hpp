// Programme hours (A): joins published segments with the schedule and writes HOUR leaves, one per
// stretch of a programme with one kind of picture, at most RuleSet::longest_hour_leaf long. Gaps of
// up to 2 s are bridged, longer ones taken out. The same moment in several renditions is one
// moment; the report unites classes and works. Pure and single-threaded.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "server/base/crypto.hpp"
#include "server/evidence/facts.hpp"
#include "server/hours/metering/viewing_session.hpp"

namespace kapok::metering {

class Availability {
 public:
  static constexpr std::size_t kMaxRuns = 4096;  // channels times picture classes

  void published(const evidence::Published& segment, ledger::UhdClass uhd, const Judgement& with,
                 Moment now, std::vector<ledger::Leaf>& out);
  // A stretch that shows no programme, and by which reading: the report takes it out of what was
  // offered, whichever of the two was written first.
  static void picture_event(std::string_view channel, const PictureExclusions::Piece& stretch,
                            const Judgement& with, Moment now, std::vector<ledger::Leaf>& out);
  // Writes stretches that nothing was added to since `until`.
  void close_idle(MonoTime until, const Judgement& with, Moment now,
                  std::vector<ledger::Leaf>& out);
  void close_all(const Judgement& with, Moment now, std::vector<ledger::Leaf>& out);

 private:
  struct Run {
    std::string channel;
    const catalogue::Programme* programme = nullptr;
    ledger::UhdClass uhd = ledger::UhdClass::none;
    evidence::PictureFacts picture;
    rules::Span media;
    Sha256 hashes;
    Moment opened;
    MonoTime extended;
  };
  void extend(const evidence::Published& segment, ledger::UhdClass uhd,
              const catalogue::Catalogue::Piece& piece, const Judgement& with, Moment now,
              std::vector<ledger::Leaf>& out);
  static ledger::Leaf leaf_of(Run& run, const Judgement& with, Moment now);

  std::map<std::pair<std::string, ledger::UhdClass>, Run> runs_;
};

}  // namespace kapok::metering
