// An RTMP message: what chunks carry. Its payload is a shared Buffer that the reader filled once;
// everything after it slices. [RTMP 1.0, 5 and 6]
#pragma once

#include <cstdint>

#include "server/base/buffer.hpp"

namespace kapok::rtmp {

// [RTMP 6.1.1] the length field has 24 bits: no message, and so no frame over RTMP, is larger. The
// product's bound of 64 MiB a frame lies above it.
constexpr std::size_t kMaxMessageBytes = 0xFFFFFF;
// What a connection may send before its key was accepted: handshake and commands need about 5 kB.
constexpr std::size_t kMaxUnauthorisedBytes = std::size_t{64} * 1024;

enum class MessageType : std::uint8_t {
  set_chunk_size = 1,
  abort = 2,
  acknowledgement = 3,
  user_control = 4,
  window_acknowledgement_size = 5,
  set_peer_bandwidth = 6,
  audio = 8,
  video = 9,
  data_amf3 = 15,
  command_amf3 = 17,
  data_amf0 = 18,
  command_amf0 = 20,
  aggregate = 22,
};

enum class UserControl : std::uint16_t { stream_begin = 0, ping_request = 6, ping_response = 7 };

struct Message {
  MessageType type = MessageType::command_amf0;
  std::uint32_t chunk_stream = 3;
  std::uint32_t stream = 0;     // message stream id
  std::uint32_t timestamp = 0;  // ms, wraps at 32 bits
  Buffer payload;
};

}  // namespace kapok::rtmp
