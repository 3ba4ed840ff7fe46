// The live window as delivery sees it. The channel's packager publishes WindowEvents, one per part
// at most; every shard applies them to its own ChannelWindow and answers requests from that, so
// there is no lock between shards and none between ingest and viewers. Single-threaded; pure but
// for SpoolFile.
//
// Contract (delivery and packaging are built against this header; additions are welcome):
//   - a part or segment is announced only after its bytes are in the spool file and its index
//   record
//     is written: whatever a playlist lists can be served;
//   - part numbers run on over segments and eras of one rendition; segment numbers never go back;
//   - rendered texts are identical for all viewers and all shards (same generation, same bytes).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "server/base/buffer.hpp"
#include "server/base/clock.hpp"
#include "server/media/time.hpp"
#include "server/media/track.hpp"
#include "server/picture/packaging/spool_file.hpp"

namespace kapok::packaging {

using media::Ticks;
using media::Timescale;

struct InitSegment {
  std::string name;  // "init-<hash>.mp4"
  Buffer bytes;
  std::shared_ptr<const media::Track> track;
};

struct Part {
  std::uint64_t number = 0;  // p<number>.m4s
  std::uint64_t offset = 0;  // in the segment's file
  std::uint32_t size = 0;
  Ticks start;  // baseMediaDecodeTime, channel timeline
  Ticks duration;
  bool independent = false;
};

struct Segment {
  std::uint64_t number = 0;  // HLS media sequence number, DASH $Number$
  std::uint32_t era = 0;
  std::uint32_t discontinuity_sequence = 0;  // of its era; the window sets it
  bool discontinuity = false;                // EXT-X-DISCONTINUITY before it
  bool gap = false;                          // EXT-X-GAP: numbered, timed, without bytes
  bool complete = false;
  Ticks start;
  Ticks duration;     // so far, while not complete
  UtcTime start_utc;  // PROGRAM-DATE-TIME
  std::shared_ptr<const InitSegment> init;
  std::shared_ptr<const SpoolFile> file;  // null for a gap
  std::vector<Part> parts;                // empty once older than the playlist lists parts
  std::uint64_t first_part = 0;           // part number of its first part, also when parts is empty
  std::uint64_t bytes = 0;
};

// The name of a segment tells the discontinuities before it as well as its number. A DASH player
// whose manifest is a second old takes the ended Period to go on and asks for its next $Number$;
// were numbers alone the name, it would get the first segment of the next era and decode it with
// the wrong init segment (Chromium: PIPELINE_ERROR_DECODE, the end of playback).
struct SegmentName {
  std::uint32_t discontinuity_sequence = 0;
  std::uint64_t number = 0;
  bool operator==(const SegmentName&) const = default;
};
// What stands before the number: "" before the first discontinuity, "2-" after the second.
std::string segment_name_prefix(std::uint32_t discontinuity_sequence);

// A stretch with one numbering and one set of tracks: segment number n covers
// [start + (n - base) * segment_duration, ...).
struct Era {
  std::uint32_t id = 0;
  UtcTime start_utc;
  std::uint64_t base = 0;
  microseconds segment_duration{0};
  // EXT-X-DISCONTINUITY-SEQUENCE of its segments: the same in all renditions. An era that only
  // re-anchors the grid (a drifting encoder) continues the one before without a discontinuity.
  std::uint32_t discontinuity_sequence = 0;
  microseconds window{0};  // time shift promised to DASH clients
};

// What stays the same for a rendition within an era.
struct RenditionInfo {
  std::string id;  // "source", "audio-zh"
  media::TrackKind kind = media::TrackKind::video;
  std::string language;
  Timescale timescale = 90000;
  microseconds part_target{0};
  std::uint32_t target_duration_s = 0;  // EXT-X-TARGETDURATION
  std::uint32_t bandwidth = 0;          // bit/s, peak over a segment as HLS wants it; grows only
  std::uint32_t average_bandwidth = 0;
  // False once a GOP was so long that a segment had to start without a sync packet.
  bool independent_segments = true;
  bool rung = false;  // made by a worker: its absence holds nothing back
  // How much later than those of the feed its parts come, in steps.
  microseconds delay{0};
};

// Events, in the order in which they must be applied. EraOpened and RenditionOpened for something
// that is already known replace what was said before (bandwidth has grown, the window has shrunk).
struct EraOpened {
  Era era;
};
struct RenditionOpened {
  std::uint32_t era = 0;
  RenditionInfo info;
  std::shared_ptr<const InitSegment> init;
};
struct SegmentOpened {
  std::string rendition;
  Segment segment;
};  // parts empty, not complete
struct PartAdded {
  std::string rendition;
  std::uint64_t segment = 0;
  Part part;
};
struct SegmentClosed {
  std::string rendition;
  Segment segment;
};  // complete (or a gap), with its parts
struct SegmentsExpired {
  std::string rendition;
  std::uint64_t before = 0;
};  // left the playlist
struct SegmentsUnlinked {
  std::string rendition;
  std::uint64_t before = 0;
};  // can no longer be fetched
struct EraEnded {
  std::uint32_t era = 0;
};  // a Discontinuity: what was hinted will not come
struct ChannelLive {
  UtcTime since;
};  // a feed is connected
struct ChannelIdle {
  UtcTime since;
};  // no feed: hinted parts will not come (404 at once)
// A still picture of the channel, for pages that list channels.
struct Poster {
  Buffer jpeg;
  std::string etag;  // strong, with quotes
  UtcTime taken;     // channel time of its frame
};
// A still picture of a segment's first frame, for seek bars.
struct Thumbnail {
  std::uint64_t number = 0;  // of the segment
  std::uint32_t era = 0;     // of the segment
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  std::uint64_t size = 0;  // of the file
  std::shared_ptr<const SpoolFile> file = {};
};
// One that is further behind its feed is not taken any more: who waits for it can stop.
constexpr microseconds kThumbnailBehind{60'000'000};
struct PosterChanged {
  std::shared_ptr<const Poster> poster;
};
// It goes with the leading rendition's segment of its number.
struct ThumbnailAdded {
  Thumbnail thumbnail;
};
struct WindowEvent {
  std::string channel;
  std::variant<EraOpened, RenditionOpened, SegmentOpened, PartAdded, SegmentClosed, SegmentsExpired,
               SegmentsUnlinked, EraEnded, ChannelLive, ChannelIdle, PosterChanged, ThumbnailAdded>
      what;
};

// Declared by the packager, implemented in app: hands the event to every shard.
class WindowPublisher {
 public:
  virtual ~WindowPublisher() = default;
  virtual void publish(std::shared_ptr<const WindowEvent> event) = 0;
};

enum class Presence : std::uint8_t {
  here,
  coming,   // the next part or segment, or one that the running segment will hold: hold the request
  never,    // gone, or known never to come: 404 at once
  empty,    // a number that has no media: behind the end of its era, or a gap
  too_far,  // further than we can promise: 400 (msn > last + 2) or 404
};

// A text for all viewers. The same generation means the same bytes.
struct Rendered {
  Buffer text;
  std::uint64_t generation = 0;
};

// What to send for a media object, and what it is evidence of.
struct MediaObject {
  std::shared_ptr<const SpoolFile> file;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;  // so far, for a growing segment
  bool complete = true;
  UtcTime from;  // channel-time interval that the bytes cover
  UtcTime to;
  std::string etag;  // strong, with quotes; empty while not complete
};

enum class PlaylistForm : std::uint8_t { full, delta };  // delta: _HLS_skip=YES

class RenditionWindow {
 public:
  const RenditionInfo& info() const;
  std::uint64_t generation() const;  // changes with every event of this rendition
  // [RFC 8216bis 6.2.5.2] whether the playlist already holds that segment (complete) or part of it.
  Presence playlist_presence(std::uint64_t msn, std::optional<std::uint64_t> part) const;
  // Cached until the next event of this rendition (or, for EXT-X-RENDITION-REPORT, of its
  // siblings).
  Rendered playlist(PlaylistForm form) const;
  std::shared_ptr<const InitSegment> find_init(std::string_view name) const;
  Presence segment_presence(const SegmentName& name) const;
  std::optional<MediaObject> find_segment(const SegmentName& name) const;  // also one that grows
  Presence part_presence(std::uint64_t number) const;
  std::optional<MediaObject> find_part(std::uint64_t number) const;
  bool segments_empty() const;

 private:
  friend class ChannelWindow;
  struct State;
  explicit RenditionWindow(std::shared_ptr<State> state);
  Presence after_its_era(const SegmentName& name) const;
  std::shared_ptr<State> state_;
};

class ImageWindow;

class ChannelWindow {
 public:
  explicit ChannelWindow(std::string channel);
  ~ChannelWindow();
  ChannelWindow(ChannelWindow&&) noexcept;
  ChannelWindow& operator=(ChannelWindow&&) noexcept;

  // Applies one event; events of another channel are our own bug (asserts).
  void apply(const WindowEvent& event);

  bool live() const;
  const std::vector<std::string>& renditions() const;
  const RenditionWindow* find(std::string_view rendition) const;
  const ImageWindow& images() const;             // image_window.hpp
  std::optional<Rendered> multivariant() const;  // nullopt until the first segment is listed
  std::optional<Rendered> manifest() const;      // the DASH MPD

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kapok::packaging
