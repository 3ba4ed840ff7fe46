#include "server/picture/packaging/image_window.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <iterator>
#include <utility>

#include "server/picture/packaging/hls_media_playlist.hpp"

namespace kapok::packaging {

namespace {

// A worker is behind the source by its decoder and a scheduler's slice. A thumbnail that is not
// there so many segments later is not coming.
constexpr std::size_t kPatientSegments = 3;

}  // namespace

bool ImageWindow::changed() {
  ++generation_;
  playlist_.reset();
  webvtt_.reset();
  sheet_playlist_.reset();
  sheet_webvtt_.reset();
  while (lay_sheet()) {
  }
  const bool was = std::exchange(listable_, !thumbnails_.empty() && listed_end() > listed_begin());
  const bool sheets_were = std::exchange(sheets_listable_, listable_ && has_sheet());
  return was != listable_ || sheets_were != sheets_listable_;
}

bool ImageWindow::on(const EraOpened& event) {
  // A grid that was moved again before anything was cut by it.
  if (!eras_.empty()) {
    const Era& last = eras_.rbegin()->second;
    if (last.id < event.era.id && last.base >= event.era.base &&
        last.discontinuity_sequence == event.era.discontinuity_sequence)
      eras_.erase(last.id);
  }
  eras_[event.era.id] = event.era;
  return changed();
}

bool ImageWindow::on(const EraEnded& event) {
  ended_era_ = event.era;
  return changed();
}

void ImageWindow::on(const RenditionOpened& event) {
  if (event.info.rung || event.info.kind != media::TrackKind::video) return;
  if (leader_.empty()) leader_ = event.info.id;
  if (event.info.id != leader_) return;
  timescale_ = event.info.timescale;
  target_duration_s_ = event.info.target_duration_s;
}

bool ImageWindow::on(const SegmentClosed& event) {
  if (event.rendition != leader_) return false;
  const Segment& segment = event.segment;
  segments_.push_back({.number = segment.number,
                       .era = segment.era,
                       .discontinuity = segment.discontinuity,
                       .duration = segment.duration,
                       .timescale = timescale_,
                       .start = segment.start_utc});
  return changed();
}

bool ImageWindow::on(const SegmentsExpired& event) {
  if (event.rendition != leader_) return false;
  listed_from_ = std::max(listed_from_, event.before);
  return changed();
}

bool ImageWindow::on(const SegmentsUnlinked& event) {
  if (event.rendition != leader_) return false;
  thumbnails_.erase(thumbnails_.begin(), thumbnails_.lower_bound(event.before));
  while (!segments_.empty() && segments_.front().number < event.before) segments_.pop_front();
  while (!sheets_.empty() && sheets_.front().first < event.before) sheets_.pop_front();
  const std::uint32_t oldest = thumbnails_.empty() ? 0 : thumbnails_.begin()->second.era;
  const std::uint32_t listed = segments_.empty() ? oldest : std::min(oldest, segments_.front().era);
  listings_.erase(listings_.begin(), listings_.lower_bound(listed));
  eras_.erase(eras_.begin(), eras_.lower_bound(listed));
  return changed();
}

bool ImageWindow::on(const ThumbnailAdded& event) {
  const Thumbnail& thumbnail = event.thumbnail;
  thumbnails_[thumbnail.number] = thumbnail;
  ThumbnailListing listing{thumbnail.width, thumbnail.height, 0};
  const auto era = eras_.find(thumbnail.era);
  constexpr std::uint64_t kBitsPerByteMicrosecond = 8'000'000;
  if (era != eras_.end() && era->second.segment_duration.count() > 0) {
    // To a power of two, so that it rarely changes.
    const auto bits = thumbnail.size * kBitsPerByteMicrosecond /
                      static_cast<std::uint64_t>(era->second.segment_duration.count());
    listing.bandwidth = static_cast<std::uint32_t>(std::bit_ceil(std::max<std::uint64_t>(bits, 1)));
  }
  ThumbnailListing& known = listings_[thumbnail.era];
  listing.bandwidth = std::max(listing.bandwidth, known.bandwidth);
  const bool same = known == listing;
  known = listing;
  return changed() || !same;
}

std::optional<MediaObject> ImageWindow::thumbnail(std::uint64_t number) const {
  const auto found = thumbnails_.find(number);
  if (found == thumbnails_.end()) return std::nullopt;
  MediaObject object;
  object.file = found->second.file;
  object.size = found->second.size;
  object.etag = fmt::format("\"t{}-{:x}\"", number, found->second.size);
  return object;
}

std::optional<ThumbnailListing> ImageWindow::listing(std::uint32_t era) const {
  auto found = listings_.upper_bound(era);
  if (!listable_ || found == listings_.begin()) return std::nullopt;
  --found;
  // An era that only moved the grid goes on with what the one before had.
  const auto wanted = eras_.find(era);
  const auto there = eras_.find(found->first);
  const bool same = found->first == era ||
                    (wanted != eras_.end() && there != eras_.end() &&
                     wanted->second.discontinuity_sequence == there->second.discontinuity_sequence);
  if (!same) return std::nullopt;
  ThumbnailListing listing = found->second;
  const bool joined = sheets_listable_ && wanted != eras_.end() &&
                      fits_sheet({.width = listing.width, .height = listing.height});
  if (joined) listing.sheet_tile = wanted->second.segment_duration;
  return listing;
}

std::size_t ImageWindow::listed_begin() const {
  const auto first = std::ranges::lower_bound(segments_, listed_from_, {}, &Led::number);
  return static_cast<std::size_t>(first - segments_.begin());
}

// The newest segments wait for their thumbnail a while: a line that was listed does not change.
std::size_t ImageWindow::listed_end() const {
  const std::size_t begin = listed_begin();
  std::size_t end = segments_.size();
  while (end > begin && !thumbnails_.contains(segments_[end - 1].number)) --end;
  const std::size_t patient = segments_.size() - std::min(kPatientSegments, segments_.size());
  return std::max(end, std::max(begin, patient));
}

// [Image Media Playlist, draft of Roku and others] tiles of one picture each; its numbers are those
// of the leading rendition's playlist, so that players hold the two together.
std::string ImageWindow::write_playlist() const {
  const std::size_t begin = listed_begin();
  const std::size_t end = listed_end();
  const Led& first = segments_[begin];
  const auto sequence_of = [&](const Led& segment) -> std::uint32_t {
    const auto era = eras_.find(segment.era);
    return era == eras_.end() ? 0 : era->second.discontinuity_sequence;
  };
  const std::uint32_t sequence = sequence_of(first);
  std::string out = fmt::format(
      "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:{}\n#EXT-X-MEDIA-SEQUENCE:{}\n"
      "#EXT-X-DISCONTINUITY-SEQUENCE:{}\n#EXT-X-IMAGES-ONLY\n",
      target_duration_s_, first.number, sequence - (first.discontinuity && sequence > 0 ? 1 : 0));
  const auto to = std::back_inserter(out);
  for (std::size_t i = begin; i < end; ++i) {
    const Led& segment = segments_[i];
    const std::string length = format_seconds(segment.duration, segment.timescale);
    if (segment.discontinuity) out += "#EXT-X-DISCONTINUITY\n";
    fmt::format_to(to, "#EXT-X-PROGRAM-DATE-TIME:{}\n", format_utc(segment.start));
    const auto found = thumbnails_.find(segment.number);
    if (found == thumbnails_.end())
      out += "#EXT-X-GAP\n";
    else
      fmt::format_to(to, "#EXT-X-TILES:RESOLUTION={}x{},LAYOUT=1x1,DURATION={}\n",
                     found->second.width, found->second.height, length);
    fmt::format_to(to, "#EXTINF:{},\n{}.jpg\n", length, segment.number);
  }
  return out;
}

std::string ImageWindow::write_webvtt() const {
  std::string out = "WEBVTT\n";
  for (std::size_t i = listed_begin(); i < segments_.size(); ++i) {
    const Led& segment = segments_[i];
    if (!thumbnails_.contains(segment.number)) continue;
    const microseconds length = media::to_microseconds(segment.duration, segment.timescale);
    const microseconds from = segment.start.time_since_epoch();
    fmt::format_to(std::back_inserter(out), "\n{} --> {}\n{}.jpg\n", webvtt_time(from),
                   webvtt_time(from + length), segment.number);
  }
  return out;
}

std::optional<Rendered> ImageWindow::playlist() const {
  if (!listable_) return std::nullopt;
  if (!playlist_) playlist_ = Rendered{Buffer::copy_of(write_playlist()), generation_};
  return playlist_;
}

std::optional<Rendered> ImageWindow::webvtt() const {
  if (thumbnails_.empty()) return std::nullopt;
  if (!webvtt_) webvtt_ = Rendered{Buffer::copy_of(write_webvtt()), generation_};
  return webvtt_;
}

}  // namespace kapok::packaging
