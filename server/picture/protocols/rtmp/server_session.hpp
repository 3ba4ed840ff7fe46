// The server's side of one RTMP connection, without the connection: bytes and time in, events and
// bytes out. The owner reads the socket into read_room(), calls received(), acts on the events,
// sends the output. Parsing pauses at PublishAsked until grant_publish() or refuse_publish(), so
// nothing is taken from a peer whose key is still being checked. After an error the session is
// over: send what output there is and close. One shard at a time.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "server/base/buffer.hpp"
#include "server/base/clock.hpp"
#include "server/base/result.hpp"
#include "server/picture/containers/amf/amf.hpp"
#include "server/picture/protocols/rtmp/chunk_reader.hpp"
#include "server/picture/protocols/rtmp/handshake.hpp"
#include "server/picture/protocols/rtmp/message.hpp"
#include "server/picture/protocols/rtmp/publish_target.hpp"
#include "server/picture/protocols/rtmp/staging.hpp"

namespace kapok::rtmp {

struct PublishAsked {
  PublishTarget target;
  std::string encoder;  // flashVer
};
enum class MediaKind : std::uint8_t { audio, video, script };
// An FLV tag body; script: AMF0 values ("onMetaData", ...).
struct MediaMessage {
  MediaKind kind = MediaKind::video;
  std::uint32_t timestamp = 0;  // ms, wraps at 32 bits
  Buffer body;
};
struct PublishEnded {};  // unpublished by the client, the connection goes on
using ServerEvent = std::variant<PublishAsked, MediaMessage, PublishEnded>;

enum class SessionState : std::uint8_t {
  handshake,
  connecting,     // the handshake is done, connect has not come
  connected,      // no publish yet, or none any more
  publish_asked,  // paused
  publishing,
  refused,
};
std::string_view name_of(SessionState state);

struct ServerSessionOptions {
  std::string application = "live";
};

class RtmpServerSession {
 public:
  explicit RtmpServerSession(ServerSessionOptions options = {});

  // Where the next bytes belong, in this order; the first may be empty. Valid until received().
  std::array<std::span<std::byte>, 2> read_room();
  // `count` bytes were written there. With 0: goes on after grant_publish().
  Result<void> received(MonoTime now, std::size_t count);
  // The same for bytes that lie elsewhere (one copy more).
  Result<void> receive(MonoTime now, ByteSpan bytes);

  // What happened since, in order. Swaps, so that a caller's vector keeps its memory.
  void take_events(std::vector<ServerEvent>& events);
  Bytes take_output();
  std::size_t output_size() const { return output_.size(); }

  void grant_publish();
  // `code` is what NetStream.Publish.* says ("BadName", "Unauthorized", "Rejected"); encoders show
  // people the description.
  void refuse_publish(std::string_view code, std::string_view description);
  // The publisher's feed is closed by us: told as an onStatus error.
  void end_publish(std::string_view description);
  // [Enhanced RTMP v2, "Reconnect Request"] False: the client did not say that it understands.
  bool request_reconnect(std::string_view description);

  SessionState state() const { return state_; }
  std::uint64_t bytes_received() const { return bytes_received_; }
  std::uint64_t offset() const { return offset_; }  // of the first byte not yet understood
  std::string_view encoder() const { return encoder_; }
  // In state refused: what the peer was told.
  std::string_view refusal() const { return refusal_; }

 private:
  Result<void> parse();
  Result<std::size_t> parse_some(ByteSpan bytes);
  Result<void> handle(Message message);
  Result<void> handle_command(const Message& message, ByteSpan body);
  Result<void> handle_aggregate(const Message& message);
  Result<void> handle_user_control(const Message& message);
  void handle_media(MediaKind kind, std::uint32_t timestamp, Buffer body);
  using Arguments = std::vector<amf::Value>;
  Result<void> on_connect(double transaction, const Arguments& arguments);
  void on_create_stream(double transaction);
  Result<void> on_publish(std::uint32_t stream, const Arguments& arguments);
  void on_stream_ended();
  Result<void> within_budget() const;

  void acknowledge();
  void refuse(std::string_view description);
  void send_command(std::uint32_t stream, const std::vector<amf::Value>& values);
  void send_status(std::uint32_t stream, std::string_view level, std::string_view code,
                   std::string_view description);

  ServerSessionOptions options_;
  SessionState state_ = SessionState::handshake;
  ServerHandshake handshake_;
  ChunkReader chunks_;
  Staging staging_;
  std::vector<ServerEvent> events_;
  Bytes output_;

  std::uint64_t bytes_received_ = 0;
  std::uint64_t offset_ = 0;
  std::uint64_t unauthorised_since_ = 0;  // offset at which the present wait for a key began
  std::uint64_t acknowledged_ = 0;
  std::uint32_t acknowledge_every_;
  std::uint32_t streams_created_ = 0;
  std::uint32_t publish_stream_ = 0;
  std::uint32_t client_caps_ = 0;
  std::string app_;
  std::string tc_url_;
  std::string encoder_;
  std::string refusal_;
};

}  // namespace kapok::rtmp
