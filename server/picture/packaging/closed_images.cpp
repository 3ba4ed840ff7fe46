#include "server/picture/packaging/closed_images.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "server/picture/packaging/closed_window.hpp"
#include "server/picture/packaging/disk_file.hpp"
#include "server/picture/packaging/hls_media_playlist.hpp"
#include "server/picture/packaging/image_files.hpp"
#include "server/picture/packaging/image_window.hpp"

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
  listing_ = ThumbnailListing{thumbnails_.front().width, thumbnails_.front().height, 1};
  for (std::uint64_t number = 1; number <= segments_; ++number) {
    const microseconds length =
        media::to_microseconds(led->segments[number - 1].duration, led->info.timescale);
    const double bits = static_cast<double>(shown_at(number).size) * 8e6 /
                        static_cast<double>(std::max<std::int64_t>(length.count(), 1));
    listing_->bandwidth =
        std::max(listing_->bandwidth, static_cast<std::uint32_t>(std::min(std::ceil(bits), 1e9)));
  }
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

}  // namespace kapok::packaging
