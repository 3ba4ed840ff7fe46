// What both fuzz targets of the wire ask: what was read, whatever the bytes and however they come
// in, can be written and reads as the same again.
#pragma once

#include <algorithm>
#include <cstring>
#include <vector>

#include "server/picture/wire/reader.hpp"
#include "server/picture/wire/writer.hpp"

namespace kapok::fuzz {

template <class Message>
std::vector<Message> read_wire(ByteSpan bytes, std::size_t step) {
  wire::Reader<Message> reader;
  std::vector<Message> out;
  while (!bytes.empty()) {
    const std::span<std::byte> room = reader.room();
    const std::size_t count = std::min({step, room.size(), bytes.size()});
    std::memcpy(room.data(), bytes.data(), count);
    if (!reader.filled(count, out)) break;
    bytes = bytes.subspan(count);
  }
  return out;
}

template <class Message>
Bytes write_wire(const std::vector<Message>& messages) {
  Bytes bytes;
  for (const Message& message : messages) {
    const Result<wire::Encoded> encoded = encode(message);
    if (!encoded) __builtin_trap();
    for (const ByteSpan part : {encoded->head.bytes(), encoded->payload.bytes()})
      bytes.insert(bytes.end(), part.begin(), part.end());
  }
  return bytes;
}

template <class Message>
void check_wire(const std::uint8_t* data, std::size_t size) {
  const std::vector<Message> messages = read_wire<Message>(as_bytes(data, size), 7);
  const Bytes written = write_wire(messages);
  if (write_wire(read_wire<Message>(written, SIZE_MAX)) != written) __builtin_trap();
  if (read_wire<Message>(written, SIZE_MAX).size() != messages.size()) __builtin_trap();
}

}  // namespace kapok::fuzz
