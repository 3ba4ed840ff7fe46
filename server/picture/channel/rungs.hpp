// The rungs of one channel: what of its ladder the source on air can feed, the worker that makes
// them, and how they come into the running era. Nothing in here can hold or stop the source. On the
// channel's home shard.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/picture/channel/anomalies.hpp"
#include "server/picture/channel/era_keeper.hpp"
#include "server/picture/channel/worker.hpp"

namespace kapok::channel {

class Rungs final : public RungSink {
 public:
  Rungs(ChildProgram transcoder, WorkerServices services, EraKeeper& era);
  ~Rungs() override;

  // At the start and on a reload; none: the source alone is published.
  void configure(std::optional<media::Ladder> ladder);

  // A feed goes on air with these tracks, as they are rendered; its packets follow. Sound that is
  // not packaged has no rendition's name: rungs are made of it too.
  void start(const std::vector<packaging::RenditionTrack>& tracks);
  // Another track of it, or one that has changed.
  void track(const packaging::RenditionTrack& track);
  // Whether the worker has a use for its packets.
  bool wants(media::TrackId track) const;
  // After the rendering has taken it.
  void packet(const media::Packet& packet);
  // Nothing is on air any more; what the worker still holds comes out.
  void end();
  Task<> close();

  // nullopt: the channel has no ladder.
  std::optional<LadderFacts> facts() const;
  // The newest first.
  std::vector<AnomalyFacts> anomalies() const { return anomalies_.facts(); }

  // RungSink
  void rung_track(const std::string& rung, std::shared_ptr<const media::Track> track) override;
  void rung_packet(const std::string& rung, media::Packet packet) override;
  void rung_shed(const std::string& rung, std::uint64_t frames) override;
  void anomaly(const media::AnomalyEvent& event) override;
  void image(media::Image image) override;
  void worker_ended() override;

 private:
  struct Rung {
    std::uint32_t bit_rate = 0;
    std::shared_ptr<const media::Track> track;  // as the worker told it; null: away
    std::uint64_t joined = 0;      // the era that it joined last; 0: none since its track was told
    bool told_of_refusal = false;  // a log line once, not per packet
    RungFacts facts;
    TrackMeter meter;
    nanoseconds newest{0};
    Counter* packets = nullptr;
    Counter* bytes = nullptr;
    Counter* dropped = nullptr;
    Counter* shed = nullptr;
  };
  bool take(const packaging::RenditionTrack& track);
  bool is_wanted(const media::Track& track) const;
  bool listens() const;
  media::FittedLadder fitted_to_source() const;
  void fit();
  void make_rung(const std::string& name, std::uint32_t bit_rate);
  void drop(Rung& rung);
  void refuse(Rung& rung, const std::string& name, std::string_view why);

  WorkerServices services_;
  EraKeeper& era_;
  Anomalies anomalies_;
  Worker worker_;
  std::optional<media::Ladder> ladder_;
  media::Ladder fitted_;
  std::vector<media::RungLeftOut> left_out_;
  std::map<std::string, Rung, std::less<>> rungs_;
  // Of the source on air: what rungs are made of.
  std::optional<packaging::RenditionTrack> video_;
  std::vector<std::shared_ptr<const media::Track>> sounds_;  // in the order in which they came
  std::optional<std::uint64_t> segment_;                     // of the video, the newest that began
  nanoseconds newest_{0};                                    // its newest picture
  std::optional<nanoseconds> given_from_;                    // the first packet for this worker
};

}  // namespace kapok::channel
