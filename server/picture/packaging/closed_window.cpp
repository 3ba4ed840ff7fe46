#include "server/picture/packaging/closed_window.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "server/picture/packaging/disk_file.hpp"
#include "server/picture/packaging/hls_media_playlist.hpp"
#include "server/picture/packaging/listing.hpp"

namespace kapok::packaging {

namespace {

microseconds end_of(const ClosedRendition& rendition) {
  if (rendition.segments.empty()) return microseconds(0);
  const ClosedSegment& last = rendition.segments.back();
  return media::to_microseconds(last.start + last.duration, rendition.info.timescale);
}

// [RFC 8216bis 4.4.3.1] EXTINF, rounded to the nearest integer, must not exceed it.
std::uint32_t target_of(const ClosedItem& item) {
  std::int64_t target = 1;
  for (const ClosedRendition& rendition : item.renditions)
    for (const ClosedSegment& segment : rendition.segments)
      target =
          std::max(target, media::rescale(segment.duration, rendition.info.timescale, 1).count);
  return static_cast<std::uint32_t>(target);
}

}  // namespace

ClosedWindow::ClosedWindow(ClosedItem item)
    : item_(std::move(item)), images_(item_, target_of(item_)) {
  microseconds end{0};
  EraListing listing;
  for (const ClosedRendition& rendition : item_.renditions) {
    end = std::max(end, end_of(rendition));
    listing.renditions.push_back({rendition.info, rendition.init});
  }
  duration_ = std::max(microseconds(0), end - media::to_microseconds(item_.begin, item_.timescale));
  listing.thumbnails = images_.listing();
  multivariant_ = Buffer::copy_of(write_multivariant(listing));
  manifest_ = Buffer::copy_of(write_static_manifest(item_, duration_, listing.thumbnails));
  const std::uint32_t target = target_of(item_);
  for (const ClosedRendition& rendition : item_.renditions)
    playlists_.emplace(rendition.info.id, Buffer::copy_of(write_playlist(rendition, target)));
}

std::string ClosedWindow::write_playlist(const ClosedRendition& rendition,
                                         std::uint32_t target) const {
  std::string out;
  const auto to = std::back_inserter(out);
  fmt::format_to(to,
                 "#EXTM3U\n#EXT-X-VERSION:8\n#EXT-X-TARGETDURATION:{}\n"
                 "#EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-MEDIA-SEQUENCE:1\n"
                 "#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-MAP:URI=\"{}\"\n",
                 target, rendition.init->name);
  std::uint64_t number = 0;
  for (const ClosedSegment& segment : rendition.segments) {
    if (segment.bytes == 0) out += "#EXT-X-GAP\n";
    fmt::format_to(to, "#EXTINF:{},\n{}{}.m4s\n",
                   format_seconds(segment.duration, rendition.info.timescale),
                   segment_name_prefix(item_.run), ++number);
  }
  out += "#EXT-X-ENDLIST\n";
  return out;
}

const ClosedRendition* ClosedWindow::find(std::string_view rendition) const {
  const auto found = std::ranges::find_if(
      item_.renditions, [&](const auto& one) { return one.info.id == rendition; });
  return found == item_.renditions.end() ? nullptr : &*found;
}

Buffer ClosedWindow::playlist(std::string_view rendition) const {
  const auto found = playlists_.find(rendition);
  return found == playlists_.end() ? Buffer() : found->second;
}

std::optional<MediaObject> ClosedWindow::find_segment(std::string_view id,
                                                      const SegmentName& name) const {
  const ClosedRendition* rendition = find(id);
  if (rendition == nullptr || name.discontinuity_sequence != item_.run || name.number == 0 ||
      name.number > rendition->segments.size())
    return std::nullopt;
  const ClosedSegment& segment = rendition->segments[name.number - 1];
  MediaObject object;
  object.size = segment.bytes;
  object.etag = segment.etag;
  object.from = UtcTime(media::to_microseconds(segment.start, rendition->info.timescale));
  object.to =
      UtcTime(media::to_microseconds(segment.start + segment.duration, rendition->info.timescale));
  if (segment.bytes > 0)
    object.file = std::make_shared<DiskFile>(item_.folder / std::string(id) /
                                             fmt::format("{}.m4s", name.number));
  return object;
}

}  // namespace kapok::packaging
