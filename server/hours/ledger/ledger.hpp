// The ledger of a running server: takes leaves from any thread, writes them on its own thread with
// group commit, acknowledges each batch once it is durable, and publishes a checkpoint about once a
// second. When the disk is full it refuses and says so; what it acknowledged is never lost. Reads
// (checkpoint, tiles) may come from any thread and see only what a published checkpoint covers.
#pragma once

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "server/base/clock.hpp"
#include "server/base/log.hpp"
#include "server/base/metrics.hpp"
#include "server/hours/ledger/leaf.hpp"
#include "server/hours/ledger/log_files.hpp"
#include "server/hours/ledger/log_source.hpp"
#include "server/hours/ledger/note.hpp"
#include "server/hours/ledger/tile.hpp"

namespace kapok::ledger {

// Called once, on the ledger's thread: the index of the first leaf, now durable; or why none of
// them was written.
using OnDurable = std::function<void(Result<std::uint64_t> first)>;

// Where leaves go. The ledger, or a recorder in a test.
class LeafSink {
 public:
  virtual ~LeafSink() = default;
  // Errors: full (too many are waiting), closed. Then on_durable is not called.
  virtual Result<void> append(std::vector<Leaf> leaves, OnDurable on_durable) = 0;
};

struct LedgerConfig {
  std::filesystem::path directory;
  std::string origin;         // "example.com/kapok"; never changes in the life of a log
  std::filesystem::path key;  // empty: <directory>.key
  milliseconds batch{20};     // group commit: at most this long is waited for company
  milliseconds checkpoint_every{1'000};
  std::size_t max_waiting = 200'000;  // leaves; 60 MB, two seconds at the design rate
};

struct PublishedCheckpoint {
  Checkpoint checkpoint;
  std::string note;
};

class Ledger final : public LeafSink {
 public:
  // Opens or begins the log, makes the key at first start, signs what a crash left unsigned.
  // `more_signers`: further lines on every checkpoint (SM2 with SM3).
  static Result<std::unique_ptr<Ledger>> open(
      LedgerConfig config, std::vector<std::unique_ptr<const NoteSigner>> more_signers, Log log,
      Metrics& metrics);
  ~Ledger() override;  // writes what waits, signs a last checkpoint, joins

  Result<void> append(std::vector<Leaf> leaves, OnDurable on_durable) override;
  // Blocks until everything appended before is durable and under a published checkpoint. Errors:
  // what the disk said.
  Result<void> flush();

  // Appends a RULESET or CATALOGUE leaf for the text unless it is the last of its kind already.
  // Blocks; for start and reload.
  Result<void> record_text(LeafKind kind, std::string_view text, std::uint16_t rule_set,
                           UtcTime now);

  const Recovery& recovery() const { return recovery_; }
  const Ed25519Verifier& verifier() const { return verifier_; }
  std::shared_ptr<const PublishedCheckpoint> published() const;
  // Errors: not_found (beyond the published checkpoint, or a partial width that is not there yet).
  Result<Bytes> read_tile(const TilePath& path) const;
  const std::filesystem::path& directory() const { return config_.directory; }
  // The log as a reader sees it, for reports and proofs; take published() first and read below it.
  const LogSource& source() const { return *source_; }

 private:
  struct Job {
    std::vector<Leaf> leaves;
    OnDurable on_durable;
  };
  Ledger(LedgerConfig config, LogFiles files, Ed25519Verifier verifier, Log log, Metrics& metrics);
  void run();
  void commit(std::deque<Job> jobs);
  Result<void> publish();
  Result<void> find_last_texts();
  Result<void> scan_for_last_texts();

  LedgerConfig config_;
  LogFiles files_;  // the ledger's thread alone, after open
  Recovery recovery_;
  Ed25519Verifier verifier_;
  std::vector<std::unique_ptr<const NoteSigner>> signers_;
  std::unique_ptr<const LogSource> source_;
  Log log_;
  Counter& leaves_total_;
  Counter& refused_total_;
  Counter& commits_total_;
  Gauge& size_gauge_;
  std::vector<LeafBytes> encoded_;
  bool unsigned_leaves_ = false;  // durable, not yet under a checkpoint
  bool disk_failing_ = false;

  // A mutex, because leaves come from any thread and the writer blocks in fdatasync.
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable flushed_;
  std::deque<Job> waiting_;
  std::size_t waiting_leaves_ = 0;
  std::uint64_t flushes_wanted_ = 0;
  std::uint64_t flushes_done_ = 0;
  Result<void> flush_result_;
  bool stopping_ = false;
  std::shared_ptr<const PublishedCheckpoint> published_;
  Digest256 last_rule_set_{};
  Digest256 last_catalogue_{};
  std::thread thread_;
};

}  // namespace kapok::ledger
