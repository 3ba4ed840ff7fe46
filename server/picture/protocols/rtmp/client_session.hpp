// The publisher's side of an RTMP connection, as little of it as load generators and tests need:
// handshake, connect, publish, media out, what the server says back. Sans-I/O like the server's
// session; the owner moves the bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "server/base/bytes.hpp"
#include "server/picture/containers/amf/amf.hpp"
#include "server/picture/protocols/rtmp/chunk_reader.hpp"
#include "server/picture/protocols/rtmp/handshake.hpp"
#include "server/picture/protocols/rtmp/message.hpp"

namespace kapok::rtmp {

struct ClientTarget {
  std::string app;          // "live"
  std::string tc_url;       // "rtmp://127.0.0.1:1935/live"
  std::string stream_name;  // "demo?key=..."
};

struct ClientOptions {
  DigestScheme digest = DigestScheme::none;
  std::uint32_t chunk_bytes = 60'000;  // 1..1 MiB
  bool enhanced = false;               // announce Enhanced RTMP in connect
};

struct PublishStarted {
  std::uint32_t stream = 1;  // message stream id for media
};
struct PublishRefused {
  std::string code;
  std::string description;
};
struct ReconnectAsked {};
using ClientEvent = std::variant<PublishStarted, PublishRefused, ReconnectAsked>;

class RtmpClientSession {
 public:
  RtmpClientSession(ClientTarget target, ClientOptions options);

  // The first output (C0 C1) is there at once.
  Result<void> receive(ByteSpan bytes);
  std::vector<ClientEvent> take_events();
  Bytes take_output();

  // After PublishStarted.
  void send(MessageType type, std::uint32_t timestamp, ByteSpan body);
  void unpublish();
  void publish_again();  // after unpublish(), on a new stream
  bool publishing() const { return publishing_; }
  // The connect answer's information object.
  const amf::Value& server_information() const { return information_; }

 private:
  Result<void> handle(const Message& message);
  void begin();
  void send_command(std::uint32_t stream, const std::vector<amf::Value>& values);

  ClientTarget target_;
  ClientOptions options_;
  ClientHandshake handshake_;
  ChunkReader chunks_;
  Bytes pending_;
  Bytes output_;
  std::vector<ClientEvent> events_;
  amf::Value information_;
  std::uint32_t stream_ = 1;
  bool publishing_ = false;
};

}  // namespace kapok::rtmp
