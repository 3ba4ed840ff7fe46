// Maps one feed session's timestamps to channel time: nanoseconds since 1970 on a monotonic clock
// that was anchored to UTC when the era began (ChannelClock). All tracks of the feed share one
// mapping, so the offset between audio and video is kept; the mapping is never stepped, it is
// slewed so that a feed whose clock drifts stays as far behind its arrival as it was. Pure and
// single-threaded: packets in, places out.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>

#include "server/media/packet.hpp"
#include "server/picture/channel/cadence.hpp"
#include "server/picture/channel/drift_estimator.hpp"

namespace kapok::channel {

using media::Ticks;
using ChannelTime = nanoseconds;  // since 1970

// UTC when an era starts, the monotonic clock from there: an NTP step does not move it.
struct ChannelClock {
  MonoTime mono;
  ChannelTime channel{0};
  ChannelTime at(MonoTime time) const { return channel + (time - mono); }
};

// Feed time: a packet's timestamp in nanoseconds, on the feed's own origin. nullopt: so far out
// (over a hundred years) that no arithmetic is safe.
std::optional<nanoseconds> feed_time(Ticks time, Timescale timescale);

// Undoes the wrap of a track's counter that ingest missed: 2^32 of RTMP's milliseconds, 2^33 of
// MPEG's 90 kHz.
class Unwrapper {
 public:
  // What to add to `dts`, which follows `last` (as unwrapped before).
  Ticks adjust(Ticks dts);

 private:
  std::optional<Ticks> last_;
  Ticks added_;
};

struct Placed {
  Ticks dts;  // since 1970, in output_timescale(track); strictly growing within a track
  Ticks pts;  // never before dts
  Ticks duration;
};

enum class Placement : std::uint8_t {
  placed,
  stale,   // belongs to what was before the jump that began this era
  jumped,  // the feed's clock jumped: the era must end; the packet belongs to the next one
};

class Timeline {
 public:
  // design.md 3: at most 500 ppm, of which the cadences take a fifth.
  static constexpr double kMaxSlew = 390e-6;
  static constexpr double kMaxNudge = 98e-6;
  // ... and under 1 ms of tfdt a segment, however long that is.
  static constexpr nanoseconds kMaxSlewPerSegment = milliseconds(1);
  // How fast a wrong distance to arrival is taken back: 40 ms are 333 ppm.
  static constexpr double kSettleSeconds = 120;
  // A step back of the decode time further than this is another clock, not disorder.
  static constexpr nanoseconds kMaxStepBack = seconds(1);
  // Likewise a step forward that arrival does not bear out. PROGRAM-DATE-TIME would be wrong by it.
  static constexpr nanoseconds kMaxStepForward = seconds(1);
  // After a jump the other tracks' last packets from before it may still come.
  static constexpr nanoseconds kGrace = seconds(3);
  static constexpr nanoseconds kMaxApartInGrace = seconds(1);
  // Tracks of one feed further apart than this do not belong together.
  static constexpr nanoseconds kMaxApart = seconds(10);
  static constexpr nanoseconds kReferenceSilence = seconds(30);

  // A track before its first packet, again when its configuration changes.
  void set_track(const media::Track& track);
  // The packet at `feed` stands at `at`, and would have arrived at `arrival` without jitter.
  void anchor(nanoseconds feed, MonoTime arrival, ChannelTime at);
  // The longest segment in use, for kMaxSlewPerSegment.
  void set_segment_duration(nanoseconds duration);

  // The packet's track must have been set, its timestamps unwrapped, the timeline anchored.
  // `placed` is filled for Placement::placed only.
  Placement place(const media::Packet& packet, Placed& placed);

  // A packet of a track that was not set: at the mapping as it is, which it does not move. nullopt:
  // its time does not belong to what is on air.
  std::optional<Placed> place_beside(const media::Packet& packet, Timescale in,
                                     Timescale out) const;

  // Where feed time stands in channel time.
  ChannelTime channel_time(nanoseconds feed) const { return feed + offset_ + slew_at(feed); }
  ChannelTime end() const { return end_; }  // of everything placed
  double drift_ppm() const;                 // of the feed's clock; positive: fast
  double slew_ppm() const { return knots_.empty() ? 0 : knots_.back().rate * 1e6; }
  const ChannelClock& clock() const { return clock_; }

 private:
  struct TrackState {
    media::TrackKind kind = media::TrackKind::opaque;
    Timescale in = 1000;
    Timescale out = 90'000;
    std::optional<Cadence> cadence;
    FrameRateFinder rate;
    std::optional<nanoseconds> last_feed;
    Ticks first;               // input, unwrapped
    std::int64_t base = 0;     // output ticks of `first`
    std::int64_t reorder = 0;  // by how much dts is moved back because pts came before it
    std::int64_t last = 0;     // output dts
    bool started = false;
  };
  // From feed time `feed` on, slew grows by `rate`.
  struct Knot {
    nanoseconds feed{0};
    double slew_ns = 0;
    double rate = 0;
  };
  double slew_ns_at(nanoseconds feed) const;
  nanoseconds slew_at(nanoseconds feed) const;
  void observe(media::TrackId id, const media::Packet& packet, nanoseconds feed);
  void steer(const DriftFit& fit, MonoTime now);
  void start(TrackState& track, Ticks dts, nanoseconds feed) const;

  std::map<media::TrackId, TrackState> tracks_;
  ChannelClock clock_;
  nanoseconds offset_{0};  // channel time minus feed time at the anchor
  std::deque<Knot> knots_;
  nanoseconds newest_{0};  // largest feed time placed
  ChannelTime end_{0};
  double max_slew_ = kMaxSlew;
  double max_nudge_ = kMaxNudge;

  std::optional<media::TrackId> reference_;
  MonoTime reference_seen_;
  DriftEstimator drift_;
  // Set when the reference changed to a track that is sent earlier or later than the first one.
  bool adopt_delay_ = false;
  double delay_bias_ns_ = 0;
};

}  // namespace kapok::channel
