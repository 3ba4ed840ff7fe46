#include "server/picture/ingest/srt/carrier.hpp"

namespace kapok::ingest {

srt::GroupStats SrtCarrier::stats(MonoTime now) const {
  if (const auto* group = std::get_if<std::unique_ptr<srt::Group>>(&held_))
    return (*group)->stats(now);
  const srt::LinkStats link = std::get<std::unique_ptr<srt::Connection>>(held_)->stats(now);
  srt::GroupStats stats;
  stats.packets_delivered = link.packets_contributed;
  stats.packets_dropped = link.packets_dropped;
  stats.buffered_packets = link.buffered_packets;
  stats.buffered_bytes = link.buffered_bytes;
  stats.buffered = link.buffered;
  stats.links.push_back({link, 0, srt::LinkState::stable});
  return stats;
}

}  // namespace kapok::ingest
