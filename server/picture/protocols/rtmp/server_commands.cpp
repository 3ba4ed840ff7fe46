// The commands of NetConnection and NetStream as a publisher uses them. [RTMP 1.0, 7.2]
#include <algorithm>
#include <string>
#include <utility>

#include "server/picture/protocols/rtmp/chunk_writer.hpp"
#include "server/picture/protocols/rtmp/enhanced.hpp"
#include "server/picture/protocols/rtmp/server_session.hpp"

namespace kapok::rtmp {

namespace {
constexpr std::uint32_t kWindow = 5'000'000;  // how often a client acknowledges; we send little
constexpr std::uint32_t kOutputChunkBytes = 4096;
constexpr std::uint32_t kMaxStreams = 8;     // a publisher needs one
constexpr std::size_t kMaxShownBytes = 200;  // of names that peers give themselves, for logs

using amf::Null;
using amf::Object;
using amf::Value;

const Value& at(const std::vector<Value>& values, std::size_t index) {
  static const Value undefined;
  return index < values.size() ? values[index] : undefined;
}
}  // namespace

Result<void> RtmpServerSession::handle_command(const Message& message, ByteSpan body) {
  auto read = amf::read_amf0(body);
  if (!read) return std::unexpected(std::move(read).error().within("command"));
  const Arguments& arguments = *read;
  const std::string_view name = at(arguments, 0).text();
  const double transaction = at(arguments, 1).number_or(0);

  if (name == "connect") return on_connect(transaction, arguments);
  if (state_ == SessionState::connecting)
    return fail(Errc::malformed, "a command other than connect comes first");
  if (name == "createStream") {
    on_create_stream(transaction);
    return {};
  }
  if (name == "publish") return on_publish(message.stream, arguments);
  if (name == "FCPublish") {
    send_command(0, {"onFCPublish", 0, Null{}, Object{{"code", "NetStream.Publish.Start"}}});
    return {};
  }
  if (name == "FCUnpublish") {
    on_stream_ended();
    send_command(0, {"onFCUnpublish", 0, Null{}, Object{{"code", "NetStream.Unpublish.Success"}}});
    return {};
  }
  if (name == "deleteStream" || name == "closeStream" || name == "unpublish" || name == "close") {
    on_stream_ended();
    return {};
  }
  if (name == "releaseStream" || name == "_checkbw") {
    if (transaction != 0) send_command(0, {"_result", transaction, Null{}, Value()});
    return {};
  }
  if (name == "play" || name == "play2") {
    refuse("this server takes publishers here; watch over HTTP");
    send_status(message.stream, "error", "NetStream.Play.Failed", refusal_);
    return {};
  }
  if (name == "_result" || name == "_error" || name == "onStatus" || transaction == 0) return {};
  send_command(0, {"_error", transaction, Null{},
                   Object{{"level", "error"},
                          {"code", "NetConnection.Call.Failed"},
                          {"description", "no such method"}}});
  return {};
}

Result<void> RtmpServerSession::on_connect(double transaction, const Arguments& arguments) {
  if (state_ != SessionState::connecting) return fail(Errc::malformed, "a second connect");
  const Value& asked = at(arguments, 2);
  app_ = asked["app"].text();
  tc_url_ = asked["tcUrl"].text();
  encoder_ = asked["flashVer"].text().substr(0, kMaxShownBytes);
  client_caps_ = static_cast<std::uint32_t>(std::clamp(asked["capsEx"].number_or(0), 0.0, 255.0));

  // First of all: every answer below is cut to this size.
  write_u32_control(output_, MessageType::set_chunk_size, kOutputChunkBytes);
  if (application_of(app_) != options_.application) {
    refuse("the address must be rtmp://<host>/" + options_.application + "/<channel>?key=<key>");
    send_command(0, {"_error", transaction, Null{},
                     Object{{"level", "error"},
                            {"code", "NetConnection.Connect.InvalidApp"},
                            {"description", refusal_}}});
    return {};
  }
  write_u32_control(output_, MessageType::window_acknowledgement_size, kWindow);
  write_peer_bandwidth(output_, kWindow);
  Object information{{"level", "status"},
                     {"code", "NetConnection.Connect.Success"},
                     {"description", "Connection succeeded."},
                     {"objectEncoding", asked["objectEncoding"].number_or(0)}};
  for (amf::Property& property : enhanced_capabilities())
    information.push_back(std::move(property));
  // fmsVer and capabilities: old clients refuse a server that does not give them.
  send_command(0, {"_result", transaction,
                   Object{{"fmsVer", "FMS/3,5,7,7009"}, {"capabilities", 31}, {"mode", 1}},
                   std::move(information)});
  write_user_control(output_, UserControl::stream_begin, 0);
  state_ = SessionState::connected;
  return {};
}

void RtmpServerSession::on_create_stream(double transaction) {
  if (streams_created_ >= kMaxStreams) {
    send_command(0, {"_error", transaction, Null{},
                     Object{{"level", "error"},
                            {"code", "NetConnection.Call.Failed"},
                            {"description", "too many streams"}}});
    return;
  }
  send_command(0, {"_result", transaction, Null{}, static_cast<double>(++streams_created_)});
}

Result<void> RtmpServerSession::on_publish(std::uint32_t stream, const Arguments& arguments) {
  if (state_ != SessionState::connected)
    return fail(Errc::malformed, "a publish inside another publish");
  publish_stream_ = stream;
  auto target = parse_publish_target({app_, tc_url_, at(arguments, 3).text()});
  if (!target) {
    refuse_publish("BadName", target.error().message);
    return {};
  }
  state_ = SessionState::publish_asked;
  events_.emplace_back(PublishAsked{*std::move(target), encoder_});
  return {};
}

void RtmpServerSession::grant_publish() {
  state_ = SessionState::publishing;
  chunks_.limit_messages(kMaxMessageBytes);
  staging_.grow(kLargeStagingBytes);
  write_user_control(output_, UserControl::stream_begin, publish_stream_);
  send_status(publish_stream_, "status", "NetStream.Publish.Start", "publishing");
}

void RtmpServerSession::refuse_publish(std::string_view code, std::string_view description) {
  refuse(description);
  send_status(publish_stream_, "error", "NetStream.Publish." + std::string(code), refusal_);
}

void RtmpServerSession::refuse(std::string_view description) {
  refusal_ = description;
  state_ = SessionState::refused;
}

void RtmpServerSession::end_publish(std::string_view description) {
  if (state_ == SessionState::publishing) refuse_publish("Rejected", description);
}

bool RtmpServerSession::request_reconnect(std::string_view description) {
  if ((client_caps_ & kCapsReconnect) == 0) return false;
  send_status(0, "status", "NetConnection.Connect.ReconnectRequest", description);
  return true;
}

void RtmpServerSession::on_stream_ended() {
  if (state_ != SessionState::publishing) return;  // FCUnpublish and deleteStream both come
  state_ = SessionState::connected;
  unauthorised_since_ = offset_;
  chunks_.limit_messages(kMaxUnauthorisedBytes);
  send_status(publish_stream_, "status", "NetStream.Unpublish.Success", "unpublished");
  events_.emplace_back(PublishEnded{});
}

void RtmpServerSession::send_command(std::uint32_t stream, const std::vector<Value>& values) {
  Bytes body;
  for (const Value& value : values) amf::write_amf0(body, value);
  write_message(output_, {MessageType::command_amf0, stream == 0 ? 3u : 5u, stream, 0}, body,
                kOutputChunkBytes);
}

void RtmpServerSession::send_status(std::uint32_t stream, std::string_view level,
                                    std::string_view code, std::string_view description) {
  send_command(stream, {"onStatus", 0, Null{},
                        Object{{"level", level}, {"code", code}, {"description", description}}});
}

}  // namespace kapok::rtmp
