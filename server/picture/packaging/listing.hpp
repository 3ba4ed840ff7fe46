// What the multivariant playlist and the DASH manifest are written from: the eras that still have
// segments, oldest first, and their renditions. A plain value made by ChannelWindow.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/picture/packaging/window.hpp"

namespace kapok::packaging {

struct RenditionListing {
  RenditionInfo info;
  std::shared_ptr<const InitSegment> init;
};

// Of which of the feed's sounds this one is: the name of the feed's own rendition, which a rung has
// by its language, and by a number where a private subtag tells it ("zh-x-2", "und-x-2"). Of the
// rung of a sound of which nobody said the language, the rung's own.
std::string sound_of(const RenditionListing& listing);

struct ThumbnailListing {
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  std::uint32_t bandwidth = 0;  // bit/s of who fetches them all
  // How long each tile of their sheets is shown; 0: there are no sheets.
  microseconds sheet_tile{0};
  bool operator==(const ThumbnailListing&) const = default;
};

struct EraListing {
  Era era;
  std::optional<microseconds> duration;  // until the next one; none while it is the last
  std::vector<RenditionListing> renditions;
  std::optional<ThumbnailListing> thumbnails = {};
};

// [RFC 8216bis 4.4.6] of one era (the running one).
std::string write_multivariant(const EraListing& era);
// [ISO/IEC 23009-1] a dynamic MPD with one Period per era. Nothing in it changes while segments
// come and go: the same bytes until an era, a rendition or a bandwidth changes.
std::string write_dash_manifest(const std::vector<EraListing>& eras, UtcTime published);

// "50.000" for HLS, "50" or "30000/1001" for DASH; empty while unknown.
std::string format_frame_rate(const media::Rational& rate);

}  // namespace kapok::packaging
