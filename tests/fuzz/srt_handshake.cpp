// Any bytes as the body of a handshake: what parses is written and read again unchanged; and the
// bytes as a conclusion with a good cookie before a listener, which answers at most as much as
// came.
#include <cstdint>

#include "server/picture/protocols/srt/cookie.hpp"
#include "server/picture/protocols/srt/handshake.hpp"
#include "server/picture/protocols/srt/listener.hpp"

using namespace kapok;
using namespace kapok::srt;

namespace {

void round_trip(ByteSpan body) {
  const auto handshake = parse_handshake(body);
  const auto extensions = parse_extensions(body);
  if (!handshake || !extensions) return;
  Bytes written;
  write_handshake(written, *handshake);
  write_extensions(written, *extensions);
  const auto again = parse_handshake(written);
  const auto blocks = parse_extensions(written);
  if (!again || !blocks || again->cookie != handshake->cookie ||
      blocks->stream_id != extensions->stream_id || blocks->filter != extensions->filter ||
      blocks->key_request.has_value() != extensions->key_request.has_value())
    __builtin_trap();
}

void conclude(ByteSpan body) {
  const MonoTime now{seconds(1'000)};
  const PeerAddress peer{.ip = {}, .port = 5000};
  Bytes datagram(kHeaderBytes);
  store_u32(datagram.data(), 0x8000'0000);
  datagram.insert(datagram.end(), body.begin(), body.end());
  if (body.size() >= kHandshakeBytes) {
    store_u32(datagram.data() + kHeaderBytes, kHandshakeVersion);
    store_u32(datagram.data() + kHeaderBytes + 20, 0xFFFF'FFFF);
    store_u32(datagram.data() + kHeaderBytes + 28, CookieJar(CookieSecret{}).bake(now, peer));
  }
  Listener listener{CookieSecret{}};
  Output out;
  const auto check = [&] {
    for (const Datagram& answer : out.datagrams)
      if (answer.size() > datagram.size()) __builtin_trap();
    out.clear();
  };
  const auto asked = listener.receive(now, peer, datagram, out);
  check();
  if (!asked) return;
  AcceptOptions options{.socket_id = 9, .link = {}};
  // The same handshake against one that demands a passphrase, every other time.
  if (body.size() % 2 == 1) options.link.encryption.passphrase = "ten letters";
  (void)listener.accept(now, asked->id, options, out);
  check();
  if (listener.receive(now, peer, datagram, out)) __builtin_trap();
  check();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteSpan body = as_bytes(data, size);
  round_trip(body);
  conclude(body);
  return 0;
}
