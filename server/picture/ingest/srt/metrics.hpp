// The Prometheus series of SRT: a few for the listener, and for each feed one set per link. Links
// are numbered 0 to 7 by their place in the feed, not named by their addresses, so the number of
// series is bounded by the configuration.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "server/base/metrics.hpp"
#include "server/picture/protocols/srt/group.hpp"
#include "server/picture/protocols/srt/stats.hpp"

namespace kapok::ingest {

struct SrtMetrics {
  explicit SrtMetrics(Metrics& metrics);
  Gauge& connections;
  Gauge& publishing;
  Gauge& viewing;
  Counter& refused;    // handshakes, with an answer that says why
  Counter& no_memory;  // datagrams that found srt.receive_memory used up
  Gauge& memory;       // held by received datagrams
};

// Of one feed, while it is published.
class SrtFeedMetrics {
 public:
  SrtFeedMetrics(Metrics& metrics, std::string channel, std::string feed);
  ~SrtFeedMetrics();  // gauges go to 0: nobody is there
  SrtFeedMetrics(const SrtFeedMetrics&) = delete;
  SrtFeedMetrics& operator=(const SrtFeedMetrics&) = delete;

  // About once a second.
  void show(const srt::GroupStats& stats);

 private:
  struct Link {
    srt::LinkStats last;
    std::vector<Counter*> counters;
    std::vector<Gauge*> gauges;
  };
  Link make(std::size_t place, srt::SocketId id);
  static void show(Link& link, const srt::LinkStats& stats);

  Metrics& metrics_;
  std::string channel_;
  std::string feed_;
  Counter& dropped_;
  std::uint64_t last_dropped_ = 0;
  // The place of a link that has left is taken by the next one.
  std::array<std::optional<Link>, srt::Group::kMaxLinks> places_;
};

}  // namespace kapok::ingest
