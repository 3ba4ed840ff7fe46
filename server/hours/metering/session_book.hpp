// All sessions and all running programmes, and the leaves that come of them: the logic of metering
// without its thread. Single-threaded; time comes in as arguments. Leaves collect until take().
#pragma once

#include <cstddef>
#include <cstring>
#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "server/evidence/facts.hpp"
#include "server/hours/metering/availability.hpp"
#include "server/hours/metering/viewing_session.hpp"

namespace kapok::metering {

struct BookConfig {
  std::size_t max_sessions = 200'000;
  // A play is judged this long after it was reported: deliveries of a segment that still grows
  // while it plays come later than the report of it, and so do picture events. A transcoder tells
  // of black ten seconds after it began that it has lasted so long (RuleSet::loose_limits), and is
  // itself a few seconds behind.
  milliseconds judge_after{20'000};
  // One VIEW leaf covers about this much (never more than RuleSet::longest_interval): what a crash
  // may cost a session.
  milliseconds interval{60'000};
  milliseconds availability_idle{15'000};
  // A silent session is settled, and forgotten this much later; until then it can go on.
  milliseconds forget_after{600'000};
};

struct BookCounts {
  std::uint64_t repeated = 0;    // reports that came again
  std::uint64_t over_limit = 0;  // reports or sessions beyond our bounds
  std::uint64_t wrong_channel = 0;
};

class SessionBook {
 public:
  SessionBook(BookConfig config, rules::RuleSet rules,
              std::shared_ptr<const catalogue::Catalogue> catalogue);

  void opened(const access::SessionToken& token, Moment now);
  void reported(const access::SessionToken& token, const BeaconReport& report, Moment now);
  void take_fact(const evidence::Fact& fact, Moment now);
  // Everything open is closed under the old one first.
  void set_catalogue(std::shared_ptr<const catalogue::Catalogue> catalogue, Moment now);
  // About once a second.
  void tick(Moment now);
  // Closes everything: drain.
  void close_all(Moment now);

  std::vector<ledger::Leaf> take() { return std::exchange(leaves_, {}); }
  std::size_t sessions() const { return sessions_.size(); }
  std::map<std::string, std::uint64_t> open_by_channel() const;
  const BookCounts& counts() const { return counts_; }

 private:
  // Session ids are random: their first bytes are a good hash.
  struct IdHash {
    std::size_t operator()(const evidence::SessionId& id) const {
      std::size_t hash = 0;
      std::memcpy(&hash, id.data(), sizeof hash);
      return hash;
    }
  };
  Judgement judgement() const { return {rules_, *catalogue_, pictures_, exclusions_}; }
  ViewingSession* find_or_open(const access::SessionToken& token, Moment now);

  BookConfig config_;
  rules::RuleSet rules_;
  std::shared_ptr<const catalogue::Catalogue> catalogue_;
  PictureHistory pictures_;
  PictureExclusions exclusions_;
  Availability availability_;
  std::unordered_map<evidence::SessionId, ViewingSession, IdHash> sessions_;
  std::vector<ledger::Leaf> leaves_;
  BookCounts counts_;
};

}  // namespace kapok::metering
