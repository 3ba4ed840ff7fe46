// The still pictures of one channel as delivery sees them: the poster, and a thumbnail for each
// segment of the leading rendition (the first video of the feed), under its number. Hears the
// events of the channel's window. Texts are identical on all shards, as the window's are.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "server/picture/packaging/listing.hpp"
#include "server/picture/packaging/window.hpp"

namespace kapok::packaging {

// [WebVTT 4.1] "00:00:04.000".
std::string webvtt_time(microseconds time);

class ImageWindow {
 public:
  void on(const EraOpened& event);
  void on(const RenditionOpened& event);
  void on(const PosterChanged& event) { poster_ = event.poster; }
  // True: what listing() says has changed.
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

 private:
  struct Led {
    std::uint64_t number = 0;
    std::uint32_t era = 0;
    bool discontinuity = false;
    Ticks duration;
    Timescale timescale = 1;
    UtcTime start;
  };
  bool changed();
  std::size_t listed_end() const;
  std::string write_playlist() const;
  std::string write_webvtt() const;

  std::shared_ptr<const Poster> poster_;
  std::string leader_;
  Timescale timescale_ = 1;
  std::uint32_t target_duration_s_ = 0;
  std::map<std::uint32_t, Era> eras_;
  std::deque<Led> segments_;  // what the leader lists, complete ones
  std::map<std::uint64_t, Thumbnail> thumbnails_;
  std::map<std::uint32_t, ThumbnailListing> listings_;  // by era
  bool listable_ = false;                               // the playlist has a line
  std::uint64_t generation_ = 1;
  mutable std::optional<Rendered> playlist_;
  mutable std::optional<Rendered> webvtt_;
};

}  // namespace kapok::packaging
