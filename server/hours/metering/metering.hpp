// The hours wing's ear: takes facts from any shard, sessions and player reports from the API, keeps
// the accounts on its own thread and hands leaves to the ledger. Nothing here blocks the caller;
// the inbox is bounded and what does not fit is refused (reports) or counted (facts). Leaves that
// the ledger refuses are kept and offered again; until it takes them new reports are refused, so
// that players keep those. drain() before the ledger closes.
#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "server/access/session_token.hpp"
#include "server/base/clock.hpp"
#include "server/base/log.hpp"
#include "server/base/metrics.hpp"
#include "server/evidence/facts.hpp"
#include "server/hours/ledger/ledger.hpp"
#include "server/hours/metering/beacon.hpp"
#include "server/hours/metering/session_book.hpp"

namespace kapok::metering {

struct MeteringConfig {
  BookConfig book;
  seconds token_lifetime{6 * 3600};  // [research: playback tokens] at most 6 h
  seconds beacon_interval{10};
  std::size_t max_inbox = 500'000;      // 100 MB; five seconds of 10,000 viewers of parts
  std::size_t max_unwritten = 200'000;  // leaves waiting for a ledger that refuses
  milliseconds tick{1'000};
};

struct SessionRequest {
  std::string channel;                    // a valid id of a channel that exists
  std::array<std::byte, 16> household{};  // pseudonym from the operator; zero: anonymous
  std::uint32_t region = 0;               // GB/T 2260; 0: unknown
};

struct SessionOffer {
  std::string session;  // hex, for logs
  std::string token;
  std::string base;  // "/s/<token>/": before "live/<channel>/..."
  UtcTime expires;
  seconds beacon_interval{10};
};

class Metering final : public evidence::EvidenceSink {
 public:
  Metering(MeteringConfig config, rules::RuleSet rules,
           std::shared_ptr<const catalogue::Catalogue> catalogue,
           std::shared_ptr<const access::TokenSigner> signer, ledger::LeafSink& ledger,
           const Clock& clock, Log log, Metrics& metrics);
  ~Metering() override;  // drains

  // Any thread. Errors: malformed (channel name), full, closed.
  Result<SessionOffer> open_session(const SessionRequest& request);
  // Any thread. ok means taken into account or known already. Errors: malformed, denied (token),
  // timeout (token expired: open a new session), full and closed (send it again).
  Result<void> beacon(const BeaconReport& report);
  // Any thread.
  void report(evidence::Fact fact) override;
  void set_catalogue(std::shared_ptr<const catalogue::Catalogue> catalogue);
  // Who is watching: sessions that are not silent, by channel, as of the last tick. Any thread.
  std::map<std::string, std::uint64_t> open_sessions() const;

  // Blocks until everything taken so far is judged as far as it can be and written: for reports.
  void settle();
  // Blocks: refuses what comes, closes every session and programme, and waits until the ledger has
  // acknowledged the leaves or refused for `patience`. False: some leaves could not be written.
  bool drain(milliseconds patience);

 private:
  struct Opened {
    access::SessionToken token;
    Moment at;
  };
  struct Reported {
    access::SessionToken token;
    BeaconReport report;
    Moment at;
  };
  struct Happened {
    evidence::Fact fact;
    Moment at;
  };
  using Message =
      std::variant<Opened, Reported, Happened, std::shared_ptr<const catalogue::Catalogue>>;

  Moment now() const { return {clock_.mono(), clock_.utc()}; }
  Result<void> post(Message message);
  void run();
  void process(std::vector<Message> messages);
  void write_leaves();
  bool writing() const;

  MeteringConfig config_;
  std::shared_ptr<const access::TokenSigner> signer_;
  ledger::LeafSink& ledger_;
  const Clock& clock_;
  Log log_;
  Counter& facts_lost_;
  Counter& beacons_total_;
  Counter& beacons_repeated_;
  Counter& credited_seconds_;
  Gauge& sessions_gauge_;
  SessionBook book_;  // the metering thread's alone
  std::vector<ledger::Leaf> unwritten_;

  // A mutex, because facts come from every shard and are judged on one thread.
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable done_;
  std::vector<Message> inbox_;
  std::vector<ledger::Leaf> returned_;  // the ledger could not write them
  std::size_t in_ledger_ = 0;           // leaves handed over, not answered
  std::size_t backlog_ = 0;             // leaves that the ledger would not take in the last round
  std::map<std::string, std::uint64_t> open_sessions_;
  std::uint64_t rounds_wanted_ = 0;
  std::uint64_t rounds_done_ = 0;
  bool draining_ = false;
  bool stopping_ = false;
  bool closed_all_ = false;
  std::atomic<bool> overloaded_ = false;
  // The ledger's last answer was no. What a player is told was taken would be in memory only, for
  // as long as the disk is full: the player keeps it instead.
  std::atomic<bool> refused_ = false;
  std::thread thread_;
};

}  // namespace kapok::metering
