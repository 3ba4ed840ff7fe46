#include "server/picture/packaging/closed_images.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "server/picture/packaging/closed_window.hpp"
#include "server/picture/packaging/disk_file.hpp"
#include "server/picture/packaging/hls_media_playlist.hpp"
#include "server/picture/packaging/image_files.hpp"

namespace kapok::packaging {

const ClosedRendition* leading_of(const ClosedItem& item) {
  const auto found = std::ranges::find_if(item.renditions, [](const ClosedRendition& rendition) {
    return rendition.info.kind == media::TrackKind::video;
  });
  return found == item.renditions.end() ? nullptr : &*found;
}

ClosedImages::ClosedImages(const ClosedItem& item, std::uint32_t target)
    : folder_(item.folder), run_(item.run), poster_(item.poster), thumbnails_(item.thumbnails) {
  const ClosedRendition* led = leading_of(item);
  if (led == nullptr || thumbnails_.empty()) return;
  segments_ = led->segments.size();
  const Thumbnail& size = thumbnails_.front();
  listing_ = ThumbnailListing{.width = size.width, .height = size.height, .bandwidth = 1};
  for (std::uint64_t number = 1; number <= segments_; ++number) {
    const microseconds length =
        media::to_microseconds(led->segments[number - 1].duration, led->info.timescale);
    const double bits = static_cast<double>(shown_at(number).size) * 8e6 /
                        static_cast<double>(std::max<std::int64_t>(length.count(), 1));
    listing_->bandwidth =
        std::max(listing_->bandwidth, static_cast<std::uint32_t>(std::min(std::ceil(bits), 1e9)));
  }
  lay_sheets(item, *led);
  playlist_ = Buffer::copy_of(write_playlist(item, *led, target));
  webvtt_ = Buffer::copy_of(write_webvtt(item, *led));
}

const Thumbnail& ClosedImages::shown_at(std::uint64_t number) const {
  const auto after = std::ranges::upper_bound(thumbnails_, number, {}, &Thumbnail::number);
  return after == thumbnails_.begin() ? *after : *std::prev(after);
}

std::optional<MediaObject> ClosedImages::thumbnail(const SegmentName& name) const {
  if (name.discontinuity_sequence != run_ || name.number == 0 || name.number > segments_)
    return std::nullopt;
  const Thumbnail& shown = shown_at(name.number);
  MediaObject object;
  object.size = shown.size;
  object.etag = fmt::format("\"t{}-{}-{:x}\"", run_, name.number, shown.size);
  object.file = std::make_shared<DiskFile>(path_below(folder_, shown));
  return object;
}

// [Image Media Playlist, draft of Roku and others] tiles of one picture each, as in live.
std::string ClosedImages::write_playlist(const ClosedItem& item, const ClosedRendition& led,
                                         std::uint32_t target) const {
  std::string out = fmt::format(
      "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:{}\n#EXT-X-PLAYLIST-TYPE:VOD\n"
      "#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-IMAGES-ONLY\n",
      target);
  std::uint64_t number = 0;
  for (const ClosedSegment& segment : led.segments) {
    const std::string length = format_seconds(segment.duration, led.info.timescale);
    const Thumbnail& shown = shown_at(++number);
    fmt::format_to(std::back_inserter(out),
                   "#EXT-X-TILES:RESOLUTION={}x{},LAYOUT=1x1,DURATION={}\n#EXTINF:{},\n{}{}.jpg\n",
                   shown.width, shown.height, length, length, segment_name_prefix(item.run),
                   number);
  }
  return out + "#EXT-X-ENDLIST\n";
}

std::string ClosedImages::write_webvtt(const ClosedItem& item, const ClosedRendition& led) const {
  const microseconds begin = media::to_microseconds(item.begin, item.timescale);
  std::string out = "WEBVTT\n";
  std::uint64_t number = 0;
  for (const ClosedSegment& segment : led.segments) {
    const microseconds from = std::max(
        microseconds(0), media::to_microseconds(segment.start, led.info.timescale) - begin);
    const microseconds length = media::to_microseconds(segment.duration, led.info.timescale);
    fmt::format_to(std::back_inserter(out), "\n{} --> {}\n{}{}.jpg\n", webvtt_time(from),
                   webvtt_time(from + length), segment_name_prefix(item.run), ++number);
  }
  return out;
}

// A tile is shown as long as most segments are, so that pictures and segments go together through a
// film of equal GOPs; where a few are much longer, as long as they all are in the mean, or there
// would be many times more tiles than pictures.
void ClosedImages::lay_sheets(const ClosedItem& item, const ClosedRendition& led) {
  const microseconds begin = media::to_microseconds(item.begin, item.timescale);
  const Thumbnail& size = thumbnails_.front();
  const bool alike = std::ranges::all_of(thumbnails_, [&](const Thumbnail& thumbnail) {
    return thumbnail.width == size.width && thumbnail.height == size.height;
  });
  if (!alike || !fits_sheet(size)) return;
  std::vector<microseconds> lengths;
  for (const ClosedSegment& segment : led.segments) {
    const microseconds start = media::to_microseconds(segment.start, led.info.timescale) - begin;
    lengths.push_back(media::to_microseconds(segment.duration, led.info.timescale));
    length_ = std::max(length_, start + lengths.back());
    starts_.push_back(start);
  }
  if (lengths.empty() || length_ <= microseconds(0)) return;
  const auto middle = lengths.begin() + static_cast<std::ptrdiff_t>(lengths.size() / 2);
  std::ranges::nth_element(lengths, middle);
  const microseconds mean = length_ / static_cast<std::int64_t>(starts_.size());
  const microseconds tile = std::chrono::ceil<milliseconds>(std::max(*middle, mean));
  listing_->sheet_tile = tile;
  const microseconds sheet = tile * kSheetTiles;
  sheets_ = static_cast<std::uint64_t>((length_ + sheet - microseconds(1)) / sheet);
  sheet_playlist_ = Buffer::copy_of(write_sheet_playlist());
  sheet_webvtt_ = Buffer::copy_of(write_sheet_webvtt());
}

SheetName ClosedImages::sheet_name(std::uint64_t number) const {
  return {.grid = run_, .tile = listing_->sheet_tile, .number = number};
}

microseconds ClosedImages::sheet_length(std::uint64_t number) const {
  const microseconds whole = listing_->sheet_tile * kSheetTiles;
  return std::min(whole, length_ - whole * static_cast<std::int64_t>(number - 1));
}

std::optional<Sheet> ClosedImages::sheet(const SheetName& name) const {
  if (name.number == 0 || name.number > sheets_ || name != sheet_name(name.number))
    return std::nullopt;
  std::vector<Thumbnail> tiles;
  for (std::uint64_t i = (name.number - 1) * kSheetTiles; i < name.number * kSheetTiles; ++i) {
    const microseconds middle = name.tile * static_cast<std::int64_t>(i) + name.tile / 2;
    if (middle >= length_ && !tiles.empty()) {
      tiles.push_back(tiles.back());
      continue;
    }
    const auto behind = std::ranges::upper_bound(starts_, middle);
    const auto number = std::max<std::ptrdiff_t>(behind - starts_.begin(), 1);
    Thumbnail tile = shown_at(static_cast<std::uint64_t>(number));
    tile.file = std::make_shared<DiskFile>(path_below(folder_, tile));
    tiles.push_back(std::move(tile));
  }
  return make_sheet(name, std::move(tiles));
}

std::string ClosedImages::write_sheet_playlist() const {
  constexpr Timescale kMicroseconds = 1'000'000;
  const auto text = [](microseconds time) { return format_seconds({time.count()}, kMicroseconds); };
  // [RFC 8216bis 4.4.3.1] as above.
  const auto target = std::chrono::round<seconds>(sheet_length(1)).count();
  std::string out = fmt::format(
      "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:{}\n#EXT-X-PLAYLIST-TYPE:VOD\n"
      "#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-IMAGES-ONLY\n",
      std::max<std::int64_t>(target, 1));
  for (std::uint64_t number = 1; number <= sheets_; ++number)
    fmt::format_to(std::back_inserter(out),
                   "#EXT-X-TILES:RESOLUTION={}x{},LAYOUT={},DURATION={}\n#EXTINF:{},\n{}\n",
                   listing_->width, listing_->height, kSheetLayout, text(listing_->sheet_tile),
                   text(sheet_length(number)), to_string(sheet_name(number)));
  return out + "#EXT-X-ENDLIST\n";
}

std::string ClosedImages::write_sheet_webvtt() const {
  std::string out = "WEBVTT\n";
  const microseconds whole = listing_->sheet_tile * kSheetTiles;
  for (std::uint64_t number = 1; number <= sheets_; ++number)
    if (const auto made = sheet(sheet_name(number)))
      append_cues(out, *made, sheet_name(number), whole * static_cast<std::int64_t>(number - 1),
                  sheet_length(number));
  return out;
}

}  // namespace kapok::packaging
