// Reading a log: its checkpoint, its entries and its hashes, whichever way they lie on disk. Dense
// is how the server writes them (entries, tile.<L>); static is how C2SP tlog-tiles names them and
// how a mirror downloads them (tile/entries/x001/234, tile/0/000.p/17). Blocking reads; const and
// therefore usable from any thread. What a source returns is not trusted: verify checks it.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "server/hours/ledger/file.hpp"
#include "server/hours/ledger/leaf.hpp"
#include "server/hours/ledger/merkle.hpp"
#include "server/hours/ledger/tile.hpp"

namespace kapok::ledger {

// An entry bundle holds, per entry, its length as u16 and its bytes.
constexpr std::size_t kEntryBytes = 2 + kLeafBytes;

class LogSource : public HashSource {
 public:
  virtual Result<std::string> checkpoint_note() const = 0;
  // The bytes of the tile or bundle, as tlog-tiles serves them: exactly `path.width` items.
  virtual Result<Bytes> read_tile(const TilePath& path) const = 0;
  // Where that tile stands, for messages.
  virtual std::string name_of_tile(const TilePath& path) const = 0;
  // A text that a leaf refers to by its hash. Errors: not_found, malformed (hash differs).
  virtual Result<std::string> text(const Digest256& hash) const = 0;
};

class DenseLog final : public LogSource {
 public:
  static Result<DenseLog> open(const std::filesystem::path& directory);
  Result<std::string> checkpoint_note() const override;
  Result<Bytes> read_tile(const TilePath& path) const override;
  std::string name_of_tile(const TilePath& path) const override;
  Result<std::string> text(const Digest256& hash) const override;
  Result<Digest256> hash(unsigned height, std::uint64_t index) const override;

 private:
  std::filesystem::path directory_;
  File entries_;
  std::vector<File> tiles_;
};

class StaticLog final : public LogSource {
 public:
  // `size` of the checkpoint decides which tiles are partial.
  static Result<StaticLog> open(const std::filesystem::path& directory);
  Result<std::string> checkpoint_note() const override;
  Result<Bytes> read_tile(const TilePath& path) const override;
  std::string name_of_tile(const TilePath& path) const override;
  Result<std::string> text(const Digest256& hash) const override;
  Result<Digest256> hash(unsigned height, std::uint64_t index) const override;

 private:
  std::filesystem::path directory_;
  std::uint64_t size_ = 0;
};

// Dense when there is a file `entries`, static when there is a folder `tile`. Errors: not_found.
Result<std::unique_ptr<LogSource>> open_log(const std::filesystem::path& directory);

// Calls on_entry(index, leaf bytes) for entries [from, to). It stops at the first error.
using OnEntry = std::function<Result<void>(std::uint64_t index, ByteSpan entry)>;
Result<void> for_each_entry(const LogSource& log, std::uint64_t from, std::uint64_t to,
                            const OnEntry& on_entry);

// Writes the static layout (with texts) of the log's checkpoint into an empty folder.
Result<void> export_static(const LogSource& log, std::uint64_t size,
                           const std::filesystem::path& folder);

}  // namespace kapok::ledger
