// The parts that several messages of the wire are made of (layout.hpp), each written and read side
// by side. Internal to this folder.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "server/base/bytes.hpp"
#include "server/base/result.hpp"
#include "server/media/image.hpp"
#include "server/media/ladder.hpp"
#include "server/media/packet.hpp"
#include "server/media/track.hpp"

namespace kapok::wire {

// Writers fail with Errc::limit only, readers with malformed or limit.
Result<void> write_name(ByteWriter& out, std::string_view name);
Result<std::string> read_name(ByteReader& in);
Result<std::string> read_rung_name(ByteReader& in);  // a valid id

void write_prose(ByteWriter& out, std::string_view text);  // cut at kMaxProseBytes
Result<std::string> read_prose(ByteReader& in);

Result<void> write_track(ByteWriter& out, const media::Track& track);
Result<std::shared_ptr<const media::Track>> read_track(ByteReader& in);
// Of a file: one of an unknown codec may have facts, and is of their kind.
Result<std::shared_ptr<const media::Track>> read_file_track(ByteReader& in);

Result<void> write_ladder(ByteWriter& out, const media::Ladder& ladder);
Result<media::Ladder> read_ladder(ByteReader& in);  // one that validate() takes

Result<void> write_anomaly(ByteWriter& out, const media::AnomalyEvent& event);
Result<media::AnomalyEvent> read_anomaly(ByteReader& in);
Result<void> write_image_head(ByteWriter& out, const media::Image& image);
Result<media::Image> read_image_head(ByteReader& in);  // without its JPEG

struct PacketHead {
  media::Packet packet;  // without its payload
  bool segment_start = false;
};
Result<void> write_packet_head(ByteWriter& out, const media::Packet& packet, bool segment_start);
Result<PacketHead> read_packet_head(ByteReader& in);

}  // namespace kapok::wire
