// The still pictures of one channel as delivery sees them: the poster, a thumbnail for each segment
// of the leading rendition (the first video of the feed), under its number, and sheets of these.
// Hears the events of the channel's window. Texts are identical on all shards, as the window's are.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/picture/packaging/listing.hpp"
#include "server/picture/packaging/sheet.hpp"
#include "server/picture/packaging/window.hpp"

namespace kapok::packaging {

class ImageWindow {
 public:
  void on(const RenditionOpened& event);
  void on(const PosterChanged& event) { poster_ = event.poster; }
  // True: what listing() says has changed.
  bool on(const EraOpened& event);
  bool on(const EraEnded& event);
  bool on(const SegmentClosed& event);
  bool on(const SegmentsExpired& event);
  bool on(const SegmentsUnlinked& event);
  bool on(const ThumbnailAdded& event);

  std::shared_ptr<const Poster> poster() const { return poster_; }  // null: none yet
  std::optional<MediaObject> thumbnail(std::uint64_t number) const;
  // Nothing while the playlist is empty: Shaka ends playback over an image playlist without lines.
  std::optional<ThumbnailListing> listing(std::uint32_t era) const;
  // An HLS image playlist, and WebVTT in channel time; nullopt while there is no thumbnail.
  std::optional<Rendered> playlist() const;
  std::optional<Rendered> webvtt() const;

  // A sheet whose segments can all be fetched, and of which nothing can change any more.
  std::optional<Sheet> sheet(const SheetName& name) const;
  // The same of sheets, nullopt while none is complete.
  std::optional<Rendered> sheet_playlist() const;
  std::optional<Rendered> sheet_webvtt() const;

 private:
  struct Led {
    std::uint64_t number = 0;
    std::uint32_t era = 0;
    bool discontinuity = false;
    Ticks duration;
    Timescale timescale = 1;
    UtcTime start;
    UtcTime end() const { return start + media::to_microseconds(duration, timescale); }
  };
  // A sheet in its place on an era's grid.
  struct LaidSheet {
    std::uint32_t era = 0;
    SheetName name;
    UtcTime start;
    microseconds length{0};                 // less than its tiles' where its era ends
    std::uint64_t first = 0;                // number of the first segment that it shows
    std::vector<std::uint64_t> tiles = {};  // the number of each thumbnail; empty: a gap
  };
  using Eras = std::map<std::uint32_t, Era>;
  using Segments = std::deque<Led>;
  bool changed();
  std::size_t listed_begin() const;
  std::size_t listed_end() const;
  std::string write_playlist() const;
  std::string write_webvtt() const;
  // image_window_sheets.cpp
  bool lay_sheet();
  bool lay_next_era();
  std::optional<UtcTime> end_of(Eras::const_iterator era) const;
  bool has_ended(Eras::const_iterator era) const;
  bool is_settled(Eras::const_iterator era, const Led& segment) const;
  std::vector<std::uint64_t> thumbnails_of(const std::vector<const Led*>& shown) const;
  std::optional<Sheet> sheet_of(const LaidSheet& laid) const;
  std::vector<const LaidSheet*> listed_sheets() const;
  bool has_sheet() const;
  std::string write_sheet_playlist() const;
  std::string write_sheet_webvtt() const;

  std::shared_ptr<const Poster> poster_;
  std::string leader_;
  Timescale timescale_ = 1;
  std::uint32_t target_duration_s_ = 0;
  Eras eras_;
  std::optional<std::uint32_t> ended_era_;  // the newest that was said to have ended
  Segments segments_;                       // of the leader, complete ones that can be fetched
  std::uint64_t listed_from_ = 0;           // their playlist begins with this one
  std::map<std::uint64_t, Thumbnail> thumbnails_;
  std::map<std::uint32_t, ThumbnailListing> listings_;  // by era
  bool listable_ = false;                               // the playlist has a line
  std::deque<LaidSheet> sheets_;                        // those before the next one
  std::uint32_t next_sheet_era_ = 0;
  std::uint64_t next_sheet_ = 1;
  bool sheets_listable_ = false;
  std::uint64_t generation_ = 1;
  mutable std::optional<Rendered> playlist_;
  mutable std::optional<Rendered> webvtt_;
  mutable std::optional<Rendered> sheet_playlist_;
  mutable std::optional<Rendered> sheet_webvtt_;
};

}  // namespace kapok::packaging
