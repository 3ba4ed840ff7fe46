#include "server/hours/ledger/log_files.hpp"

#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "server/hours/ledger/log_source.hpp"

namespace kapok::ledger {

namespace {

constexpr std::size_t kHashBytes = 32;
constexpr std::string_view kFormat = "kapok ledger 1: leaves of 200 bytes\n";
constexpr std::uint64_t kEntriesPerRead = 4096;  // 0.8 MB while re-hashing

Result<void> check_format(const std::filesystem::path& directory) {
  const std::filesystem::path path = directory / "format";
  const Result<Bytes> found = read_small_file(path, 4096);
  if (found) {
    if (as_text(*found) == kFormat) return {};
    return fail(Errc::unsupported,
                "{} says \"{}\": written by another version; use that one, or begin a new log in "
                "another folder. Nothing was changed",
                path.string(), as_text(*found).substr(0, as_text(*found).find('\n')));
  }
  if (found.error().code != Errc::not_found) return std::unexpected(found.error());
  return replace_file(path, as_bytes(kFormat), 0644);
}

}  // namespace

Result<LogFiles> LogFiles::open(const std::filesystem::path& directory,
                                const Ed25519Verifier& verifier) {
  std::error_code failed;
  std::filesystem::create_directories(directory / "texts", failed);
  if (failed)
    return std::unexpected(
        system_error(failed.value(), fmt::format("create folder {}", directory.string())));
  LogFiles log;
  log.directory_ = directory;
  log.origin_ = verifier.name();
  log.lock_ = KAPOK_TRY(File::open_for_writing(directory / "lock"));
  if (!log.lock_.try_lock())
    return fail(Errc::conflict, "{} is in use: another server writes this log", directory.string());
  KAPOK_TRY(check_format(directory));
  log.entries_ = KAPOK_TRY(File::open_for_writing(directory / "entries"));
  for (unsigned level = 0; level < kTileLevels; ++level)
    log.tiles_.push_back(
        KAPOK_TRY(File::open_for_writing(directory / fmt::format("tile.{}", level))));
  KAPOK_TRY(sync_folder(directory));
  Result<void> recovered = log.recover(verifier);
  if (!recovered)
    return std::unexpected(std::move(recovered).error().within("ledger " + directory.string()));
  return log;
}

Result<void> LogFiles::recover(const Ed25519Verifier& verifier) {
  std::optional<Checkpoint> checkpoint;
  const Result<Bytes> note = read_small_file(directory_ / "checkpoint", kMaxNoteBytes);
  if (!note && note.error().code != Errc::not_found) return std::unexpected(note.error());
  if (note) {
    const OpenedNote opened = KAPOK_TRY(open_note(as_text(*note), std::span(&verifier, 1)));
    checkpoint = KAPOK_TRY(parse_checkpoint(opened.text));
    if (checkpoint->origin != origin_)
      return fail(Errc::config, "checkpoint is of log \"{}\", not of \"{}\"", checkpoint->origin,
                  origin_);
    recovery_.checkpoint_size = checkpoint->size;
  }

  const std::uint64_t bytes = KAPOK_TRY(entries_.size());
  if (bytes / kEntryBytes < recovery_.checkpoint_size)
    return fail(Errc::malformed,
                "{} entries are signed but only {} are there: restore the file \"entries\" from a "
                "copy. Nothing was changed",
                recovery_.checkpoint_size, bytes / kEntryBytes);
  // What is signed is durable and checked by its root; only what comes after it can be torn.
  const std::uint64_t whole = KAPOK_TRY(find_whole_entries(recovery_.checkpoint_size, bytes));

  const bool loaded = checkpoint ? KAPOK_TRY(load_frontier(*checkpoint)) : false;
  if (checkpoint && !loaded) {
    recovery_.rebuilt_hashes = true;
    frontier_ = Frontier();
    KAPOK_TRY(hash_entries(checkpoint->size));
    if (frontier_.root() != checkpoint->root)
      return fail(Errc::malformed,
                  "the entries do not give the root of the signed checkpoint of size {}: run "
                  "kapok-verify to find the damaged one, and restore it from a copy. No entry was "
                  "changed",
                  checkpoint->size);
  }
  KAPOK_TRY(cut_tail(whole, bytes));
  KAPOK_TRY(hash_entries(whole));
  recovery_.size = whole;
  return {};
}

// The number of entries before the first that is not whole.
Result<std::uint64_t> LogFiles::find_whole_entries(std::uint64_t from, std::uint64_t bytes) const {
  const std::uint64_t to = bytes / kEntryBytes;
  Bytes block;
  for (std::uint64_t index = from; index < to;) {
    const std::uint64_t count = std::min(kEntriesPerRead, to - index);
    block.resize(static_cast<std::size_t>(count) * kEntryBytes);
    KAPOK_TRY(entries_.read_at(index * kEntryBytes, block));
    for (std::uint64_t i = 0; i < count; ++i) {
      ByteReader in(ByteSpan(block).subspan(static_cast<std::size_t>(i) * kEntryBytes));
      if (KAPOK_TRY(in.u16()) != kLeafBytes || !is_whole(KAPOK_TRY(in.take(kLeafBytes))))
        return index + i;
    }
    index += count;
  }
  return std::max(from, to);
}

Result<void> LogFiles::cut_tail(std::uint64_t whole, std::uint64_t bytes) {
  const std::uint64_t keep = whole * kEntryBytes;
  if (bytes <= keep) return {};
  recovery_.torn_bytes = bytes - keep;
  // Kept aside: these bytes were never acknowledged, but nothing is thrown away unseen. Only the
  // first part of it, should a file system have left us a huge hole.
  constexpr std::uint64_t kMostTornKept = 64 * 1024 * 1024;
  Bytes torn(static_cast<std::size_t>(std::min(recovery_.torn_bytes, kMostTornKept)));
  KAPOK_TRY(entries_.read_at(keep, torn));
  KAPOK_TRY(replace_file(directory_ / "entries.torn", torn, 0600));
  KAPOK_TRY(entries_.truncate(keep));
  return entries_.sync();
}

// Hashes entries [frontier size, to) and writes their tiles.
Result<void> LogFiles::hash_entries(std::uint64_t to) {
  Bytes block;
  std::vector<LeafBytes> leaves;
  while (frontier_.size() < to) {
    const std::uint64_t count = std::min(kEntriesPerRead, to - frontier_.size());
    block.resize(static_cast<std::size_t>(count) * kEntryBytes);
    KAPOK_TRY(entries_.read_at(frontier_.size() * kEntryBytes, block));
    leaves.resize(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < leaves.size(); ++i)
      std::memcpy(leaves[i].data(), block.data() + i * kEntryBytes + 2, kLeafBytes);
    frontier_ = KAPOK_TRY(write_hashes(leaves));
  }
  return {};
}

// True when the tiles give the signed root: then everything up to it is taken from them.
Result<bool> LogFiles::load_frontier(const Checkpoint& checkpoint) {
  const DenseLog log = KAPOK_TRY(DenseLog::open(directory_));
  std::vector<Digest256> roots;
  for (const auto& [height, index] : complete_subtrees(checkpoint.size)) {
    const Result<Digest256> hash = log.hash(height, index);
    if (!hash) return false;  // tiles cut short: rebuilt from the entries
    roots.push_back(*hash);
  }
  Frontier frontier(checkpoint.size, std::move(roots));
  if (frontier.root() != checkpoint.root) return false;
  frontier_ = std::move(frontier);
  return true;
}

// Hashes the leaves and writes what they complete; returns the frontier after them.
Result<Frontier> LogFiles::write_hashes(std::span<const LeafBytes> leaves) {
  Frontier frontier = frontier_;
  std::array<Bytes, kTileLevels> rows;
  rows[0].reserve(leaves.size() * kHashBytes);
  for (const LeafBytes& leaf : leaves)
    frontier.append(leaf_hash(leaf), [&](unsigned height, const Digest256& hash) {
      if (height % kTileHeight != 0 || height / kTileHeight >= kTileLevels) return;
      Bytes& row = rows[height / kTileHeight];
      row.insert(row.end(), hash.begin(), hash.end());
    });
  for (unsigned level = 0; level < kTileLevels; ++level) {
    if (rows[level].empty()) continue;
    const std::uint64_t first = frontier_.size() >> (level * kTileHeight);
    KAPOK_TRY(tiles_[level].write_at(first * kHashBytes, rows[level]));
  }
  return frontier;
}

Result<std::uint64_t> LogFiles::append(std::span<const LeafBytes> leaves) {
  if (broken_)
    return fail(Errc::io, "the ledger stopped after a failed fdatasync; restart the server");
  const std::uint64_t first = frontier_.size();
  if (leaves.empty()) return first;
  scratch_.clear();
  scratch_.reserve(leaves.size() * kEntryBytes);
  ByteWriter out(scratch_);
  for (const LeafBytes& leaf : leaves) {
    out.u16(kLeafBytes);
    out.bytes(leaf);
  }
  Result<void> written = entries_.write_at(first * kEntryBytes, scratch_);
  Result<Frontier> frontier =
      written ? write_hashes(leaves) : Result<Frontier>(std::unexpected(written.error()));
  if (!frontier) {
    // The tail is not acknowledged: back to where we were. Hashes beyond it are overwritten later.
    if (!entries_.truncate(first * kEntryBytes)) broken_ = true;
    return std::unexpected(std::move(frontier).error());
  }
  if (Result<void> synced = entries_.sync(); !synced) {
    // The kernel may have dropped the dirty pages and will not say so twice.
    broken_ = true;
    return std::unexpected(std::move(synced).error());
  }
  frontier_ = *std::move(frontier);
  return first;
}

Result<Checkpoint> LogFiles::publish(std::span<const std::unique_ptr<const NoteSigner>> signers,
                                     std::string& note) {
  if (broken_) return fail(Errc::io, "the ledger stopped; no checkpoint is signed");
  // The tiles below a checkpoint are durable before it is: opening trusts them if their root fits.
  for (const File& tile : tiles_) KAPOK_TRY(tile.sync());
  Checkpoint checkpoint{origin_, frontier_.size(), frontier_.root()};
  note = sign_note(checkpoint_text(checkpoint), signers);
  KAPOK_TRY(replace_file(directory_ / "checkpoint", as_bytes(note), 0644));
  return checkpoint;
}

Result<Digest256> LogFiles::store_text(std::string_view text) {
  const Digest256 hash = sha256(as_bytes(text));
  KAPOK_TRY(replace_file(directory_ / "texts" / (to_hex(hash) + ".json"), as_bytes(text), 0644));
  return hash;
}

}  // namespace kapok::ledger
