// What the channel's worker found in the source's pictures and sound: black, frozen, bars, silence.
// Takes the worker's word only for what it was given and as often as a sane one speaks, keeps the
// newest for the API, and tells log, metrics and evidence. On the channel's home shard.
#pragma once

#include <array>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "server/base/log.hpp"
#include "server/base/metrics.hpp"
#include "server/evidence/facts.hpp"
#include "server/media/detection.hpp"

namespace kapok::channel {

// One of them, for the API.
struct AnomalyFacts {
  media::Anomaly kind = media::Anomaly::black;
  UtcTime from;
  UtcTime to;  // as far as it is known
  bool goes_on = false;
  bool operator==(const AnomalyFacts&) const = default;
};

class Anomalies {
 public:
  static constexpr std::size_t kKept = 64;

  // `evidence` may be null: nobody counts hours.
  Anomalies(const std::string& channel, Log log, Metrics& metrics,
            evidence::EvidenceSink* evidence);

  // What the worker was given: an event speaks of nothing else.
  struct Given {
    microseconds from{0};
    microseconds to{0};
  };
  void take(const media::AnomalyEvent& event, const Given& given);
  // The worker has ended: nobody looks any more.
  void end_all();

  std::vector<AnomalyFacts> facts() const { return {kept_.rbegin(), kept_.rend()}; }

 private:
  struct OfKind {
    microseconds to{INT64_MIN};        // of the newest
    std::optional<microseconds> from;  // of the one that goes on
    Gauge* active = nullptr;
    Counter* count = nullptr;
  };
  // Why it is not believed; empty: it is.
  std::string_view objection(const media::AnomalyEvent& event, const Given& given) const;
  void begin(const media::AnomalyEvent& event);
  void end(media::Anomaly kind);
  AnomalyFacts* running(media::Anomaly kind);

  std::string channel_;
  Log log_;
  evidence::EvidenceSink* evidence_;
  std::array<OfKind, media::kAnomalies> kinds_;
  std::deque<AnomalyFacts> kept_;  // the newest at the end
  bool told_of_refusal_ = false;
};

}  // namespace kapok::channel
