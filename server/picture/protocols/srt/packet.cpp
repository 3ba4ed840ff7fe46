#include "server/picture/protocols/srt/packet.hpp"

#include <algorithm>

namespace kapok::srt {

namespace {
constexpr std::uint32_t kControlFlag = 0x8000'0000;
constexpr std::uint32_t kRangeFlag = 0x8000'0000;
}  // namespace

std::optional<Header> parse_header(ByteSpan datagram) {
  if (datagram.size() < kHeaderBytes) return std::nullopt;
  const std::uint32_t word0 = load_u32(datagram.data());
  const std::uint32_t word1 = load_u32(datagram.data() + 4);
  Header header;
  header.control = (word0 & kControlFlag) != 0;
  if (header.control) {
    header.type = static_cast<ControlType>(word0 >> 16 & 0x7FFF);
    header.subtype = static_cast<std::uint16_t>(word0);
    header.word1 = word1;
  } else {
    header.sequence = Sequence(word0);
    header.message = {word1};
  }
  header.timestamp = load_u32(datagram.data() + 8);
  header.destination = load_u32(datagram.data() + 12);
  return header;
}

SocketId destination_of(ByteSpan datagram) {
  return datagram.size() < kHeaderBytes ? 0 : load_u32(datagram.data() + 12);
}

void write_data_header(std::span<std::byte, kHeaderBytes> to, Sequence sequence,
                       MessageWord message, std::uint32_t timestamp, SocketId destination) {
  store_u32(to.data(), sequence.value());
  store_u32(to.data() + 4, message.bits);
  store_u32(to.data() + 8, timestamp);
  store_u32(to.data() + 12, destination);
}

void write_control(std::vector<Datagram>& out, const Route& route, ControlHead head,
                   ByteSpan body) {
  Datagram& datagram = out.emplace_back();
  datagram.to = route.to;
  datagram.head_size = kHeaderBytes;
  store_u32(datagram.head.data(),
            kControlFlag | static_cast<std::uint32_t>(head.type) << 16 | head.subtype);
  store_u32(datagram.head.data() + 4, head.word1);
  store_u32(datagram.head.data() + 8, route.timestamp);
  store_u32(datagram.head.data() + 12, route.destination);
  if (kHeaderBytes + body.size() <= Datagram::kMaxHead) {
    std::ranges::copy(body, datagram.head.begin() + kHeaderBytes);
    datagram.head_size = static_cast<std::uint8_t>(kHeaderBytes + body.size());
  } else {
    datagram.payload = Buffer::copy_of(body);
  }
}

std::optional<Ack> parse_ack(const Header& header, ByteSpan body) {
  if (body.size() < 4) return std::nullopt;
  const std::uint32_t up_to = load_u32(body.data());
  if (up_to > Sequence::kMask) return std::nullopt;
  Ack ack;
  ack.number = header.word1;
  ack.up_to = Sequence(up_to);
  if (body.size() >= 16) {
    ack.has_link = true;
    ack.rtt_us = load_u32(body.data() + 4);
    ack.rtt_variance_us = load_u32(body.data() + 8);
    ack.available_packets = load_u32(body.data() + 12);
  }
  if (body.size() >= 28) {
    ack.has_rates = true;
    ack.packets_per_second = load_u32(body.data() + 16);
    ack.capacity_packets_per_second = load_u32(body.data() + 20);
    ack.bytes_per_second = load_u32(body.data() + 24);
  }
  return ack;
}

void write_ack(std::vector<Datagram>& out, const Route& route, const Ack& ack) {
  std::array<std::byte, 28> body;
  store_u32(body.data(), ack.up_to.value());
  std::size_t size = 4;
  if (ack.has_link) {
    store_u32(body.data() + 4, ack.rtt_us);
    store_u32(body.data() + 8, ack.rtt_variance_us);
    store_u32(body.data() + 12, ack.available_packets);
    store_u32(body.data() + 16, ack.packets_per_second);
    store_u32(body.data() + 20, ack.capacity_packets_per_second);
    store_u32(body.data() + 24, ack.bytes_per_second);
    size = body.size();
  }
  write_control(out, route, {.type = ControlType::ack, .word1 = ack.number},
                ByteSpan(body).first(size));
}

std::vector<SequenceRange> parse_nak(ByteSpan body) {
  std::vector<SequenceRange> lost;
  for (std::size_t at = 0; at + 4 <= body.size(); at += 4) {
    const std::uint32_t word = load_u32(body.data() + at);
    SequenceRange range{Sequence(word), Sequence(word)};
    if ((word & kRangeFlag) != 0) {
      at += 4;
      if (at + 4 > body.size()) break;
      const std::uint32_t last = load_u32(body.data() + at);
      range.last = Sequence(last);
      if ((last & kRangeFlag) != 0 || range.last.before(range.first)) break;
    }
    lost.push_back(range);
  }
  return lost;
}

void write_nak(std::vector<Datagram>& out, const Route& route, std::span<const SequenceRange> lost,
               std::size_t max_body) {
  Bytes body;
  const auto flush = [&] {
    if (!body.empty()) write_control(out, route, {.type = ControlType::nak}, body);
    body.clear();
  };
  for (const SequenceRange& range : lost) {
    if (body.size() + 8 > max_body) flush();
    const std::size_t at = body.size();
    if (range.first == range.last) {
      body.resize(at + 4);
      store_u32(body.data() + at, range.first.value());
    } else {
      body.resize(at + 8);
      store_u32(body.data() + at, kRangeFlag | range.first.value());
      store_u32(body.data() + at + 4, range.last.value());
    }
  }
  flush();
}

std::optional<SequenceRange> parse_drop_request(ByteSpan body) {
  if (body.size() != 8) return std::nullopt;
  const std::uint32_t first = load_u32(body.data());
  const std::uint32_t last = load_u32(body.data() + 4);
  if (first > Sequence::kMask || last > Sequence::kMask) return std::nullopt;
  const SequenceRange range{Sequence(first), Sequence(last)};
  if (range.last.before(range.first)) return std::nullopt;
  return range;
}

}  // namespace kapok::srt
