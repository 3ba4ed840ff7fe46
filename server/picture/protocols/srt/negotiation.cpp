#include "server/picture/protocols/srt/negotiation.hpp"

#include <algorithm>

namespace kapok::srt {

namespace {

std::unexpected<Refusal> refuse(RejectReason reason, std::string why) {
  return std::unexpected(Refusal{reason, std::move(why)});
}

milliseconds bounded(milliseconds latency) {
  return std::clamp(latency, milliseconds(0), kMaxLatency);
}

Negotiated common(const OwnSide& own, const PeerSide& peer, const HandshakeExtension& extension) {
  Negotiated settled;
  settled.peer = peer.address;
  settled.own_id = own.socket_id;
  settled.peer_id = peer.handshake.socket_id;
  settled.peer_version = extension.version;
  settled.first_sent = own.first_sequence;
  settled.first_received = peer.handshake.first_sequence;
  settled.own_start = own.start;
  settled.peer_start = peer.arrived_at - microseconds(peer.timestamp);
  settled.segment_bytes = std::min(own.link.segment_bytes, peer.handshake.segment_bytes);
  settled.peer_window_packets = std::min(peer.handshake.window_packets, own.link.window_packets);
  settled.options = own.link;
  return settled;
}

}  // namespace

OrRefusal<void> check_peer(const Handshake& handshake, const HandshakeExtension& extension,
                           const Extensions& all) {
  if (handshake.socket_id == 0) return refuse(RejectReason::rogue, "socket id 0");
  if (handshake.segment_bytes < kMinSegmentBytes)
    return refuse(RejectReason::rogue, fmt::format("segments of {} bytes: {} at least",
                                                   handshake.segment_bytes, kMinSegmentBytes));
  if (handshake.window_packets < 2)
    return refuse(RejectReason::rogue, "a flow window of less than two packets");
  if (extension.version < kMinSrtVersion)
    return refuse(RejectReason::version, fmt::format("SRT version {:#x}", extension.version));
  if ((extension.flags & handshake_flag::kStream) != 0)
    return refuse(RejectReason::message_api, "stream mode: live mode sends messages");
  if (!all.congestion.empty() && all.congestion != "live")
    return refuse(RejectReason::congestion, "a congestion control other than live");
  // [draft 3.2.1.4] M: by message number, which only balancing groups would use.
  if (all.group && ((all.group->type != 1 && all.group->type != 2) || (all.group->flags & 1) != 0))
    return refuse(RejectReason::group, fmt::format("group type {}", all.group->type));
  return {};
}

Extensions make_request(const OwnSide& own, const Encryption* encryption) {
  Extensions asked;
  asked.request = {.receive_latency = own.link.latency, .send_latency = own.link.latency};
  asked.stream_id = own.stream_id;
  asked.filter = own.link.filter;
  asked.group = own.group;
  if (encryption != nullptr) asked.key_request = encryption->key_message();
  return asked;
}

OrRefusal<Answer> answer_request(const OwnSide& own, const PeerSide& peer) {
  const HandshakeExtension& asked = *peer.extensions.request;
  Answer answer{.negotiated = common(own, peer, asked), .extensions = {}};
  Negotiated& settled = answer.negotiated;
  // [draft 3.2.1.1] The greater of what both want, in each direction.
  settled.receive_latency = bounded(std::max(own.link.latency, asked.send_latency));
  settled.send_latency = bounded(std::max(own.link.latency, asked.receive_latency));
  answer.extensions.response = {.receive_latency = settled.receive_latency,
                                .send_latency = settled.send_latency};

  auto encryption =
      Encryption::accept(own.link.encryption, peer.extensions.key_request, asked.version);
  if (!encryption) return std::unexpected(std::move(encryption).error());
  settled.encryption = *std::move(encryption);
  if (settled.encryption) answer.extensions.key_response = settled.encryption->key_message();

  // A filter that the caller did not ask for is not forced upon it: the answer would be longer than
  // the question.
  if (const std::string& theirs = peer.extensions.filter; !theirs.empty()) {
    const auto config = negotiate_fec(own.link.filter, theirs);
    if (!config) return refuse(RejectReason::filter, config.error().message);
    settled.fec = *config;
    const auto alone = parse_fec_config(theirs);
    answer.extensions.filter = alone && *alone == *config ? theirs : to_string(*config);
  }
  if (peer.extensions.group && own.group) {
    settled.weight = peer.extensions.group->weight;
    answer.extensions.group = own.group;
    answer.extensions.group->weight = settled.weight;
  }
  return answer;
}

OrRefusal<Negotiated> take_response(const OwnSide& own, const PeerSide& peer,
                                    std::unique_ptr<Encryption> encryption) {
  if (!peer.extensions.response) return refuse(RejectReason::rogue, "no handshake response");
  const HandshakeExtension& said = *peer.extensions.response;
  if (auto sane = check_peer(peer.handshake, said, peer.extensions); !sane)
    return std::unexpected(std::move(sane).error());
  Negotiated settled = common(own, peer, said);
  settled.receive_latency = bounded(said.send_latency);
  settled.send_latency = bounded(said.receive_latency);

  auto agreed = encryption ? encryption->confirm(peer.extensions.key_response, said.version)
                           : Encryption::check_clear(peer.extensions.key_response);
  if (!agreed) return std::unexpected(std::move(agreed).error());
  settled.encryption = std::move(encryption);

  if (!peer.extensions.filter.empty()) {
    const auto config = negotiate_fec(own.link.filter, peer.extensions.filter);
    if (!config) return refuse(RejectReason::filter, config.error().message);
    settled.fec = *config;
  } else if (!own.link.filter.empty()) {
    return refuse(RejectReason::filter, "the peer has no packet filter");
  }
  if (own.group) {
    if (!peer.extensions.group)
      return refuse(RejectReason::group, "the peer does not join links to groups");
    settled.weight = own.group->weight;
  }
  return settled;
}

Handshake own_handshake(const OwnSide& own, std::uint32_t type, const PeerAddress& peer) {
  Handshake handshake;
  handshake.first_sequence = own.first_sequence;
  handshake.segment_bytes = own.link.segment_bytes;
  handshake.window_packets = own.link.window_packets;
  handshake.type = type;
  handshake.socket_id = own.socket_id;
  const bool v4 =
      std::ranges::equal(std::span(peer.ip).first(12),
                         std::array<std::uint8_t, 12>{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF});
  for (std::size_t i = 0; i < (v4 ? 4U : 16U); ++i)
    handshake.peer_ip[i / 4 * 4 + 3 - i % 4] = peer.ip[v4 ? 12 + i : i];
  return handshake;
}

Bytes refusal_datagram(const PeerAddress& peer, const Handshake& asked, std::uint32_t reason) {
  Handshake refusal = asked;
  refusal.version = kHandshakeVersion;
  refusal.encryption = 0;
  refusal.extension = 0;
  refusal.type = kFirstRefusal + reason;
  return handshake_datagram({peer, asked.socket_id, 0}, refusal, {});
}

}  // namespace kapok::srt
