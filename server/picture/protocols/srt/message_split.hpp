// A message that is longer than one packet travels as several [draft 3.1, PP].
#pragma once

#include "server/base/buffer.hpp"
#include "server/picture/protocols/srt/packet.hpp"

namespace kapok::srt {

constexpr std::size_t packets_of(std::size_t message_bytes, std::size_t most) {
  return message_bytes == 0 ? 0 : (message_bytes + most - 1) / most;
}

// Calls sink(Buffer part, MessageWord) for each packet; nothing for an empty message.
template <class Sink>
void split_message(const Buffer& message, std::size_t most, MessageNumber number, Sink&& sink) {
  for (std::size_t at = 0; at < message.size(); at += most) {
    const std::size_t size = std::min(most, message.size() - at);
    MessageWord word{MessageWord::kInOrder | number.value()};
    if (at == 0) word.bits |= MessageWord::kFirst;
    if (at + size == message.size()) word.bits |= MessageWord::kLast;
    sink(message.slice(at, size), word);
  }
}

}  // namespace kapok::srt
