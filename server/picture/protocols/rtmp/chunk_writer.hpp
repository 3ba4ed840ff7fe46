// Messages to chunks. [RTMP 1.0, 5.3] Always a full header (format 0) and format 3 after it: what a
// server says is short, and a full header needs no state. PushScript (tests/support) shows the
// compact forms for bulk.
#pragma once

#include "server/base/bytes.hpp"
#include "server/picture/protocols/rtmp/message.hpp"

namespace kapok::rtmp {

struct MessageHeader {
  MessageType type = MessageType::command_amf0;
  std::uint32_t chunk_stream = 3;  // 2..63
  std::uint32_t stream = 0;
  std::uint32_t timestamp = 0;
};

void write_message(Bytes& out, const MessageHeader& header, ByteSpan payload,
                   std::size_t chunk_bytes);

// The control messages: chunk stream 2, message stream 0. [RTMP 5.4]
void write_u32_control(Bytes& out, MessageType type, std::uint32_t value);
void write_peer_bandwidth(Bytes& out, std::uint32_t window);  // limit type: dynamic
void write_user_control(Bytes& out, UserControl event, std::uint32_t value);

}  // namespace kapok::rtmp
