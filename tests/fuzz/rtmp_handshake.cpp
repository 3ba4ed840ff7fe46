// Any bytes as a client's handshake, and as a server's answer to ours.
#include <cstdint>

#include "server/picture/protocols/rtmp/handshake.hpp"

using namespace kapok;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteSpan bytes = as_bytes(data, size);
  {
    rtmp::ServerHandshake server;
    Bytes out;
    std::size_t at = 0;
    while (!server.done()) {
      const auto used = server.read(bytes.subspan(at), out);
      if (!used || *used == 0) break;
      at += *used;
    }
    if (server.done() && out.size() != 1 + 2 * rtmp::kHandshakeBytes) __builtin_trap();
  }
  for (const auto scheme :
       {rtmp::DigestScheme::none, rtmp::DigestScheme::schema0, rtmp::DigestScheme::schema1}) {
    rtmp::ClientHandshake client;
    Bytes out;
    client.start(scheme, out);
    [[maybe_unused]] const auto used = client.read(bytes, out);
  }
  return 0;
}
