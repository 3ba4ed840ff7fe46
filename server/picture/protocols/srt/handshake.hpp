// The handshake packet of SRT [draft 3.2.1]: 48 fixed bytes and extension blocks. Parsing checks
// every length exactly and skips extensions that it does not know; views point into the datagram.
// Pure functions.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "server/picture/protocols/srt/options.hpp"
#include "server/picture/protocols/srt/packet.hpp"
#include "server/picture/protocols/srt/stats.hpp"

namespace kapok::srt {

constexpr std::size_t kHandshakeBytes = 48;
constexpr std::uint32_t kHandshakeVersion = 5;
constexpr std::uint32_t kInductionVersion = 4;
// In the extension field of the listener's induction: "I speak version 5" [draft 4.3.1.1].
constexpr std::uint16_t kMagic = 0x4A17;
// [draft 3.2.1] What a caller of version 4 calls a datagram socket.
constexpr std::uint16_t kDatagramSocket = 2;
// As which SRT we introduce ourselves: the oldest that has all we do, bonding and AES-GCM included.
constexpr std::uint32_t kSrtVersion = 0x01'05'04;
constexpr std::uint32_t kMinSrtVersion = 0x01'03'00;  // the first with the integrated handshake

enum class HandshakeType : std::uint32_t {
  wave_a_hand = 0,
  induction = 1,
  conclusion = 0xFFFF'FFFF,
  agreement = 0xFFFF'FFFE,
};

// The extension field of a conclusion [draft 3.2.1, table 5].
constexpr std::uint16_t kHasHandshakeExtension = 1;
constexpr std::uint16_t kHasKeyMaterial = 2;
constexpr std::uint16_t kHasConfig = 4;

enum class ExtensionType : std::uint16_t {
  handshake_request = 1,
  handshake_response = 2,
  key_request = 3,
  key_response = 4,
  stream_id = 5,
  congestion = 6,
  filter = 7,
  group = 8,
};

// [draft 3.2.1.1.1]
namespace handshake_flag {
constexpr std::uint32_t kTimedSending = 0x01;
constexpr std::uint32_t kTimedReceiving = 0x02;
constexpr std::uint32_t kCrypt = 0x04;
constexpr std::uint32_t kDropsLate = 0x08;
constexpr std::uint32_t kRepeatsNak = 0x10;
constexpr std::uint32_t kRetransmitFlag = 0x20;
constexpr std::uint32_t kStream = 0x40;
constexpr std::uint32_t kFilter = 0x80;
constexpr std::uint32_t kOurs =
    kTimedSending | kTimedReceiving | kCrypt | kDropsLate | kRepeatsNak | kRetransmitFlag | kFilter;
}  // namespace handshake_flag

struct Handshake {
  std::uint32_t version = kHandshakeVersion;
  std::uint16_t encryption = 0;  // key bytes / 8, 0: not announced
  std::uint16_t extension = 0;
  Sequence first_sequence;
  std::uint32_t segment_bytes = kDefaultSegmentBytes;
  std::uint32_t window_packets = 0;
  std::uint32_t type = 0;  // HandshakeType, or a refusal: reject_reason.hpp
  SocketId socket_id = 0;
  std::uint32_t cookie = 0;
  std::array<std::uint8_t, 16> peer_ip{};  // as sent: words in the sender's order

  bool is(HandshakeType wanted) const { return type == static_cast<std::uint32_t>(wanted); }
};

// [draft 3.2.1.1] HSREQ and HSRSP.
struct HandshakeExtension {
  std::uint32_t version = kSrtVersion;
  std::uint32_t flags = handshake_flag::kOurs;
  milliseconds receive_latency{0};  // of the one who writes it
  milliseconds send_latency{0};     // what it wishes of the other
};

// [draft 3.2.1.4]
struct GroupExtension {
  SocketId group_id = 0;
  std::uint8_t type = 0;
  std::uint8_t flags = 0;
  std::uint16_t weight = 0;
};
// Set in every group id, so that it is not taken for a socket's [libsrt srtcore/srt.h,
// SRTGROUP_MASK].
constexpr SocketId kGroupBit = 0x4000'0000;

struct Extensions {
  std::optional<HandshakeExtension> request;   // HSREQ
  std::optional<HandshakeExtension> response;  // HSRSP
  std::optional<ByteSpan> key_request;
  std::optional<ByteSpan> key_response;
  std::string stream_id;
  std::string congestion;  // "" and "live" are the same
  std::string filter;
  std::optional<GroupExtension> group;
};

// Of a control packet's body. Errors: malformed.
Result<Handshake> parse_handshake(ByteSpan body);
// What follows the fixed part in a conclusion.
Result<Extensions> parse_extensions(ByteSpan body);

void write_handshake(Bytes& out, const Handshake& handshake);
// The blocks that are there; which kinds there are belongs in Handshake::extension.
void write_extensions(Bytes& out, const Extensions& extensions);
std::uint16_t extension_flags(const Extensions& extensions);

// One datagram: header, handshake, blocks.
Bytes handshake_datagram(const Route& route, const Handshake& handshake,
                         const Extensions& extensions);

}  // namespace kapok::srt
