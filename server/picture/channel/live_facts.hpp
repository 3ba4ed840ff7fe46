// What can be said about a channel and its feeds right now: values for the API, and the meter that
// measures a track. Facts are copied out on the home shard and then belong to the reader.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "server/media/feed.hpp"
#include "server/media/track.hpp"

namespace kapok::channel {

struct TrackFacts {
  media::TrackId id = 0;
  media::TrackKind kind = media::TrackKind::opaque;
  media::Codec codec = media::Codec::unknown;
  std::string codec_string;
  std::string language;
  std::string rendition;  // empty: not packaged
  std::optional<std::uint8_t> ts_stream_type;
  std::optional<media::VideoFacts> video;
  std::optional<media::AudioFacts> audio;
  double frames_per_second = 0;       // measured, over the last seconds
  std::uint64_t bits_per_second = 0;  // likewise
  std::uint32_t gop_frames = 0;       // of the last complete GOP
  microseconds gop{0};
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
};

struct FeedFacts {
  std::string name;
  int priority = 0;
  bool connected = false;
  bool on_air = false;
  // What follows is of the current publisher; empty when there is none.
  media::IngestProtocol protocol = media::IngestProtocol::rtmp;
  std::string peer;
  std::string encoder;
  UtcTime since;
  std::vector<TrackFacts> tracks;
  double drift_ppm = 0;  // positive: the encoder's clock is fast
  double slew_ppm = 0;   // what the timeline does about it now
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  std::uint64_t dropped_packets = 0;  // before the first sync packet, stale, refused, other kinds
  std::uint32_t discontinuities = 0;
  std::optional<microseconds> last_packet_age;
  std::optional<media::FeedEnd> last_end;  // how the publisher before this one ended
};

// Rates of one track over its last whole seconds of media time.
class TrackMeter {
 public:
  void add(nanoseconds feed, std::size_t bytes, bool sync);
  void fill(TrackFacts& facts) const;
  std::optional<nanoseconds> gop() const;

 private:
  struct Second {
    std::int64_t index = -1;
    std::uint32_t frames = 0;
    std::uint64_t bytes = 0;
    nanoseconds first{0};
  };
  static constexpr std::size_t kSeconds = 6;  // five whole ones and the running one
  std::array<Second, kSeconds> ring_{};
  std::int64_t newest_ = -1;
  std::optional<nanoseconds> last_sync_;
  std::uint32_t frames_in_gop_ = 0;
  std::uint32_t gop_frames_ = 0;
  nanoseconds gop_{0};
  std::uint64_t packets_ = 0;
  std::uint64_t bytes_ = 0;
};

}  // namespace kapok::channel
