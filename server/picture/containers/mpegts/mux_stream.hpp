// How a track goes into a transport stream: its line in the program map, and its packets as PES
// payloads. The inverse of the lanes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "server/base/bytes.hpp"
#include "server/base/result.hpp"
#include "server/media/packet.hpp"
#include "server/media/track.hpp"

namespace kapok::mpegts {

class MuxStream {
 public:
  // Errors: unsupported (FLAC, AAC that ADTS cannot say, odd Opus layouts), malformed records.
  static Result<MuxStream> make(const media::Track& track);

  std::uint8_t type() const { return type_; }
  // The ES_info loop.
  const Bytes& descriptors() const { return descriptors_; }
  // nullopt: its packets are private sections.
  std::optional<std::uint8_t> pes_stream_id() const { return pes_stream_id_; }

  // Appends the pieces of the PES payload for a packet, in order. They point into the packet and
  // into this object, until the next call. Errors: malformed.
  Result<void> payload(const media::Packet& packet, std::vector<ByteSpan>& pieces);

 private:
  MuxStream() = default;
  Result<void> make_avc(const media::Track& track);
  Result<void> make_hevc(const media::Track& track);
  Result<void> make_av1(const media::Track& track);
  Result<void> make_aac(const media::Track& track);
  Result<void> make_opus(const media::Track& track);
  void make_opaque(const media::Track& track);
  Result<void> nal_payload(const media::Packet& packet, std::vector<ByteSpan>& pieces) const;
  Result<void> adts_payload(const media::Packet& packet, std::vector<ByteSpan>& pieces);
  void opus_payload(const media::Packet& packet, std::vector<ByteSpan>& pieces);

  media::Codec codec_ = media::Codec::unknown;
  std::uint8_t type_ = 0;
  Bytes descriptors_;
  std::optional<std::uint8_t> pes_stream_id_;
  std::uint8_t nal_length_size_ = 4;
  Bytes sets_;     // parameter sets in byte stream form, before each sync packet
  Bytes scratch_;  // what stands around one packet: ADTS or Opus header, AV1 with start codes
};

}  // namespace kapok::mpegts
