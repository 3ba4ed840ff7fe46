// What of a channel outlives its feeds: the running era, its clock, where the timeline ends, and
// the rendering behind them. Decides whether a feed that comes (back) continues the era or begins a
// new one. On the home shard.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/base/clock.hpp"
#include "server/base/log.hpp"
#include "server/picture/channel/rendering.hpp"
#include "server/picture/channel/timeline.hpp"

namespace kapok::channel {

enum class Continuity : std::uint8_t {
  may_continue,
  broken,  // a jump, a change of parameters: a new era whatever the tracks
};

struct AirRequest {
  std::string feed;
  // Timescale already that of the channel. None: nothing to package, the rendering rests.
  std::vector<packaging::RenditionTrack> tracks;
  MonoTime arrival;  // of the first packet, without jitter
  Continuity continuity = Continuity::may_continue;
};

class EraKeeper {
 public:
  // Longer without a packet and players have run dry: a discontinuity tells them to start afresh,
  // a hole of that length in the era would only stall them.
  static constexpr nanoseconds kContinueWithin = seconds(5);

  EraKeeper(std::unique_ptr<Rendering> rendering, const Clock& clock, Log log);

  Result<void> open();

  struct Start {
    ChannelTime at{0};
    bool new_era = false;
  };
  Start begin(AirRequest request);
  void add_track(packaging::RenditionTrack track);
  void update_track(packaging::RenditionTrack track);
  // The packet is in channel time; `end`: where the timeline now ends, as presented. Errors: the
  // rendering's, and a packet that does not follow the last one of its rendition.
  Result<void> append(const std::string& rendition, const media::Packet& packet, ChannelTime end);
  // What a worker makes of the era's source. A rung joins the era when it can, misses what it must
  // and decides nothing: where the timeline ends is the source's to say. It joins again when
  // another worker has taken over.
  void add_rung(packaging::RenditionTrack track);
  void rung_away(const std::string& rung) { rendering_->track_away(rung); }
  // Whether that moment belongs to the running era. Eras do not overlap in channel time, so this
  // tells what a worker made of an earlier one.
  bool covers(media::Ticks pts, media::Timescale timescale) const;
  // Of a rung that has not joined this era yet: it completes the era before. Errors: those of
  // append().
  Result<void> append_rung(const std::string& rung, const media::Packet& packet) {
    return append_rising(rung, packet);
  }
  // Of the running era.
  void add_image(media::Image image) { rendering_->add_image(std::move(image)); }
  std::optional<UtcTime> poster() const { return rendering_->poster(); }
  // See packaging::Packager.
  std::optional<std::uint64_t> open_segment(const std::string& rendition) const {
    return rendering_->open_segment(rendition);
  }
  // Something was put out that the rendering does not take.
  void go_on(MonoTime arrival, ChannelTime end);
  void set_window(microseconds window, std::uint64_t bytes) {
    rendering_->set_window(window, bytes);
  }
  void set_live();
  void set_idle();
  Task<> close();

  bool live() const { return live_since_.has_value(); }
  std::optional<UtcTime> live_since() const { return live_since_; }
  ChannelTime end() const { return end_; }
  std::uint64_t eras() const { return eras_; }

 private:
  bool continues(const AirRequest& request) const;
  Result<void> append_rising(const std::string& rendition, const media::Packet& packet);

  std::unique_ptr<Rendering> rendering_;
  const Clock& clock_;
  Log log_;
  std::string feed_;
  std::vector<packaging::RenditionTrack> tracks_;
  ChannelClock era_clock_;
  std::map<std::string, media::Ticks, std::less<>> last_;  // dts by rendition, of this era
  MonoTime last_arrival_;
  ChannelTime era_start_{0};
  ChannelTime end_{0};
  std::uint64_t eras_ = 0;
  std::optional<UtcTime> live_since_;
};

// Whether packets of `b` decode with the init segment of `a`.
bool same_parameters(const media::Track& a, const media::Track& b);

}  // namespace kapok::channel
