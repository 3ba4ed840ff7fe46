#include "server/picture/protocols/rtmp/client_session.hpp"

#include <utility>

#include "server/picture/protocols/rtmp/chunk_writer.hpp"
#include "server/picture/protocols/rtmp/enhanced.hpp"

namespace kapok::rtmp {

namespace {
using amf::Null;
using amf::Object;
using amf::Value;
// Transaction numbers: answers name the command by them.
constexpr double kConnect = 1;
constexpr double kRelease = 2;
constexpr double kFcPublish = 3;
constexpr double kCreateStream = 4;
constexpr double kPublish = 5;
}  // namespace

RtmpClientSession::RtmpClientSession(ClientTarget target, ClientOptions options)
    : target_(std::move(target)), options_(options) {
  handshake_.start(options_.digest, output_);
}

Result<void> RtmpClientSession::receive(ByteSpan bytes) {
  ByteWriter(pending_).bytes(bytes);
  std::size_t used = 0;
  while (used < pending_.size()) {
    const ByteSpan rest = ByteSpan(pending_).subspan(used);
    if (!handshake_.done()) {
      const std::size_t shaken = KAPOK_TRY(handshake_.read(rest, output_));
      if (shaken == 0) break;
      used += shaken;
      if (handshake_.done()) begin();
      continue;
    }
    ChunkReader::Step step = KAPOK_TRY(chunks_.read(rest));
    if (step.consumed == 0) break;
    used += step.consumed;
    if (step.message) KAPOK_TRY(handle(*step.message));
  }
  pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(used));
  return {};
}

std::vector<ClientEvent> RtmpClientSession::take_events() {
  return std::exchange(events_, {});
}

Bytes RtmpClientSession::take_output() {
  return std::exchange(output_, {});
}

void RtmpClientSession::begin() {
  write_u32_control(output_, MessageType::set_chunk_size, options_.chunk_bytes);
  Object about{{"app", target_.app},
               {"type", "nonprivate"},
               {"flashVer", "FMLE/3.0 (compatible; Kapok)"},
               {"tcUrl", target_.tc_url}};
  if (options_.enhanced)
    for (amf::Property& property : enhanced_capabilities()) about.push_back(std::move(property));
  send_command(0, {"connect", kConnect, std::move(about)});
}

Result<void> RtmpClientSession::handle(const Message& message) {
  if (message.type == MessageType::user_control) {
    ByteReader in(message.payload.bytes());
    if (static_cast<UserControl>(KAPOK_TRY(in.u16())) == UserControl::ping_request)
      write_user_control(output_, UserControl::ping_response, KAPOK_TRY(in.u32()));
    return {};
  }
  if (message.type != MessageType::command_amf0) return {};
  const std::vector<Value> values = KAPOK_TRY(amf::read_amf0(message.payload.bytes()));
  if (values.size() < 2) return fail(Errc::malformed, "a command of {} values", values.size());
  const std::string_view name = values[0].text();
  const double transaction = values[1].number_or(0);
  const Value information = values.size() > 3 ? values[3] : Value();
  const std::string_view code = information["code"].text();

  if (name == "_result" && transaction == kConnect) {
    information_ = information;
    send_command(0, {"releaseStream", kRelease, Null{}, target_.stream_name});
    send_command(0, {"FCPublish", kFcPublish, Null{}, target_.stream_name});
    send_command(0, {"createStream", kCreateStream, Null{}});
  } else if (name == "_result" && transaction == kCreateStream) {
    stream_ = static_cast<std::uint32_t>(information.number_or(1));
    send_command(stream_, {"publish", kPublish, Null{}, target_.stream_name, "live"});
  } else if (name == "onStatus" && code == "NetStream.Publish.Start") {
    publishing_ = true;
    events_.emplace_back(PublishStarted{stream_});
  } else if (name == "onStatus" && code == "NetConnection.Connect.ReconnectRequest") {
    events_.emplace_back(ReconnectAsked{});
  } else if (information["level"].text() == "error" &&
             (name == "onStatus" || transaction == kConnect || transaction == kCreateStream)) {
    publishing_ = false;
    events_.emplace_back(
        PublishRefused{std::string(code), std::string(information["description"].text())});
  }
  return {};
}

void RtmpClientSession::send(MessageType type, std::uint32_t timestamp, ByteSpan body) {
  const std::uint32_t chunk_stream = type == MessageType::audio ? 4 : 6;
  write_message(output_, {type, chunk_stream, stream_, timestamp}, body, options_.chunk_bytes);
}

void RtmpClientSession::unpublish() {
  publishing_ = false;
  send_command(0, {"FCUnpublish", 6, Null{}, target_.stream_name});
  send_command(0, {"deleteStream", 7, Null{}, static_cast<double>(stream_)});
}

void RtmpClientSession::publish_again() {
  send_command(0, {"createStream", kCreateStream, Null{}});
}

void RtmpClientSession::send_command(std::uint32_t stream, const std::vector<Value>& values) {
  Bytes body;
  for (const Value& value : values) amf::write_amf0(body, value);
  write_message(output_, {MessageType::command_amf0, 3, stream, 0}, body, options_.chunk_bytes);
}

}  // namespace kapok::rtmp
