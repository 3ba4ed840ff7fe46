// How a rendition is cut: GOP -> segment duration, frame -> part target. Pure functions over what
// was measured from the first GOP, or remembered from the channel's last run so that the first part
// can be published at once.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "server/media/packet.hpp"
#include "server/media/track.hpp"
#include "server/picture/packaging/window.hpp"

namespace kapok::packaging {

// The rhythm of the leading video rendition; kept in the spool's index between runs.
struct GopTiming {
  media::Rational frame_rate;  // 0: unknown
  microseconds gop{0};         // the largest seen; 0: none yet
  bool irregular = false;      // GOPs of differing lengths were seen
  bool coarse = false;         // timestamps are rounded (RTMP: whole milliseconds)
  bool operator==(const GopTiming&) const = default;
};

// The standard rate that fits `frames` frames in `length` to within what millisecond timestamps can
// tell, else the quotient itself.
media::Rational snap_frame_rate(std::uint64_t frames, microseconds length);

// From the packets of one GOP (its first packet sync) and the sync packet after it.
GopTiming measure_gop(std::span<const media::Packet> gop, const media::Packet& next_sync,
                      Timescale timescale);

struct SegmentRules {
  microseconds target{2'000'000};
  microseconds ceiling{10'000'000};
};
// d: the smallest multiple of the GOP not below the target, within the ceiling; the target itself
// without a GOP.
microseconds segment_duration(microseconds gop, const SegmentRules& rules);
// [RFC 8216bis 4.4.3.1] EXTINF, rounded to the nearest integer, must not exceed it. An irregular
// source's segments last up to d plus one GOP, because they wait for the next sync packet.
std::uint32_t target_duration(microseconds segment_duration, const GopTiming& timing);

// How one rendition is cut into parts.
struct RenditionTiming {
  Timescale timescale = 90000;
  media::TrackKind kind = media::TrackKind::video;
  Ticks frame;                    // nominal duration
  std::uint32_t part_frames = 1;  // whole frames nearest to the configured target
  Ticks part_target;              // no part is longer
  Ticks longest_segment;          // EXTINF still rounds to TARGETDURATION
  Ticks gop;                      // regular GOP; 0: irregular or unknown
  Ticks largest_gop;
  bool leads = false;    // may re-anchor the grid
  bool follows = false;  // a rung: cut where the leading rendition was
};
RenditionTiming rendition_timing(const media::Track& track, Ticks frame, microseconds part_target,
                                 bool coarse);
// From the track's facts, else from the packet; 0: unknown.
Ticks nominal_frame(const media::Track& track, const GopTiming& timing);

}  // namespace kapok::packaging
