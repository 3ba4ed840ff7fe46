// A connection, or a group of two links, under whatever datagrams a peer may send, with a clock
// that the input moves: nothing breaks a bound, and time always goes on. The input is a list of
// steps: one byte of kind, one of length, then the datagram (header made good but for the fields it
// gives).
#include <cstdint>

#include "server/picture/protocols/srt/handshake.hpp"
#include "server/picture/protocols/srt/link.hpp"

using namespace kapok;
using namespace kapok::srt;

namespace {

constexpr SocketId kOwn = 5;
const PeerAddress kPeer{.ip = {}, .port = 5000};

Negotiated settled(SocketId id, MonoTime now, ByteSpan choice) {
  Negotiated made;
  made.peer = kPeer;
  made.own_id = id;
  made.peer_id = 6;
  made.first_sent = made.first_received = Sequence(0x7FFF'FFF0);  // wraps at once
  made.own_start = made.peer_start = now;
  made.peer_window_packets = 64;
  made.options.window_packets = 256;
  made.options.buffer_bytes = 64 * 1024;
  const auto bits = std::to_integer<unsigned>(choice[0]);
  if ((bits & 1) != 0) {
    EncryptionOptions options;
    options.passphrase = "ten letters";
    const auto caller = *Encryption::initiate(options);
    made.encryption = *Encryption::accept(options, caller->key_message(), kSrtVersion);
  }
  if ((bits & 2) != 0) made.fec = *parse_fec_config("fec,cols:4,rows:4");
  return made;
}

class Peer {
 public:
  Peer(MonoTime now, ByteSpan choice)
      : now_(now),
        reception_{ReceiveBuffer(Sequence(0x7FFF'FFF0), {256, 64 * 1024}), TimeBase(now)} {
    const bool group = (std::to_integer<unsigned>(choice[0]) & 4) != 0;
    const auto standing = group ? Link::Standing::member : Link::Standing::alone;
    links_.push_back(std::make_unique<Link>(now, settled(kOwn, now, choice), reception_, standing));
    if (group)
      links_.push_back(
          std::make_unique<Link>(now, settled(kOwn + 1, now, choice), reception_, standing));
  }

  void step(std::uint8_t kind, ByteSpan bytes) {
    Link& link = *links_[kind % links_.size()];
    now_ += microseconds(1'000U * (kind >> 2U));
    if ((kind & 2) != 0) {
      const std::size_t size = bytes.empty() ? 1 : std::to_integer<std::size_t>(bytes[0]) + 1;
      if (link.can_send(1, size)) link.send(now_, Buffer(Bytes(size)), {0xE000'0001U}, now_);
    } else if (bytes.size() >= kHeaderBytes) {
      Bytes datagram(bytes.begin(), bytes.end());
      store_u32(datagram.data() + 12, link.socket_id());
      link.receive(now_, kPeer, Buffer(std::move(datagram)), out_);
    }
    link.advance(now_, out_);
    reception_.buffer.deliver(now_, milliseconds(120), out_.events);
    check(link);
  }

 private:
  void check(const Link& link) {
    if (reception_.buffer.held_packets() > 256 || reception_.buffer.held_bytes() > 64 * 1024)
      __builtin_trap();
    for (const Datagram& datagram : out_.datagrams)
      if (datagram.size() > 1472) __builtin_trap();
    // A single step answers one datagram: the send buffer is all that can leave.
    if (out_.datagrams.size() > 256 + 16) __builtin_trap();
    if (!link.closed() && link.next_deadline() > now_ + seconds(5)) __builtin_trap();
    (void)link.stats(now_);
    out_.clear();
  }

  MonoTime now_;
  Reception reception_;
  std::vector<std::unique_ptr<Link>> links_;
  Output out_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  ByteReader in(as_bytes(data, size));
  const ByteSpan choice = *in.take(1);
  Peer peer(MonoTime{seconds(1'000)}, choice);
  while (in.left() >= 2) {
    const std::uint8_t kind = *in.u8();
    const std::size_t length = std::min<std::size_t>(*in.u8(), in.left());
    peer.step(kind, *in.take(length));
  }
  return 0;
}
