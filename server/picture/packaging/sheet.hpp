// Sheets: ten thumbnails one below the other in one JPEG, so that a seek bar costs few requests.
// Their tiles all last equally long [DASH-IF IOP 4.3, 6.2.6], which segments do not: sheets lie on
// a grid of time, and a tile shows the thumbnail of the segment that its middle lies in. None is
// kept: one is put together of the thumbnails' files when it is asked for, always of the same.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/picture/packaging/window.hpp"

namespace kapok::packaging {

constexpr std::size_t kSheetTiles = 10;
constexpr std::string_view kSheetLayout = "1x10";  // columns x rows

// All that a sheet is of: sheet `number` of a grid begins (number - 1) * kSheetTiles * tile behind
// where the grid does.
struct SheetName {
  std::uint64_t grid = 0;  // the start of an era, in us since 1970; of an item its run
  microseconds tile{0};
  std::uint64_t number = 0;  // from 1
  bool operator==(const SheetName&) const = default;
};
// "sheet-<grid>-<tile in us>-<number>.jpg", beside the thumbnails.
std::string to_string(const SheetName& name);
// The same with $Number$ for the number.
std::string sheet_template(const SheetName& grid);

struct Sheet {
  std::vector<Thumbnail> tiles;  // kSheetTiles, from the top; one may stand there several times
  std::string etag;              // strong, with quotes
};
// Nothing where thumbnails of different sizes, or such as have no whole rows of MCUs, stand
// together: what an older version has left, or a ladder that has changed.
std::optional<Sheet> make_sheet(const SheetName& name, std::vector<Thumbnail> tiles);
// Whether thumbnails of that size can be joined.
bool fits_sheet(const Thumbnail& thumbnail);

// [WebVTT 4.1; Media Fragments URI 1.0, 4.2.2] a cue for each tile that begins before `length` is
// over; the last one ends with it.
void append_cues(std::string& webvtt, const Sheet& sheet, const SheetName& name, microseconds from,
                 microseconds length);
// [WebVTT 4.1] "00:00:04.000".
std::string webvtt_time(microseconds time);

// Reads and joins; may block. Errors: io, and those of media::join_jpegs().
Result<Buffer> join(const Sheet& sheet);

}  // namespace kapok::packaging
