// The log on disk, as its one writer sees it: dense files (entries, tile.<L>), the checkpoint, and
// the texts that leaves refer to. append() returns when the entries are durable; publish() signs a
// checkpoint over durable entries only. Opening recovers from any crash: a torn tail (never
// acknowledged) is set aside and cut, hashes are rebuilt from entries, and a log that contradicts
// its own signed checkpoint is refused. Single-threaded, blocking: the ledger's thread owns it.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "server/hours/ledger/file.hpp"
#include "server/hours/ledger/leaf.hpp"
#include "server/hours/ledger/merkle.hpp"
#include "server/hours/ledger/note.hpp"
#include "server/hours/ledger/tile.hpp"

namespace kapok::ledger {

// What was found when the log was opened.
struct Recovery {
  std::uint64_t checkpoint_size = 0;
  std::uint64_t size = 0;        // whole entries now
  std::uint64_t torn_bytes = 0;  // cut from the end; kept in entries.torn
  bool rebuilt_hashes = false;   // the tiles did not give the signed root
};

class LogFiles {
 public:
  // Makes the folder when it is missing. Errors: conflict (another process writes here), config,
  // malformed (contradicts its checkpoint: nothing is changed then), io, full.
  static Result<LogFiles> open(const std::filesystem::path& directory,
                               const Ed25519Verifier& verifier);
  LogFiles(LogFiles&&) noexcept = default;
  LogFiles& operator=(LogFiles&&) noexcept = default;

  const Recovery& recovery() const { return recovery_; }
  std::uint64_t size() const { return frontier_.size(); }

  // All or nothing. Returns the index of the first. After an error of `full` or another failed
  // write the log is as before and the caller may try again; after a failed fdatasync (what reached
  // the disk is then unknowable) every later call fails until the log is opened anew.
  Result<std::uint64_t> append(std::span<const LeafBytes> leaves);

  // Signs, and replaces the checkpoint file atomically.
  Result<Checkpoint> publish(std::span<const std::unique_ptr<const NoteSigner>> signers,
                             std::string& note);

  // Stores a text under its hash, durably, before a leaf refers to it.
  Result<Digest256> store_text(std::string_view text);

 private:
  LogFiles() = default;
  Result<void> recover(const Ed25519Verifier& verifier);
  Result<std::uint64_t> find_whole_entries(std::uint64_t from, std::uint64_t bytes) const;
  Result<void> cut_tail(std::uint64_t whole, std::uint64_t bytes);
  Result<void> hash_entries(std::uint64_t to);
  Result<bool> load_frontier(const Checkpoint& checkpoint);
  Result<Frontier> write_hashes(std::span<const LeafBytes> leaves);

  std::filesystem::path directory_;
  std::string origin_;
  File lock_;
  File entries_;
  std::vector<File> tiles_;
  Frontier frontier_;
  Recovery recovery_;
  Bytes scratch_;
  bool broken_ = false;
};

}  // namespace kapok::ledger
