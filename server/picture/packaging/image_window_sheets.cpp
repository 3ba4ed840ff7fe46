// The sheets of a live window. Each is laid once, in the order of time, when all that it shows is
// there or known never to come; so a name never means other bytes.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "server/picture/packaging/hls_media_playlist.hpp"
#include "server/picture/packaging/image_window.hpp"

namespace kapok::packaging {

namespace {

constexpr std::int64_t kTiles = kSheetTiles;
constexpr Timescale kMicroseconds = 1'000'000;
// In a shorter window sheets would come and go, and texts change with them.
constexpr int kSheetsInAWindow = 3;

std::string seconds_of(microseconds time) {
  return format_seconds({time.count()}, kMicroseconds);
}

}  // namespace

// Whether the leading rendition has all of its segments that it will have.
bool ImageWindow::has_ended(Eras::const_iterator era) const {
  return (ended_era_ && *ended_era_ >= era->first) ||
         (!segments_.empty() && segments_.back().era > era->first);
}

std::optional<UtcTime> ImageWindow::end_of(Eras::const_iterator era) const {
  if (!has_ended(era)) return std::nullopt;
  const auto next = std::next(era);
  if (next != eras_.end() &&
      next->second.discontinuity_sequence == era->second.discontinuity_sequence)
    return next->second.start_utc;
  const auto behind = std::ranges::upper_bound(segments_, era->first, {}, &Led::era);
  return behind == segments_.begin() ? era->second.start_utc : std::prev(behind)->end();
}

// Whether the thumbnail of a segment is there, or will not be.
bool ImageWindow::is_settled(Eras::const_iterator era, const Led& segment) const {
  if (thumbnails_.contains(segment.number)) return true;
  // Whoever makes it is told what the feed was a little ago.
  constexpr microseconds kSlack{1'000'000};
  const auto last = std::prev(eras_.end());
  const bool cut = (ended_era_ && *ended_era_ >= era->first) ||
                   last->second.discontinuity_sequence != era->second.discontinuity_sequence;
  return cut || segments_.back().start > segment.start + kThumbnailBehind + kSlack;
}

bool ImageWindow::lay_next_era() {
  const auto next = eras_.upper_bound(next_sheet_era_);
  if (next == eras_.end()) return false;
  next_sheet_era_ = next->first;
  next_sheet_ = 1;
  return true;
}

// False: the next one is not complete yet.
bool ImageWindow::lay_sheet() {
  const auto era = eras_.find(next_sheet_era_);
  if (era == eras_.end()) return lay_next_era();
  const microseconds tile = era->second.segment_duration;
  const auto [first, last] = std::ranges::equal_range(segments_, era->first, {}, &Led::era);
  if (first == last || tile <= microseconds(0)) return has_ended(era) && lay_next_era();
  const UtcTime grid = era->second.start_utc;
  const bool whole = first->number <= era->second.base;
  if (!whole && first->start > grid)  // those before it have left
    next_sheet_ = std::max(next_sheet_,
                           static_cast<std::uint64_t>((first->start - grid) / (tile * kTiles)) + 1);
  LaidSheet laid{.era = era->first,
                 .name = {.grid = static_cast<std::uint64_t>(grid.time_since_epoch().count()),
                          .tile = tile,
                          .number = next_sheet_},
                 .start = grid + tile * kTiles * static_cast<std::int64_t>(next_sheet_ - 1),
                 .length = tile * kTiles};
  const std::optional<UtcTime> end = end_of(era);
  if (end && laid.start >= *end) return lay_next_era();
  if (end) laid.length = std::min(laid.length, *end - laid.start);
  std::vector<const Led*> shown;
  bool lost = false;
  for (std::int64_t i = 0; i < kTiles; ++i) {
    const UtcTime middle = laid.start + tile * i + tile / 2;
    if (end && middle >= *end && !shown.empty()) {
      shown.push_back(shown.back());
      continue;
    }
    const auto behind = std::ranges::upper_bound(first, last, middle, {}, &Led::start);
    lost = lost || (behind == first && !whole);
    const Led& led = behind == first ? *first : *std::prev(behind);
    // While the next one is not there, it may begin before the middle.
    if (behind == last && led.end() <= middle && !end) return false;
    if (!is_settled(era, led)) return false;
    shown.push_back(&led);
  }
  ++next_sheet_;
  if (lost) return true;
  laid.first = shown.front()->number;
  laid.tiles = thumbnails_of(shown);
  sheets_.push_back(std::move(laid));
  return true;
}

// Where there is none that of the segment before, or else that behind, of the same sheet: what it
// is made of must not leave before it does.
std::vector<std::uint64_t> ImageWindow::thumbnails_of(const std::vector<const Led*>& shown) const {
  std::optional<std::uint64_t> before;
  for (const Led* led : shown)
    if (!before && thumbnails_.contains(led->number)) before = led->number;
  if (!before) return {};
  std::vector<std::uint64_t> tiles;
  for (const Led* led : shown) {
    if (thumbnails_.contains(led->number)) before = led->number;
    tiles.push_back(*before);
  }
  return tiles;
}

// Of the size that its era's thumbnails have now: a manifest tells one.
std::optional<Sheet> ImageWindow::sheet_of(const LaidSheet& laid) const {
  const auto size = listings_.find(laid.era);
  if (size == listings_.end() || laid.tiles.empty()) return std::nullopt;
  std::vector<Thumbnail> tiles;
  for (const std::uint64_t number : laid.tiles) {
    const auto found = thumbnails_.find(number);
    if (found == thumbnails_.end() || found->second.width != size->second.width ||
        found->second.height != size->second.height)
      return std::nullopt;
    tiles.push_back(found->second);
  }
  return make_sheet(laid.name, std::move(tiles));
}

std::optional<Sheet> ImageWindow::sheet(const SheetName& name) const {
  const UtcTime start = UtcTime(microseconds(static_cast<std::int64_t>(name.grid))) +
                        name.tile * kTiles * static_cast<std::int64_t>(name.number - 1);
  const auto found = std::ranges::lower_bound(sheets_, start, {}, &LaidSheet::start);
  return found == sheets_.end() || found->name != name ? std::nullopt : sheet_of(*found);
}

std::vector<const ImageWindow::LaidSheet*> ImageWindow::listed_sheets() const {
  std::vector<const LaidSheet*> listed;
  for (const LaidSheet& laid : sheets_)
    if (laid.first >= listed_from_) listed.push_back(&laid);
  return listed;
}

bool ImageWindow::has_sheet() const {
  if (sheets_.empty()) return false;
  const Era& newest = eras_.rbegin()->second;
  if (newest.window < newest.segment_duration * kTiles * kSheetsInAWindow) return false;
  return std::any_of(sheets_.rbegin(), sheets_.rend(), [&](const LaidSheet& laid) {
    return laid.first >= listed_from_ && sheet_of(laid);
  });
}

// [Image Media Playlist, draft of Roku and others] A sheet without pictures is a gap, so that the
// others keep their numbers. These rise with time and by one from sheet to sheet; where the oldest
// era leaves, they go up at once: how many there were before is not kept.
std::string ImageWindow::write_sheet_playlist() const {
  const std::vector<const LaidSheet*> listed = listed_sheets();
  const LaidSheet& first = *listed.front();
  const auto sequence_of = [&](const LaidSheet& laid) -> std::uint32_t {
    const auto era = eras_.find(laid.era);
    return era == eras_.end() ? 0 : era->second.discontinuity_sequence;
  };
  const std::uint64_t number =
      first.name.grid / static_cast<std::uint64_t>(kMicroseconds) + first.name.number;
  std::uint32_t sequence = sequence_of(first);
  // A grid's step rounds to the target of segments at most.
  const std::uint32_t target = target_duration_s_ * kSheetTiles + kSheetTiles / 2;
  std::string out = fmt::format(
      "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:{}\n#EXT-X-MEDIA-SEQUENCE:{}\n"
      "#EXT-X-DISCONTINUITY-SEQUENCE:{}\n#EXT-X-IMAGES-ONLY\n",
      target, number, sequence);
  const auto to = std::back_inserter(out);
  for (const LaidSheet* laid : listed) {
    for (const std::uint32_t now = sequence_of(*laid); sequence < now; ++sequence)
      out += "#EXT-X-DISCONTINUITY\n";
    const auto sheet = sheet_of(*laid);
    if (!sheet) out += "#EXT-X-GAP\n";
    const auto size = listings_.find(laid->era);
    fmt::format_to(to, "#EXT-X-PROGRAM-DATE-TIME:{}\n", format_utc(laid->start));
    // Of a gap too: Shaka takes the layout of all from the first line.
    if (size != listings_.end())
      fmt::format_to(to, "#EXT-X-TILES:RESOLUTION={}x{},LAYOUT={},DURATION={}\n",
                     size->second.width, size->second.height, kSheetLayout,
                     seconds_of(laid->name.tile));
    fmt::format_to(to, "#EXTINF:{},\n{}\n", seconds_of(laid->length), to_string(laid->name));
  }
  return out;
}

// [Media Fragments URI 1.0, 4.2.2] which part of the sheet.
std::string ImageWindow::write_sheet_webvtt() const {
  std::string out = "WEBVTT\n";
  for (const LaidSheet* laid : listed_sheets())
    if (const auto sheet = sheet_of(*laid))
      append_cues(out, *sheet, laid->name, laid->start.time_since_epoch(), laid->length);
  return out;
}

std::optional<Rendered> ImageWindow::sheet_playlist() const {
  if (!sheets_listable_) return std::nullopt;
  if (!sheet_playlist_)
    sheet_playlist_ = Rendered{Buffer::copy_of(write_sheet_playlist()), generation_};
  return sheet_playlist_;
}

std::optional<Rendered> ImageWindow::sheet_webvtt() const {
  if (!sheets_listable_) return std::nullopt;
  if (!sheet_webvtt_) sheet_webvtt_ = Rendered{Buffer::copy_of(write_sheet_webvtt()), generation_};
  return sheet_webvtt_;
}

}  // namespace kapok::packaging
