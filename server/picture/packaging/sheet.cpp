#include "server/picture/packaging/sheet.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <map>
#include <utility>

#include "server/media/image.hpp"
#include "server/media/jpeg_sheet.hpp"

namespace kapok::packaging {

namespace {

// Of the files of one sheet; ours have some 80 kB.
constexpr std::uint64_t kMaxSheetBytes = std::uint64_t{2} * 1024 * 1024;

Result<Buffer> read(const Thumbnail& thumbnail) {
  const int descriptor = KAPOK_TRY(thumbnail.file->descriptor());
  Bytes bytes(thumbnail.size);
  std::size_t at = 0;
  while (at < bytes.size()) {
    const ssize_t got =
        ::pread(descriptor, bytes.data() + at, bytes.size() - at, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::unexpected(system_error(errno, "read a thumbnail"));
    if (got == 0) return fail(Errc::io, "thumbnail {} is shorter than it was", thumbnail.number);
    at += static_cast<std::size_t>(got);
  }
  return Buffer(std::move(bytes));
}

}  // namespace

std::string to_string(const SheetName& name) {
  return fmt::format("sheet-{}-{}-{}.jpg", name.grid, name.tile.count(), name.number);
}

std::string sheet_template(const SheetName& grid) {
  return fmt::format("sheet-{}-{}-$Number$.jpg", grid.grid, grid.tile.count());
}

bool fits_sheet(const Thumbnail& thumbnail) {
  return thumbnail.height > 0 && thumbnail.height % media::kSheetRowStep == 0;
}

std::optional<Sheet> make_sheet(const SheetName& name, std::vector<Thumbnail> tiles) {
  if (tiles.size() != kSheetTiles || !fits_sheet(tiles.front())) return std::nullopt;
  std::uint64_t bytes = 0;
  for (const Thumbnail& tile : tiles) {
    if (tile.width != tiles.front().width || tile.height != tiles.front().height)
      return std::nullopt;
    bytes += tile.size;
  }
  if (bytes > kMaxSheetBytes) return std::nullopt;
  Sheet sheet;
  sheet.etag =
      fmt::format("\"g{:x}-{:x}-{}-{:x}\"", name.grid, name.tile.count(), name.number, bytes);
  sheet.tiles = std::move(tiles);
  return sheet;
}

// Hours have as many digits as they need.
std::string webvtt_time(microseconds time) {
  const auto ms = std::chrono::duration_cast<milliseconds>(time).count();
  return fmt::format("{:02}:{:02}:{:02}.{:03}", ms / 3'600'000, ms / 60'000 % 60, ms / 1000 % 60,
                     ms % 1000);
}

void append_cues(std::string& webvtt, const Sheet& sheet, const SheetName& name, microseconds from,
                 microseconds length) {
  const std::string file = to_string(name);
  const Thumbnail& size = sheet.tiles.front();
  for (std::uint32_t i = 0; i < kSheetTiles && name.tile * i < length; ++i)
    fmt::format_to(std::back_inserter(webvtt), "\n{} --> {}\n{}#xywh=0,{},{},{}\n",
                   webvtt_time(from + name.tile * i),
                   webvtt_time(from + std::min(name.tile * (i + 1), length)), file, i * size.height,
                   size.width, size.height);
}

Result<Buffer> join(const Sheet& sheet) {
  std::map<std::uint64_t, Buffer> files;
  std::vector<Buffer> rows;
  for (const Thumbnail& tile : sheet.tiles) {
    auto file = files.find(tile.number);
    if (file == files.end()) file = files.emplace(tile.number, KAPOK_TRY(read(tile))).first;
    rows.push_back(file->second);
  }
  return media::join_jpegs(rows);
}

}  // namespace kapok::packaging
