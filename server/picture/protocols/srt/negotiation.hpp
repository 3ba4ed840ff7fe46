// The two halves of agreeing [draft 4.3]: the initiator asks with HSREQ, the responder settles and
// answers with HSRSP, the initiator takes that over. Used by listener, caller and rendezvous alike;
// no packets, no timers.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "server/picture/protocols/srt/handshake.hpp"
#include "server/picture/protocols/srt/negotiated.hpp"
#include "server/picture/protocols/srt/reject_reason.hpp"

namespace kapok::srt {

// One side's own part.
struct OwnSide {
  SocketId socket_id = 0;
  LinkOptions link;
  Sequence first_sequence;
  MonoTime start;  // of our packet timestamps
  std::string stream_id;
  std::optional<GroupExtension> group;
};

// The other side's handshake and when it arrived.
struct PeerSide {
  PeerAddress address;
  Handshake handshake;
  Extensions extensions;
  std::uint32_t timestamp = 0;  // of the packet
  MonoTime arrived_at;
};

// What must hold of any conclusion with extensions, request or response.
OrRefusal<void> check_peer(const Handshake& handshake, const HandshakeExtension& extension,
                           const Extensions& all);

// The initiator's question. `encryption` makes KMREQ and must live while the result is used.
Extensions make_request(const OwnSide& own, const Encryption* encryption);

struct Answer {
  Negotiated negotiated;
  // HSRSP and its company; views into `negotiated` and the peer's blocks.
  Extensions extensions;
};
// The responder's. `peer` carries a request that check_peer has passed.
OrRefusal<Answer> answer_request(const OwnSide& own, const PeerSide& peer);

// The initiator's end: `peer` carries the response.
OrRefusal<Negotiated> take_response(const OwnSide& own, const PeerSide& peer,
                                    std::unique_ptr<Encryption> encryption);

// The fixed part of our own handshakes; ip as libsrt writes it: words in its machine's order.
Handshake own_handshake(const OwnSide& own, std::uint32_t type, const PeerAddress& peer);
// The 64 bytes that say no.
Bytes refusal_datagram(const PeerAddress& peer, const Handshake& asked, std::uint32_t reason);

}  // namespace kapok::srt
