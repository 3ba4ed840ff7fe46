#include "server/hours/ledger/log_source.hpp"

#include <algorithm>
#include <cstring>

#include "server/hours/ledger/note.hpp"

namespace kapok::ledger {

namespace {

constexpr std::size_t kHashBytes = 32;
constexpr std::size_t kMaxTextBytes = 64 * 1024 * 1024;  // a catalogue of a million programmes

std::size_t item_bytes(TileKind kind) {
  return kind == TileKind::entries ? kEntryBytes : kHashBytes;
}

Result<std::string> read_note(const std::filesystem::path& directory) {
  const Bytes bytes = KAPOK_TRY(read_small_file(directory / "checkpoint", kMaxNoteBytes));
  return std::string(as_text(bytes));
}

Result<std::string> read_text(const std::filesystem::path& directory, const Digest256& hash) {
  const std::filesystem::path path = directory / "texts" / (to_hex(hash) + ".json");
  const Bytes bytes = KAPOK_TRY(read_small_file(path, kMaxTextBytes));
  if (sha256(bytes) != hash)
    return fail(Errc::malformed, "{} does not match its hash", path.string());
  return std::string(as_text(bytes));
}

// The root of 2^r hashes of one level, r <= 7.
Digest256 fold(ByteSpan hashes) {
  std::vector<Digest256> row(hashes.size() / kHashBytes);
  std::memcpy(row.data(), hashes.data(), hashes.size());
  for (; row.size() > 1; row.resize(row.size() / 2))
    for (std::size_t i = 0; i < row.size() / 2; ++i) row[i] = node_hash(row[2 * i], row[2 * i + 1]);
  return row.front();
}

}  // namespace

Result<DenseLog> DenseLog::open(const std::filesystem::path& directory) {
  DenseLog log;
  log.directory_ = directory;
  log.entries_ = KAPOK_TRY(File::open_for_reading(directory / "entries"));
  for (unsigned level = 0; level < kTileLevels; ++level) {
    Result<File> file = File::open_for_reading(directory / fmt::format("tile.{}", level));
    if (!file && file.error().code == Errc::not_found) break;
    if (!file) return std::unexpected(std::move(file).error());
    log.tiles_.push_back(*std::move(file));
  }
  return log;
}

Result<std::string> DenseLog::checkpoint_note() const {
  return read_note(directory_);
}
Result<std::string> DenseLog::text(const Digest256& hash) const {
  return read_text(directory_, hash);
}

std::string DenseLog::name_of_tile(const TilePath& path) const {
  return path.kind == TileKind::entries ? "entries" : fmt::format("tile.{}", path.level);
}

Result<Bytes> DenseLog::read_tile(const TilePath& path) const {
  const std::size_t each = item_bytes(path.kind);
  Bytes out(static_cast<std::size_t>(path.width) * each);
  if (path.kind == TileKind::hashes && path.level >= tiles_.size())
    return fail(Errc::not_found, "tile.{} is missing", path.level);
  const File& file = path.kind == TileKind::entries ? entries_ : tiles_[path.level];
  KAPOK_TRY(file.read_at(path.index * kTileWidth * each, out));
  return out;
}

Result<Digest256> DenseLog::hash(unsigned height, std::uint64_t index) const {
  const unsigned level = height / kTileHeight;
  const unsigned above = height % kTileHeight;
  if (level >= tiles_.size()) return fail(Errc::not_found, "tile.{} is missing", level);
  Bytes hashes((std::size_t{1} << above) * kHashBytes);
  KAPOK_TRY(tiles_[level].read_at((index << above) * kHashBytes, hashes));
  return fold(hashes);
}

Result<StaticLog> StaticLog::open(const std::filesystem::path& directory) {
  StaticLog log;
  log.directory_ = directory;
  const std::string note = KAPOK_TRY(log.checkpoint_note());
  const Checkpoint checkpoint = KAPOK_TRY(parse_checkpoint(note.substr(0, note.find("\n\n") + 1)));
  log.size_ = checkpoint.size;
  return log;
}

Result<std::string> StaticLog::checkpoint_note() const {
  return read_note(directory_);
}
Result<std::string> StaticLog::text(const Digest256& hash) const {
  return read_text(directory_, hash);
}

std::string StaticLog::name_of_tile(const TilePath& path) const {
  return "tile/" + to_string(path);
}

Result<Bytes> StaticLog::read_tile(const TilePath& path) const {
  const std::size_t each = item_bytes(path.kind);
  const std::size_t wanted = static_cast<std::size_t>(path.width) * each;
  // A mirror may hold the partial tile of exactly this size, or a wider one by now.
  TilePath stored = path;
  stored.width = tile_width_at(path, size_);
  if (stored.width < path.width) stored.width = path.width;
  Result<Bytes> bytes = read_small_file(directory_ / "tile" / to_string(stored), 256 * kEntryBytes);
  if (!bytes && bytes.error().code == Errc::not_found && stored.width < kTileWidth) {
    stored.width = kTileWidth;
    bytes = read_small_file(directory_ / "tile" / to_string(stored), 256 * kEntryBytes);
  }
  if (!bytes) return std::unexpected(std::move(bytes).error());
  if (bytes->size() < wanted || bytes->size() != static_cast<std::size_t>(stored.width) * each)
    return fail(Errc::malformed, "tile/{} has {} bytes instead of {}", to_string(stored),
                bytes->size(), static_cast<std::size_t>(stored.width) * each);
  bytes->resize(wanted);
  return bytes;
}

Result<Digest256> StaticLog::hash(unsigned height, std::uint64_t index) const {
  const unsigned level = height / kTileHeight;
  const unsigned above = height % kTileHeight;
  const std::uint64_t first = index << above;
  TilePath path{TileKind::hashes, level, first / kTileWidth, kTileWidth};
  const std::uint64_t begin = first % kTileWidth;
  const std::uint64_t count = std::uint64_t{1} << above;
  path.width = begin + count;
  const Bytes tile = KAPOK_TRY(read_tile(path));
  return fold(ByteSpan(tile).subspan(static_cast<std::size_t>(begin) * kHashBytes));
}

Result<std::unique_ptr<LogSource>> open_log(const std::filesystem::path& directory) {
  std::error_code ignored;
  if (std::filesystem::is_regular_file(directory / "entries", ignored))
    return std::make_unique<DenseLog>(KAPOK_TRY(DenseLog::open(directory)));
  if (std::filesystem::is_directory(directory / "tile", ignored))
    return std::make_unique<StaticLog>(KAPOK_TRY(StaticLog::open(directory)));
  return fail(Errc::not_found, "{} holds no log: neither a file \"entries\" nor a folder \"tile\"",
              directory.string());
}

Result<void> for_each_entry(const LogSource& log, std::uint64_t from, std::uint64_t to,
                            const OnEntry& on_entry) {
  for (std::uint64_t index = from; index < to;) {
    TilePath path{TileKind::entries, 0, index / kTileWidth, kTileWidth};
    path.width = std::min<std::uint64_t>(kTileWidth, to - path.index * kTileWidth);
    const Bytes bundle = KAPOK_TRY(log.read_tile(path));
    for (std::uint64_t at = index % kTileWidth; at < path.width; ++at, ++index) {
      ByteReader in(ByteSpan(bundle).subspan(static_cast<std::size_t>(at) * kEntryBytes));
      const std::uint16_t length = KAPOK_TRY(in.u16());
      if (length != kLeafBytes)
        return fail(Errc::malformed, "{} entry {}: length {} instead of {}", log.name_of_tile(path),
                    index, length, kLeafBytes);
      const ByteSpan entry = KAPOK_TRY(in.take(kLeafBytes));
      KAPOK_TRY(on_entry(index, entry));
    }
  }
  return {};
}

Result<void> export_static(const LogSource& log, std::uint64_t size,
                           const std::filesystem::path& folder) {
  const auto copy = [&](const TilePath& path) -> Result<void> {
    const Bytes bytes = KAPOK_TRY(log.read_tile(path));
    const std::filesystem::path to = folder / "tile" / to_string(path);
    std::error_code failed;
    std::filesystem::create_directories(to.parent_path(), failed);
    return replace_file(to, bytes, 0644);
  };
  const auto copy_level = [&](TilePath path) -> Result<void> {
    for (path.index = 0; (path.width = tile_width_at(path, size)) > 0; ++path.index)
      KAPOK_TRY(copy(path));
    return {};
  };
  KAPOK_TRY(copy_level({TileKind::entries, 0, 0, 0}));
  for (unsigned level = 0; level < kTileLevels; ++level)
    KAPOK_TRY(copy_level({TileKind::hashes, level, 0, 0}));
  const auto copy_text = [&](std::uint64_t, ByteSpan entry) -> Result<void> {
    const Leaf leaf = KAPOK_TRY(decode_leaf(entry));
    if (leaf.kind != LeafKind::rule_set && leaf.kind != LeafKind::catalogue) return {};
    const Result<std::string> text = log.text(leaf.sha256);
    if (!text)
      return text.error().code == Errc::not_found ? Result<void>() : std::unexpected(text.error());
    std::error_code failed;
    std::filesystem::create_directories(folder / "texts", failed);
    return replace_file(folder / "texts" / (to_hex(leaf.sha256) + ".json"), as_bytes(*text), 0644);
  };
  KAPOK_TRY(for_each_entry(log, 0, size, copy_text));
  const std::string note = KAPOK_TRY(log.checkpoint_note());
  return replace_file(folder / "checkpoint", as_bytes(note), 0644);
}

}  // namespace kapok::ledger
