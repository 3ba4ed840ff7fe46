#include "server/picture/protocols/rtmp/server_session.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "server/picture/protocols/rtmp/chunk_writer.hpp"

namespace kapok::rtmp {

namespace {
// Before the peer asks for another: what Flash Media Server used, and every client copes with.
constexpr std::uint32_t kAcknowledgeEvery = 2'500'000;
}  // namespace

std::string_view name_of(SessionState state) {
  switch (state) {
    case SessionState::handshake:
      return "handshake";
    case SessionState::connecting:
      return "connecting";
    case SessionState::connected:
      return "connected";
    case SessionState::publish_asked:
      return "publish_asked";
    case SessionState::publishing:
      return "publishing";
    case SessionState::refused:
      return "refused";
  }
  return "unknown";
}

RtmpServerSession::RtmpServerSession(ServerSessionOptions options)
    : options_(std::move(options)), acknowledge_every_(kAcknowledgeEvery) {}

std::array<std::span<std::byte>, 2> RtmpServerSession::read_room() {
  const std::span<std::byte> staged = staging_.room();
  // Payload can go straight to its message only when nothing waits before it.
  if (!staging_.empty()) return {std::span<std::byte>(), staged};
  return {chunks_.direct_room(), staged};
}

Result<void> RtmpServerSession::received(MonoTime, std::size_t count) {
  bytes_received_ += count;
  if (count > 0 && staging_.empty()) {
    const std::size_t direct = std::min(count, chunks_.direct_room().size());
    offset_ += direct;
    count -= direct;
    staging_.filled(count);
    KAPOK_TRY(within_budget());
    if (auto message = KAPOK_TRY(chunks_.direct_filled(direct)))
      KAPOK_TRY(handle(*std::move(message)));
  } else {
    staging_.filled(count);
  }
  KAPOK_TRY(parse());
  acknowledge();
  return {};
}

Result<void> RtmpServerSession::receive(MonoTime now, ByteSpan bytes) {
  while (!bytes.empty()) {
    std::size_t count = 0;
    for (const std::span<std::byte> room : read_room()) {
      const std::size_t size = std::min(room.size(), bytes.size());
      if (size > 0) std::memcpy(room.data(), bytes.data(), size);
      bytes = bytes.subspan(size);
      count += size;
      if (size < room.size()) break;
    }
    if (count == 0) return fail(Errc::full, "bytes while the publish key is being checked");
    KAPOK_TRY(received(now, count));
  }
  return {};
}

void RtmpServerSession::take_events(std::vector<ServerEvent>& events) {
  events.clear();
  events.swap(events_);
}

Bytes RtmpServerSession::take_output() {
  return std::exchange(output_, {});
}

Result<void> RtmpServerSession::parse() {
  while (!staging_.empty() && state_ != SessionState::publish_asked &&
         state_ != SessionState::refused) {
    const std::size_t used = KAPOK_TRY(parse_some(staging_.bytes()));
    if (used == 0) break;
  }
  return {};
}

Result<std::size_t> RtmpServerSession::parse_some(ByteSpan bytes) {
  if (!handshake_.done()) {
    const std::size_t used = KAPOK_TRY(handshake_.read(bytes, output_));
    staging_.consume(used);
    offset_ += used;
    if (handshake_.done()) state_ = SessionState::connecting;
    return used;
  }
  ChunkReader::Step step = KAPOK_TRY(chunks_.read(bytes));
  staging_.consume(step.consumed);
  offset_ += step.consumed;
  KAPOK_TRY(within_budget());
  if (step.message) KAPOK_TRY(handle(*std::move(step.message)));
  return step.consumed;
}

Result<void> RtmpServerSession::within_budget() const {
  if (state_ == SessionState::publishing || offset_ - unauthorised_since_ <= kMaxUnauthorisedBytes)
    return {};
  return fail(Errc::limit, "over {} bytes without a publish", kMaxUnauthorisedBytes);
}

Result<void> RtmpServerSession::handle(Message message) {
  switch (message.type) {
    case MessageType::audio:
      handle_media(MediaKind::audio, message.timestamp, std::move(message.payload));
      return {};
    case MessageType::video:
      handle_media(MediaKind::video, message.timestamp, std::move(message.payload));
      return {};
    case MessageType::data_amf0:
      handle_media(MediaKind::script, message.timestamp, std::move(message.payload));
      return {};
    case MessageType::data_amf3:
      // A byte 0 first, then AMF0 that may switch to AMF3.
      if (message.payload.empty()) return fail(Errc::malformed, "empty data message");
      handle_media(MediaKind::script, message.timestamp, message.payload.slice(1));
      return {};
    case MessageType::command_amf0:
      return handle_command(message, message.payload.bytes());
    case MessageType::command_amf3:
      if (message.payload.empty()) return fail(Errc::malformed, "empty command message");
      return handle_command(message, message.payload.bytes().subspan(1));
    case MessageType::aggregate:
      return handle_aggregate(message);
    case MessageType::user_control:
      return handle_user_control(message);
    case MessageType::window_acknowledgement_size: {
      ByteReader in(message.payload.bytes());
      const std::uint32_t window = KAPOK_TRY(in.u32());
      if (window > 0) acknowledge_every_ = window;
      return {};
    }
    case MessageType::set_chunk_size:
    case MessageType::abort:  // both obeyed by the chunk reader
    case MessageType::acknowledgement:
    case MessageType::set_peer_bandwidth:
      return {};
  }
  return {};  // [RTMP 7.1] unknown types are ignored
}

void RtmpServerSession::handle_media(MediaKind kind, std::uint32_t timestamp, Buffer body) {
  // Leftovers around unpublish, and the metadata that some encoders send too early.
  if (state_ != SessionState::publishing) return;
  events_.emplace_back(MediaMessage{kind, timestamp, std::move(body)});
}

Result<void> RtmpServerSession::handle_aggregate(const Message& message) {
  // [RTMP 7.1.6] FLV tags with back pointers; times are relative to the first tag's.
  ByteReader in(message.payload.bytes());
  std::optional<std::uint32_t> first;
  while (in.left() >= 11) {
    const auto type = static_cast<MessageType>(KAPOK_TRY(in.u8()));
    const std::uint32_t size = KAPOK_TRY(in.u24());
    std::uint32_t time = KAPOK_TRY(in.u24());
    time |= static_cast<std::uint32_t>(KAPOK_TRY(in.u8())) << 24;
    KAPOK_TRY(in.u24());
    const std::size_t at = in.offset();
    KAPOK_TRY(in.skip(size));
    if (in.left() >= 4) KAPOK_TRY(in.u32());
    if (!first) first = time;
    Message part{type, message.chunk_stream, message.stream, message.timestamp + (time - *first),
                 message.payload.slice(at, size)};
    if (type == MessageType::audio || type == MessageType::video || type == MessageType::data_amf0)
      KAPOK_TRY(handle(std::move(part)));
  }
  return {};
}

Result<void> RtmpServerSession::handle_user_control(const Message& message) {
  ByteReader in(message.payload.bytes());
  const auto event = static_cast<UserControl>(KAPOK_TRY(in.u16()));
  if (event == UserControl::ping_request && in.left() >= 4)
    write_user_control(output_, UserControl::ping_response, KAPOK_TRY(in.u32()));
  return {};
}

void RtmpServerSession::acknowledge() {
  if (state_ == SessionState::handshake || bytes_received_ - acknowledged_ < acknowledge_every_)
    return;
  acknowledged_ = bytes_received_;
  // [RTMP 5.4.3] the count wraps at 32 bits.
  write_u32_control(output_, MessageType::acknowledgement,
                    static_cast<std::uint32_t>(bytes_received_));
}

}  // namespace kapok::rtmp
