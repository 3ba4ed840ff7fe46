// The still pictures of a finished item: a poster, and a thumbnail for each segment of the leading
// rendition, under its number. A worker that died may have cost one: then that of the segment
// before shows there, so that what is listed has no hole. Immutable.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/picture/packaging/listing.hpp"
#include "server/picture/packaging/sheet.hpp"
#include "server/picture/packaging/window.hpp"

namespace kapok::packaging {

struct ClosedItem;
struct ClosedRendition;

class ClosedImages {
 public:
  // `target`: the playlist's, in seconds.
  ClosedImages(const ClosedItem& item, std::uint32_t target);

  std::shared_ptr<const Poster> poster() const { return poster_; }  // null: none
  // Nothing where there is no thumbnail at all.
  std::optional<ThumbnailListing> listing() const { return listing_; }
  const Buffer& playlist() const { return playlist_; }  // an HLS image playlist
  const Buffer& webvtt() const { return webvtt_; }      // in presentation time, from 0
  std::optional<MediaObject> thumbnail(const SegmentName& name) const;
  // The same of sheets: empty where listing() has none.
  const Buffer& sheet_playlist() const { return sheet_playlist_; }
  const Buffer& sheet_webvtt() const { return sheet_webvtt_; }
  std::optional<Sheet> sheet(const SheetName& name) const;

 private:
  const Thumbnail& shown_at(std::uint64_t number) const;
  std::string write_playlist(const ClosedItem& item, const ClosedRendition& led,
                             std::uint32_t target) const;
  std::string write_webvtt(const ClosedItem& item, const ClosedRendition& led) const;
  void lay_sheets(const ClosedItem& item, const ClosedRendition& led);
  SheetName sheet_name(std::uint64_t number) const;
  microseconds sheet_length(std::uint64_t number) const;
  std::string write_sheet_playlist() const;
  std::string write_sheet_webvtt() const;

  std::filesystem::path folder_;
  std::uint32_t run_;
  std::shared_ptr<const Poster> poster_;
  std::vector<Thumbnail> thumbnails_;  // ascending
  std::uint64_t segments_ = 0;         // that have one, their own or another's
  std::optional<ThumbnailListing> listing_;
  Buffer playlist_;
  Buffer webvtt_;
  std::vector<microseconds> starts_;  // of the segments, in presentation time, for sheets
  microseconds length_{0};            // of what they show
  std::uint64_t sheets_ = 0;
  Buffer sheet_playlist_;
  Buffer sheet_webvtt_;
};

// The rendition whose segments number the thumbnails; null: the item has no picture.
const ClosedRendition* leading_of(const ClosedItem& item);

}  // namespace kapok::packaging
