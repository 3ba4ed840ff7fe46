#include <gtest/gtest.h>

#include "server/picture/protocols/rtmp/chunk_writer.hpp"
#include "server/picture/protocols/rtmp/client_session.hpp"
#include "server/picture/protocols/rtmp/server_session.hpp"

namespace kapok::rtmp {
namespace {

const MonoTime kNow{};

// A client and a server that talk until neither has anything to say.
struct Pair {
  explicit Pair(ClientTarget target, ClientOptions options = {})
      : client(std::move(target), options) {}

  Result<void> talk() {
    while (true) {
      const Bytes up = client.take_output();
      if (!up.empty()) KAPOK_TRY(server.receive(kNow, up));
      std::vector<ServerEvent> fresh;
      server.take_events(fresh);
      for (ServerEvent& event : fresh) events.push_back(std::move(event));
      const Bytes down = server.take_output();
      if (!down.empty()) KAPOK_TRY(client.receive(down));
      for (ClientEvent& event : client.take_events()) client_events.push_back(std::move(event));
      if (up.empty() && down.empty()) return {};
    }
  }
  Result<void> publish() {
    KAPOK_TRY(talk());
    server.grant_publish();
    return talk();
  }

  RtmpServerSession server;
  RtmpClientSession client;
  std::vector<ServerEvent> events;
  std::vector<ClientEvent> client_events;
};

ClientTarget demo() {
  return {"live", "rtmp://localhost/live", "demo?key=k1"};
}

TEST(RtmpSession, PublishesWithEveryHandshake) {
  for (const DigestScheme digest :
       {DigestScheme::none, DigestScheme::schema0, DigestScheme::schema1}) {
    ClientOptions options;
    options.digest = digest;
    options.enhanced = true;
    Pair pair(demo(), options);
    const auto talked = pair.talk();
    ASSERT_TRUE(talked) << talked.error().message;
    ASSERT_EQ(pair.events.size(), 1u);
    const auto& asked = std::get<PublishAsked>(pair.events[0]);
    EXPECT_EQ(asked.target.channel, "demo");
    EXPECT_EQ(asked.target.key, "k1");
    EXPECT_EQ(asked.encoder, "FMLE/3.0 (compatible; Kapok)");
    EXPECT_EQ(pair.server.state(), SessionState::publish_asked);
    EXPECT_FALSE(pair.client.publishing());
    pair.server.grant_publish();
    ASSERT_TRUE(pair.talk());
    EXPECT_TRUE(pair.client.publishing());
    EXPECT_TRUE(pair.server.request_reconnect("draining"));
    ASSERT_TRUE(pair.talk());
    EXPECT_TRUE(std::holds_alternative<ReconnectAsked>(pair.client_events.back()));
  }
}

TEST(RtmpSession, AnswersConnectWithEnhancedCapabilities) {
  Pair pair(demo());
  ASSERT_TRUE(pair.publish());
  const amf::Value& information = pair.client.server_information();
  EXPECT_EQ(information["code"].text(), "NetConnection.Connect.Success");
  EXPECT_EQ(information["capsEx"].number_or(0), 15);
  EXPECT_EQ(information["videoFourCcInfoMap"]["hvc1"].number_or(0), 4);
  EXPECT_FALSE(pair.server.request_reconnect("draining"));  // this client announced nothing
}

TEST(RtmpSession, MediaArrivesInOrderAndWhole) {
  Pair pair(demo());
  ASSERT_TRUE(pair.publish());
  const Bytes frame(200'000, std::byte{0x42});
  pair.client.send(MessageType::video, 40, frame);
  pair.client.send(MessageType::audio, 41, as_bytes("sound"));
  pair.client.send(MessageType::data_amf0, 0, as_bytes("meta"));
  pair.client.unpublish();
  pair.events.clear();
  ASSERT_TRUE(pair.talk());
  ASSERT_EQ(pair.events.size(), 4u);
  const auto& video = std::get<MediaMessage>(pair.events[0]);
  EXPECT_EQ(video.kind, MediaKind::video);
  EXPECT_EQ(video.timestamp, 40u);
  EXPECT_TRUE(std::ranges::equal(video.body.bytes(), frame));
  EXPECT_EQ(std::get<MediaMessage>(pair.events[1]).body.text(), "sound");
  EXPECT_EQ(std::get<MediaMessage>(pair.events[2]).kind, MediaKind::script);
  EXPECT_TRUE(std::holds_alternative<PublishEnded>(pair.events[3]));
  EXPECT_EQ(pair.server.state(), SessionState::connected);
}

TEST(RtmpSession, NothingIsTakenWhileTheKeyIsBeingChecked) {
  Pair pair(demo());
  ASSERT_TRUE(pair.talk());
  // A hasty client: media right behind its publish.
  pair.client.send(MessageType::audio, 0, as_bytes("early"));
  ASSERT_TRUE(pair.talk());
  EXPECT_EQ(pair.events.size(), 1u);
  pair.server.grant_publish();
  ASSERT_TRUE(pair.server.received(kNow, 0));
  ASSERT_TRUE(pair.talk());
  ASSERT_EQ(pair.events.size(), 2u);
  EXPECT_EQ(std::get<MediaMessage>(pair.events[1]).body.text(), "early");
}

TEST(RtmpSession, ARefusalTellsTheEncoderWhy) {
  Pair pair(demo());
  ASSERT_TRUE(pair.talk());
  pair.server.refuse_publish("BadName", "demo is being published by another encoder");
  ASSERT_TRUE(pair.talk());
  ASSERT_EQ(pair.client_events.size(), 1u);
  const auto& refused = std::get<PublishRefused>(pair.client_events[0]);
  EXPECT_EQ(refused.code, "NetStream.Publish.BadName");
  EXPECT_EQ(refused.description, "demo is being published by another encoder");
  EXPECT_EQ(pair.server.state(), SessionState::refused);
}

TEST(RtmpSession, AnotherApplicationIsRefusedAtConnect) {
  Pair pair({"vod", "rtmp://localhost/vod", "demo?key=k1"});
  ASSERT_TRUE(pair.talk());
  ASSERT_EQ(pair.client_events.size(), 1u);
  EXPECT_EQ(std::get<PublishRefused>(pair.client_events[0]).code,
            "NetConnection.Connect.InvalidApp");
  EXPECT_EQ(pair.server.refusal(), "the address must be rtmp://<host>/live/<channel>?key=<key>");
}

TEST(RtmpSession, WithoutAPublishTheBudgetEnds) {
  Pair pair(demo());
  ASSERT_TRUE(pair.talk());
  RtmpServerSession server;
  Bytes flood;
  ClientHandshake handshake;
  handshake.start(DigestScheme::none, flood);
  flood.resize(1 + 2 * kHandshakeBytes);  // C2 of zeros
  while (flood.size() < 2 * kMaxUnauthorisedBytes)
    write_user_control(flood, UserControl::ping_request, 7);
  const auto outcome = server.receive(kNow, flood);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, Errc::limit);
  EXPECT_LE(server.offset(), kMaxUnauthorisedBytes + 32);
}

TEST(RtmpSession, AcknowledgesEveryWindow) {
  Pair pair(demo());
  ASSERT_TRUE(pair.publish());
  Bytes wire;
  write_u32_control(wire, MessageType::window_acknowledgement_size, 1000);
  ASSERT_TRUE(pair.server.receive(kNow, wire));
  const Bytes output = pair.server.take_output();
  ASSERT_EQ(output.size(), 16u);
  EXPECT_EQ(std::to_integer<int>(output[7]), 3);
}

TEST(RtmpSession, OtherProtocolsAreNamed) {
  RtmpServerSession tls;
  const auto hello = tls.receive(kNow, as_bytes("\x16\x03\x01"));
  ASSERT_FALSE(hello);
  EXPECT_NE(hello.error().message.find("rtmps"), std::string::npos);
  RtmpServerSession http;
  ASSERT_FALSE(http.receive(kNow, as_bytes("GET / HTTP/1.1\r\n")));
}

TEST(RtmpSession, AggregatesAreTakenApart) {
  Pair pair(demo());
  ASSERT_TRUE(pair.publish());
  Bytes body;
  ByteWriter out(body);
  for (const int time : {500, 520}) {
    out.u8(8), out.u24(2), out.u24(static_cast<std::uint32_t>(time)), out.u8(0), out.u24(0);
    out.text("ab"), out.u32(13);
  }
  Bytes wire;
  write_message(wire, {MessageType::aggregate, 6, 1, 1000}, body, 60'000);
  pair.events.clear();
  ASSERT_TRUE(pair.server.receive(kNow, wire));
  ASSERT_TRUE(pair.talk());
  ASSERT_EQ(pair.events.size(), 2u);
  EXPECT_EQ(std::get<MediaMessage>(pair.events[1]).timestamp, 1020u);
  EXPECT_EQ(std::get<MediaMessage>(pair.events[1]).body.text(), "ab");
}

TEST(PublishTarget, KeyInNameAppOrUrlOrAsTheName) {
  const auto parse = [](PublishAddress address) {
    auto target = parse_publish_target(address);
    return target ? target->channel + "|" + target->key : "refused";
  };
  EXPECT_EQ(parse({"live", "", "demo?key=a%2Bb&x=1"}), "demo|a+b");
  EXPECT_EQ(parse({"live?x=1&key=abc", "", "demo"}), "demo|abc");
  EXPECT_EQ(parse({"live", "rtmp://h/live?key=abc", "demo"}), "demo|abc");
  EXPECT_EQ(parse({"live", "rtmp://h/live", "3f2a90"}), "|3f2a90");
  EXPECT_EQ(parse({"live", "", "../etc?key=abc"}), "refused");
  EXPECT_EQ(parse({"live", "", "demo?key="}), "refused");
  EXPECT_EQ(parse({"live", "", "demo?key=%zz"}), "refused");
  EXPECT_EQ(parse({"live", "", ""}), "refused");
  EXPECT_EQ(application_of("/live/?key=1"), "live");
}

}  // namespace
}  // namespace kapok::rtmp
