// A configuration (one byte of length before it), then datagrams (two bytes of length before each)
// into the packet filter's receiver. What it rebuilds is within its bounds, and so is its memory.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "server/picture/protocols/srt/fec.hpp"

using namespace kapok;

namespace {

constexpr std::size_t kMaxPayload = 1456;
constexpr std::size_t kHeader = 16;

void require(bool holds) {
  if (!holds) std::abort();
}

void receive(srt::FecReceiver& receiver, ByteSpan datagram) {
  ByteReader in(datagram);
  const srt::Sequence sequence(*in.u32());
  const std::uint32_t message = *in.u32();
  const std::uint32_t timestamp = *in.u32();
  if (!in.skip(4)) std::abort();
  const srt::FecPacket packet{.sequence = sequence,
                              .timestamp = timestamp,
                              .key_flags = static_cast<std::uint8_t>(message >> 27 & 3),
                              .payload = in.rest()};
  std::vector<srt::RebuiltPacket> rebuilt;
  if ((message & 0x03FF'FFFF) == 0)
    receiver.receive_parity(packet, rebuilt);
  else
    receiver.receive(packet, rebuilt);
  for (const auto& one : rebuilt)
    require(!one.payload.empty() && one.payload.size() <= kMaxPayload && one.key_flags < 4);
  for (const auto& range : receiver.take_irrecoverable()) require(range.count() <= 3 * 4096);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ByteReader in(as_bytes(data, size));
  const auto text_size = in.u8();
  if (!text_size) return 0;
  const auto text = in.take(*text_size);
  if (!text) return 0;
  const auto config = srt::parse_fec_config(as_text(*text));
  if (!config) return 0;
  require(srt::parse_fec_config(srt::to_string(*config)) == *config);
  require(srt::negotiate_fec(as_text(*text), srt::to_string(*config)) == *config);

  std::optional<srt::FecReceiver> receiver;
  while (const auto length = in.u16()) {
    const auto datagram = in.take(std::min<std::size_t>(*length, in.left()));
    if (datagram->size() < kHeader) continue;
    if (!receiver)
      receiver.emplace(*config, srt::Sequence(*ByteReader(*datagram).u32()), kMaxPayload);
    receive(*receiver, *datagram);
  }
  if (receiver) require(receiver->memory_bytes() < 4U * 1024 * 1024);
  return 0;
}
