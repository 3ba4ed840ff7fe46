// Tile coordinates of C2SP tlog-tiles and their paths. A tile is 256 hashes of one level; level L
// holds the roots of complete subtrees of height 8 L. An entry bundle is the 256 entries under a
// level 0 tile. Paths: tile/<L>/<N>[.p/<W>] and tile/entries/<N>[.p/<W>], N in groups of three
// digits, all but the last with an x in front: x001/x234/067.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "server/base/result.hpp"

namespace kapok::ledger {

constexpr unsigned kTileHeight = 8;
constexpr std::uint64_t kTileWidth = 256;
constexpr unsigned kTileLevels = 6;  // 2^48 leaves: 10^9 a day for 700 years

enum class TileKind : std::uint8_t { hashes, entries };

struct TilePath {
  TileKind kind = TileKind::hashes;
  unsigned level = 0;  // hashes only
  std::uint64_t index = 0;
  std::uint64_t width = kTileWidth;  // 1..255: partial
  bool operator==(const TilePath&) const = default;
};

// Without the leading "tile/". Errors: malformed (anything not canonical).
Result<TilePath> parse_tile_path(std::string_view path);
std::string to_string(const TilePath& path);

// How many hashes of `level` (or entries) a log of `size` leaves has in that tile: 0..256.
std::uint64_t tile_width_at(const TilePath& path, std::uint64_t size);

}  // namespace kapok::ledger
