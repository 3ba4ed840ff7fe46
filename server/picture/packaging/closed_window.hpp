// A finished item of the VOD library as delivery sees it: the same segments as a live window's, but
// all of them, closed. Immutable; every shard holds the same one. Its playlists and manifest are
// written once. Segments are opened when they are asked for, so an item of thousands costs no
// descriptors.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/picture/packaging/closed_images.hpp"
#include "server/picture/packaging/window.hpp"

namespace kapok::packaging {

struct ClosedSegment {
  Ticks start;  // presentation time of its first sample
  Ticks duration;
  std::uint64_t bytes = 0;  // 0: a gap
  std::string etag;         // with quotes
};

struct ClosedRendition {
  RenditionInfo info;
  std::shared_ptr<const InitSegment> init;
  std::vector<ClosedSegment> segments;  // number 1 first
};

// As the library has it on disk.
struct ClosedItem {
  std::string id;
  std::filesystem::path folder;  // <rendition>/<number>.m4s
  // In the name of every segment: an item that is made again has other names, because the old ones
  // are in caches for a year.
  std::uint32_t run = 1;
  Ticks begin;  // of the presentation, in `timescale`
  Timescale timescale = 1;
  std::vector<ClosedRendition> renditions;
  std::shared_ptr<const Poster> poster = {};  // null: none
  std::vector<Thumbnail> thumbnails = {};     // ascending, by the segments of the leading rendition
};

class ClosedWindow {
 public:
  explicit ClosedWindow(ClosedItem item);

  const std::string& id() const { return item_.id; }
  microseconds duration() const { return duration_; }
  const Buffer& multivariant() const { return multivariant_; }
  const Buffer& manifest() const { return manifest_; }
  const ClosedImages& images() const { return images_; }
  const ClosedRendition* find(std::string_view rendition) const;
  // Empty: no such rendition.
  Buffer playlist(std::string_view rendition) const;
  // nullopt: no such segment. A gap has no file.
  std::optional<MediaObject> find_segment(std::string_view rendition,
                                          const SegmentName& name) const;

 private:
  std::string write_playlist(const ClosedRendition& rendition, std::uint32_t target) const;

  ClosedItem item_;
  ClosedImages images_;
  microseconds duration_{0};
  Buffer multivariant_;
  Buffer manifest_;
  std::map<std::string, Buffer, std::less<>> playlists_;
};

// [ISO/IEC 23009-1] a static MPD with one Period.
std::string write_static_manifest(const ClosedItem& item, microseconds duration,
                                  const std::optional<ThumbnailListing>& thumbnails);

}  // namespace kapok::packaging
