#include "server/hours/ledger/tile.hpp"

#include <algorithm>
#include <optional>

namespace kapok::ledger {

namespace {

std::optional<std::uint64_t> digits(std::string_view text, std::size_t longest) {
  if (text.empty() || text.size() > longest) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return value;
}

// "5", "255"; no leading zero.
std::optional<std::uint64_t> plain_number(std::string_view text) {
  if (text.size() > 1 && text.front() == '0') return std::nullopt;
  return digits(text, 3);
}

std::unexpected<Error> not_a_tile() {
  return fail(Errc::malformed, "not a tile path");
}

constexpr std::size_t kMaxGroups = 5;  // 10^15 tiles

}  // namespace

Result<TilePath> parse_tile_path(std::string_view path) {
  TilePath out;
  const std::size_t slash = path.find('/');
  if (slash == std::string_view::npos) return not_a_tile();
  const std::string_view kind = path.substr(0, slash);
  path.remove_prefix(slash + 1);
  if (kind == "entries") {
    out.kind = TileKind::entries;
  } else {
    const auto level = plain_number(kind);
    if (!level || *level >= kTileLevels) return not_a_tile();
    out.level = static_cast<unsigned>(*level);
  }
  if (const std::size_t partial = path.find(".p/"); partial != std::string_view::npos) {
    const auto width = plain_number(path.substr(partial + 3));
    if (!width || *width < 1 || *width >= kTileWidth) return not_a_tile();
    out.width = *width;
    path = path.substr(0, partial);
  }
  for (std::size_t group = 0;; ++group) {
    if (group == kMaxGroups) return not_a_tile();
    const bool more = path.starts_with('x');
    if (more) path.remove_prefix(1);
    if (path.size() < 3) return not_a_tile();
    const auto value = digits(path.substr(0, 3), 3);
    if (!value) return not_a_tile();
    // [tlog-tiles] one spelling per number: no x000 in front.
    if (group == 0 && more && *value == 0) return not_a_tile();
    out.index = out.index * 1000 + *value;
    path.remove_prefix(3);
    if (!more) return path.empty() ? Result<TilePath>(out) : not_a_tile();
    if (!path.starts_with('/')) return not_a_tile();
    path.remove_prefix(1);
  }
}

std::string to_string(const TilePath& path) {
  std::string number = fmt::format("{:03}", path.index % 1000);
  for (std::uint64_t left = path.index / 1000; left > 0; left /= 1000)
    number = fmt::format("x{:03}/{}", left % 1000, number);
  std::string out = path.kind == TileKind::entries ? fmt::format("entries/{}", number)
                                                   : fmt::format("{}/{}", path.level, number);
  if (path.width < kTileWidth) out += fmt::format(".p/{}", path.width);
  return out;
}

std::uint64_t tile_width_at(const TilePath& path, std::uint64_t size) {
  const unsigned shift = path.kind == TileKind::entries ? 0 : path.level * kTileHeight;
  const std::uint64_t hashes = size >> shift;
  const std::uint64_t full = hashes / kTileWidth;
  if (path.index < full) return kTileWidth;
  return path.index == full ? hashes % kTileWidth : 0;
}

}  // namespace kapok::ledger
