// What both fuzz targets of MPEG-TS ask of demultiplexed items: packets belong to announced tracks,
// and what the multiplexer makes of them is a flawless transport stream to our own demultiplexer.
#pragma once

#include <set>
#include <vector>

#include "server/picture/containers/mpegts/demuxer.hpp"
#include "server/picture/containers/mpegts/muxer.hpp"

namespace kapok::fuzz {

inline void check_items(const std::vector<media::FeedItem>& items) {
  std::set<media::TrackId> known;
  mpegts::TsMuxer muxer;
  mpegts::TsDemuxer again;
  std::vector<media::FeedItem> others;
  for (const media::FeedItem& item : items) {
    if (const auto* track = std::get_if<std::shared_ptr<const media::Track>>(&item)) {
      if (!(*track)->ts) __builtin_trap();
      known.insert((*track)->id);
    } else if (const auto* packet = std::get_if<std::shared_ptr<const media::Packet>>(&item)) {
      if (!known.contains((*packet)->track) || (*packet)->payload.empty() ||
          (*packet)->payload.size() > media::kMaxPacketBytes)
        __builtin_trap();
    }
    // The multiplexer's clock is made for times that do not jump.
    if (std::holds_alternative<media::Discontinuity>(item)) break;
    muxer.write(item);
    for (const mpegts::TsBlock& block : muxer.take()) {
      if (block.bytes.size() % mpegts::kPacketBytes != 0) __builtin_trap();
      if (!again.push(MonoTime{}, block.bytes.bytes(), others)) __builtin_trap();
    }
  }
  again.finish(others);
  const mpegts::TsStats& stats = again.stats();
  if (stats.continuity_errors + stats.transport_errors + stats.resyncs + stats.skipped_bytes +
          stats.section_errors !=
      0)
    __builtin_trap();
}

}  // namespace kapok::fuzz
