// One publish of one feed, from the grant to its end: its tracks, what is measured of them, its
// first packets (StartGate) and its mapping to channel time (Timeline). Lives on the channel's home
// shard; the sink outside may outlive it, then take() refuses.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/base/metrics.hpp"
#include "server/picture/channel/live_facts.hpp"
#include "server/picture/channel/rendering.hpp"
#include "server/picture/channel/rendition_names.hpp"
#include "server/picture/channel/shard_sink.hpp"
#include "server/picture/channel/start_gate.hpp"
#include "server/picture/channel/timeline.hpp"

namespace kapok::channel {

class Channel;

enum class TrackNews : std::uint8_t {
  unchanged,
  ignored,  // one too many
  beside,   // not packaged, for readers only
  beside_updated,
  fresh,
  updated,  // facts only
  changed,  // packets that follow need another init segment
};

class FeedSession final : public FeedIntake {
 public:
  // Real feeds have a picture, some sound, some captions; more is an attack or a bug.
  static constexpr std::size_t kMaxTracks = 32;
  // With nothing but tracks that are not packaged (AVS3, say) a feed goes on air for its readers
  // alone, once no other has come for this long: longer than a GOP that hides its parameters.
  static constexpr nanoseconds kWaitForPackaged = seconds(3);
  // The deepest reordering of any codec, 16 frames, at 2 frames a second.
  static constexpr nanoseconds kMaxComposition = seconds(8);

  struct TrackState {
    std::shared_ptr<const media::Track> announced;
    std::shared_ptr<const media::Track> rendered;  // in channel time, completed; null: not on air
    std::string rendition;                         // empty: not packaged
    TrackMeter meter;
    Unwrapper unwrap;
    bool complete_at_next_sync = true;          // see media::enriched
    std::optional<media::Ticks> relayed_until;  // dts, of a track beside
  };

  FeedSession(Channel& channel, std::string feed, media::PublishRequest request, Counter& dropped,
              MonoTime opened, UtcTime since);

  // FeedIntake
  Result<void> take(media::FeedItem item) override;
  void cut(std::string_view reason) override;

  Result<TrackNews> announce(const std::shared_ptr<const media::Track>& track);
  // Counts it and undoes a wrap that ingest missed; nullptr when its track was never announced or
  // its times are beyond sense.
  TrackState* measure(std::shared_ptr<const media::Packet>& packet);
  TrackState& track(media::TrackId id) { return tracks_.at(id); }
  const std::map<media::TrackId, TrackState>& tracks() const { return tracks_; }
  // Whether the track goes through gate and timeline; the others only follow them.
  bool carries(const TrackState& track) const;
  bool has_picture() const;  // on air
  // Gives it its rendition and what an init segment is made from, at its first (sync) packet.
  packaging::RenditionTrack render(TrackState& track, const media::Packet& first);
  // What readers are told of a track that is not packaged.
  std::shared_ptr<const media::Track> show(media::TrackId id);
  void show_all();
  // Back to waiting for an era's start.
  void wait_at_gate();
  void leave_gate() { at_gate_ = false; }
  void drop(std::uint64_t packets) {
    dropped_ += packets;
    dropped_counter_.add(static_cast<double>(packets));
  }
  void count_discontinuity() { ++discontinuities_; }
  void fill(FeedFacts& facts, MonoTime now) const;
  // The channel lets go: take() refuses from now on. Returns how to tell the connection.
  std::function<void(std::string_view)> detach();

  const std::string& feed() const { return feed_; }
  const std::string& peer() const { return request_.peer; }
  bool at_gate() const { return at_gate_; }
  MonoTime last_sign() const { return last_packet_.value_or(opened_); }
  std::optional<MonoTime> last_packet() const { return last_packet_; }
  StartGate& gate() { return gate_; }
  Timeline& timeline() { return timeline_; }

  // Where it went on air; what is to be seen or heard before that is of no use.
  ChannelTime air_start{0};
  // How long before its presentation the first picture is decoded: eras begin with a presentation.
  nanoseconds lead{0};
  bool continuity_broken = false;
  bool told_of_refusal = false;  // a log line once, not per packet
  bool told_of_haste = false;

 private:
  void expect(const media::Track& track);
  // Unless something is to be packaged.
  void begin_readers_alone();
  bool end_readers_alone();  // false: they were not alone

  Channel* channel_;
  std::string feed_;
  media::PublishRequest request_;
  Counter& dropped_counter_;
  MonoTime opened_;
  UtcTime since_;
  std::optional<MonoTime> last_packet_;
  std::map<media::TrackId, TrackState> tracks_;
  RenditionNames names_;
  StartGate gate_;
  Timeline timeline_;
  bool at_gate_ = true;
  bool for_readers_alone_ = false;
  std::optional<MonoTime> first_packet_;
  std::uint64_t packets_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t dropped_ = 0;
  std::uint32_t discontinuities_ = 0;
};

}  // namespace kapok::channel
