// Any bytes as an SRT datagram: header, then the body as every kind of control packet. What was
// parsed is written and read again.
#include <cstdint>

#include "server/picture/protocols/srt/packet.hpp"

using namespace kapok;
using namespace kapok::srt;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteSpan datagram = as_bytes(data, size);
  const auto header = parse_header(datagram);
  if (!header) return 0;
  if (destination_of(datagram) != header->destination) __builtin_trap();
  const ByteSpan body = datagram.subspan(kHeaderBytes);
  std::vector<Datagram> out;
  if (const auto ack = parse_ack(*header, body)) write_ack(out, {}, *ack);
  const std::vector<SequenceRange> lost = parse_nak(body);
  std::size_t words = 0;
  for (const SequenceRange& range : lost) {
    if (range.last.before(range.first) || range.count() > 0x4000'0000U) __builtin_trap();
    words += range.first == range.last ? 1 : 2;
  }
  if (words * 4 > body.size()) __builtin_trap();
  out.clear();
  write_nak(out, {}, lost, 1456);
  std::size_t again = 0;
  for (const Datagram& part : out) {
    Bytes whole(part.head_bytes().begin(), part.head_bytes().end());
    whole.insert(whole.end(), part.payload.bytes().begin(), part.payload.bytes().end());
    if (whole.size() > kHeaderBytes + 1456) __builtin_trap();
    again += parse_nak(ByteSpan(whole).subspan(kHeaderBytes)).size();
  }
  if (again != lost.size()) __builtin_trap();
  if (const auto range = parse_drop_request(body); range && range->last.before(range->first))
    __builtin_trap();
  return 0;
}
