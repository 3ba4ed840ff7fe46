#include "server/picture/ingest/srt/metrics.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace kapok::ingest {

namespace {

using srt::LinkStats;

struct CounterOfLink {
  std::string_view name;
  std::string_view help;
  std::uint64_t LinkStats::* value;
};
constexpr CounterOfLink kCounters[] = {
    {"kapok_srt_received_packets_total", "Data packets received", &LinkStats::packets_received},
    {"kapok_srt_received_bytes_total", "Their payload", &LinkStats::bytes_received},
    {"kapok_srt_lost_packets_total", "Packets seen missing, brought later or not",
     &LinkStats::packets_lost},
    {"kapok_srt_retransmitted_packets_total", "Retransmissions received",
     &LinkStats::packets_retransmitted_received},
    {"kapok_srt_duplicate_packets_total", "Packets that were there already",
     &LinkStats::packets_duplicate},
    {"kapok_srt_belated_packets_total", "Packets that came after their turn",
     &LinkStats::packets_belated},
    {"kapok_srt_fec_recovered_packets_total", "Packets recomputed by the packet filter",
     &LinkStats::packets_recovered_by_fec},
    {"kapok_srt_undecrypted_packets_total", "Packets that no key opened",
     &LinkStats::packets_undecrypted},
};

struct GaugeOfLink {
  std::string_view name;
  std::string_view help;
  double (*value)(const LinkStats&);
};
constexpr GaugeOfLink kGauges[] = {
    {"kapok_srt_rtt_seconds", "Round trip time",
     [](const LinkStats& link) { return std::chrono::duration<double>(link.rtt).count(); }},
    {"kapok_srt_buffer_seconds", "Between the oldest and the newest packet that wait their turn",
     [](const LinkStats& link) { return std::chrono::duration<double>(link.buffered).count(); }},
    {"kapok_srt_receive_bits_per_second", "Payload, over the last second",
     [](const LinkStats& link) { return link.receive_mbps * 1e6; }},
    {"kapok_srt_link_capacity_bits_per_second", "Estimated from probe pairs; 0: not known",
     [](const LinkStats& link) { return link.link_capacity_mbps * 1e6; }},
    {"kapok_srt_flight_packets", "Sent and not acknowledged",
     [](const LinkStats& link) { return static_cast<double>(link.flight_packets); }},
};

}  // namespace

SrtMetrics::SrtMetrics(Metrics& metrics)
    : connections(metrics.gauge("kapok_srt_connections", "SRT connections open", {})),
      publishing(metrics.gauge("kapok_srt_publishing", "Feeds that come over SRT now", {})),
      viewing(metrics.gauge("kapok_srt_viewing", "Callers that receive a channel over SRT", {})),
      refused(metrics.counter("kapok_srt_refused_total", "Handshakes refused", {})),
      no_memory(metrics.counter("kapok_srt_no_memory_datagrams_total",
                                "Datagrams lost because srt.receive_memory was used up", {})),
      memory(metrics.gauge("kapok_srt_receive_memory_bytes", "Held by received datagrams", {})) {}

SrtFeedMetrics::SrtFeedMetrics(Metrics& metrics, std::string channel, std::string feed)
    : metrics_(metrics),
      channel_(std::move(channel)),
      feed_(std::move(feed)),
      dropped_(metrics.counter("kapok_srt_dropped_packets_total",
                               "Packets that did not come in time: damage in the picture",
                               {{"channel", channel_}, {"feed", feed_}})) {}

SrtFeedMetrics::~SrtFeedMetrics() {
  for (auto& place : places_)
    if (place)
      for (Gauge* gauge : place->gauges) gauge->set(0);
}

SrtFeedMetrics::Link SrtFeedMetrics::make(std::size_t place, srt::SocketId id) {
  const MetricLabels labels{
      {"channel", channel_}, {"feed", feed_}, {"link", fmt::format("{}", place)}};
  Link link;
  link.last.socket_id = id;
  for (const CounterOfLink& spec : kCounters)
    link.counters.push_back(&metrics_.counter(spec.name, spec.help, labels));
  for (const GaugeOfLink& spec : kGauges)
    link.gauges.push_back(&metrics_.gauge(spec.name, spec.help, labels));
  return link;
}

void SrtFeedMetrics::show(Link& link, const LinkStats& stats) {
  for (std::size_t i = 0; i < std::size(kCounters); ++i) {
    const auto value = kCounters[i].value;
    if (stats.*value > link.last.*value)
      link.counters[i]->add(static_cast<double>(stats.*value - link.last.*value));
  }
  for (std::size_t i = 0; i < std::size(kGauges); ++i) link.gauges[i]->set(kGauges[i].value(stats));
  link.last = stats;
}

void SrtFeedMetrics::show(const srt::GroupStats& stats) {
  if (stats.packets_dropped > last_dropped_)
    dropped_.add(static_cast<double>(stats.packets_dropped - last_dropped_));
  last_dropped_ = stats.packets_dropped;
  for (auto& place : places_) {
    const auto present = [&](const srt::GroupLinkStats& each) {
      return each.link.socket_id == place->last.socket_id;
    };
    if (!place || std::ranges::any_of(stats.links, present)) continue;
    for (Gauge* gauge : place->gauges) gauge->set(0);
    place.reset();
  }
  for (const srt::GroupLinkStats& each : stats.links) {
    const auto mine = [&](const std::optional<Link>& place) {
      return place && place->last.socket_id == each.link.socket_id;
    };
    auto at = std::ranges::find_if(places_, mine);
    if (at == places_.end()) {
      at = std::ranges::find(places_, false, &std::optional<Link>::has_value);
      if (at == places_.end()) continue;  // more links than a group takes: an invariant elsewhere
      *at = make(static_cast<std::size_t>(at - places_.begin()), each.link.socket_id);
    }
    show(**at, each.link);
  }
}

}  // namespace kapok::ingest
