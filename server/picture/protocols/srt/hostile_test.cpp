// What a hostile peer, or somebody who pretends to be one, cannot do.
#include <gtest/gtest.h>

#include "server/picture/protocols/srt/handshake.hpp"
#include "server/picture/protocols/srt/link.hpp"
#include "server/picture/protocols/srt/simulated_network_test.hpp"

namespace kapok::srt {
namespace {

constexpr MonoTime kStart{seconds(1'000)};
const PeerAddress kPeer = address(1, 5000);

Bytes control(ControlType type, std::uint32_t word1, std::initializer_list<std::uint32_t> body,
              SocketId to = 5) {
  Bytes bytes;
  ByteWriter out(bytes);
  out.u32(0x8000'0000U | static_cast<std::uint32_t>(type) << 16);
  out.u32(word1);
  out.u32(0);
  out.u32(to);
  for (const std::uint32_t word : body) out.u32(word);
  return bytes;
}
Bytes data(std::uint32_t sequence, std::uint32_t word = 0xC000'0001U, std::size_t size = 100,
           SocketId to = 5) {
  Bytes bytes;
  ByteWriter out(bytes);
  out.u32(sequence);
  out.u32(word);
  out.u32(0);
  out.u32(to);
  out.zeros(size);
  return bytes;
}

struct Target : ::testing::Test {
  static Negotiated settled() {
    Negotiated made;
    made.peer = kPeer;
    made.own_id = 5;
    made.peer_id = 6;
    made.first_sent = Sequence(1'000);
    made.first_received = Sequence(1'000);
    made.own_start = made.peer_start = kStart;
    made.peer_window_packets = 100;
    return made;
  }
  void receive(Bytes datagram, PeerAddress from = kPeer) {
    out.clear();
    connection.receive(now, from, Buffer(std::move(datagram)), out);
  }
  LinkStats stats() { return connection.stats(now); }

  MonoTime now = kStart;
  Connection connection{kStart, settled()};
  Output out;
};

TEST_F(Target, AnotherAddressIsNotListenedTo) {
  receive(control(ControlType::shutdown, 0, {0}), address(1, 5001));
  receive(control(ControlType::shutdown, 0, {0}), address(2, 5000));
  receive(control(ControlType::shutdown, 0, {0}, 4));
  connection.advance(now, out);
  EXPECT_FALSE(connection.closed());
  receive(data(1'000), address(2, 5000));
  EXPECT_EQ(stats().packets_received, 0U);
  EXPECT_EQ(stats().packets_refused, 4U);
  receive(control(ControlType::shutdown, 0, {0}));
  EXPECT_TRUE(connection.closed());
}

TEST_F(Target, AStrangersDatagramsDoNotKeepTheLinkAlive) {
  for (int i = 0; i < 60; ++i) {
    now += milliseconds(100);
    receive(control(ControlType::keep_alive, 0, {}), address(2, 5000));
    connection.advance(now, out);
  }
  ASSERT_EQ(out.events.size(), 0U);
  EXPECT_TRUE(connection.closed());
}

TEST_F(Target, DropRequestsOfAnySizeCostNothing) {
  receive(data(1'000));
  for (int i = 0; i < 100'000; ++i) {
    receive(control(ControlType::drop_request, 0, {0, 0x7FFF'FFFF}));
    receive(control(ControlType::drop_request, 0, {5'000, 10}));
    receive(control(ControlType::drop_request, 0, {900, 0x3FFF'FFFF}));
    receive(control(ControlType::drop_request, 0, {0x8000'0000, 0xFFFF'FFFF}));
    receive(control(ControlType::drop_request, 0, {1}));
  }
  receive(data(1'001));
  now += milliseconds(500);
  connection.advance(now, out);
  EXPECT_EQ(std::ranges::count_if(
                out.events, [](const Event& e) { return std::holds_alternative<Message>(e); }),
            2);
}

TEST_F(Target, LossReportsCannotMultiply) {
  for (int i = 0; i < 90; ++i) ASSERT_TRUE(connection.send(now, Buffer(Bytes(100))));
  connection.advance(now, out);
  EXPECT_EQ(out.datagrams.size(), 90U);
  // The whole flight three hundred times over in one report: each once.
  Bytes report = control(ControlType::nak, 0, {});
  for (int i = 0; i < 150; ++i) {
    ByteWriter(report).u32(0x8000'0000U | 1'000U);
    ByteWriter(report).u32(1'089U);
  }
  receive(report);
  EXPECT_EQ(out.datagrams.size(), 90U);
  // Reversed, beyond what was sent, cut short, and long gone.
  receive(control(ControlType::nak, 0, {0x8000'0000U | 1'050U, 1'010U}));
  receive(control(ControlType::nak, 0, {0x8000'0000U | 5'000U, 0x3000'0000U}));
  receive(control(ControlType::nak, 0, {0x8000'0000U | 1'000U}));
  receive(control(ControlType::nak, 0, {}));
  EXPECT_TRUE(out.datagrams.empty());
  receive(control(ControlType::nak, 0, {0x8000'0000U | 10U, 20U}));
  ASSERT_EQ(out.datagrams.size(), 1U);  // a drop request for just these
  EXPECT_EQ(load_u32(out.datagrams[0].head.data() + 16), 10U);
  EXPECT_EQ(load_u32(out.datagrams[0].head.data() + 20), 20U);
}

TEST_F(Target, AnAcknowledgementOfWhatWasNeverSentIsRefused) {
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(connection.send(now, Buffer(Bytes(100))));
  connection.advance(now, out);
  receive(control(ControlType::ack, 1, {1'011, 100, 100, 0xFFFF'FFFF}));
  receive(control(ControlType::ack, 1, {0xFFFF'FFFF}));
  receive(control(ControlType::ack, 1, {}));
  EXPECT_EQ(stats().flight_packets, 10U);
  EXPECT_EQ(stats().acks_received, 0U);
  receive(control(ControlType::ack, 1, {1'010, 0xFFFF'FFFF, 0xFFFF'FFFF, 0}));
  EXPECT_EQ(stats().flight_packets, 0U);
  // An absurd round trip is not believed, a closed window opens again.
  EXPECT_LT(stats().rtt, seconds(1));
  ASSERT_TRUE(connection.send(now, Buffer(Bytes(100))));
  connection.advance(now, out);
  EXPECT_EQ(stats().flight_packets, 1U);
}

TEST_F(Target, SequenceNumbersFromFarAwayAreNotBelieved) {
  receive(data(1'000));
  receive(data(0x4000'0000));
  receive(data(0x7FFF'FFFF));
  receive(data(1'001));
  now += milliseconds(500);
  connection.advance(now, out);
  EXPECT_EQ(stats().packets_dropped, 0U);
  EXPECT_EQ(out.events.size(), 2U);
}

TEST_F(Target, EmptyOversizedAndUnaskedPacketsAreRefused) {
  receive(data(1'000, 0xC000'0001, 0));
  receive(data(1'000, 0xC000'0001, 1'457));
  receive(Bytes(15));
  receive({});
  EXPECT_EQ(stats().packets_refused, 4U);
  // Encrypted, though nobody agreed on a key.
  receive(data(1'000, 0xC800'0001));
  EXPECT_EQ(stats().packets_undecrypted, 1U);
  receive(control(ControlType::user, 0, {1, 2, 3, 4}));
  receive(control(static_cast<ControlType>(0x1234), 0, {1, 2, 3, 4}));
  receive(control(ControlType::handshake, 0, {1, 2, 3, 4}));
  EXPECT_TRUE(out.datagrams.empty());
}

TEST_F(Target, ForgedRoundTripsNeedTheNumberOfAnAcknowledgementUnderWay) {
  receive(data(1'000));
  now += milliseconds(10);
  out.clear();
  connection.advance(now, out);
  for (const std::uint32_t number : {0U, 2U, 257U, 0xFFFF'FFFFU})
    receive(control(ControlType::ackack, number, {}));
  EXPECT_EQ(stats().rtt, milliseconds(100));
  now += milliseconds(30);
  receive(control(ControlType::ackack, 1, {}));
  EXPECT_EQ(stats().rtt, milliseconds(30));
}

TEST(SrtHostile, NothingInClearPassesASecuredLink) {
  SimulatedCall::Setup setup;
  setup.caller.encryption.passphrase = setup.listener.encryption.passphrase = "ten letters";
  SimulatedCall call(setup);
  ASSERT_TRUE(call.connect());
  call.stream(100, milliseconds(1));
  const std::uint64_t refused = call.near->stats(call.now).packets_refused;
  Bytes clear = data(0, 0xC000'0001, 1'316, call.near->socket_id());
  // A number that fits: seen on the wire.
  for (std::uint32_t ahead = 0; ahead < 1'000; ++ahead) {
    Output out;
    ASSERT_TRUE(call.far->send(call.far_now(), numbered(1)));
    call.far->advance(call.far_now(), out);
    if (out.datagrams.empty()) continue;
    std::ranges::copy(out.datagrams.back().head_bytes().first(4), clear.begin());
    call.near->receive(call.now, address(1, 5000), Buffer::copy_of(clear), call.near_out);
    break;
  }
  EXPECT_EQ(call.near->stats(call.now).packets_refused, refused + 1);
  // A key request of nonsense changes nothing: what is sent afterwards is read.
  for (std::size_t size = 0; size < 200; size += 4) {
    Bytes request = control(ControlType::user, 0, {}, call.near->socket_id());
    request[3] = std::byte{3};
    request.resize(request.size() + size, std::byte{0x12});
    call.near->receive(call.now, address(1, 5000), Buffer(std::move(request)), call.near_out);
  }
  const auto before = call.at_near.numbers.size();
  call.next_number = 0;
  call.stream(200, milliseconds(1));
  EXPECT_GE(call.at_near.numbers.size(), before + 200);
  EXPECT_EQ(call.near->stats(call.now).packets_undecrypted, 0U);
}

TEST(SrtHostile, AHundredThousandMutatedDatagramsDoNotDisturbAConnection) {
  SimulatedCall::Setup setup;
  setup.weather = {.loss = 0.01, .delay = milliseconds(10)};
  setup.caller.latency = setup.listener.latency = milliseconds(300);
  SimulatedCall call(setup);
  ASSERT_TRUE(call.connect());
  // The attacker has an address and a connection of its own, and has read handshakes and all kinds
  // of control packets. It also sends to socket ids that are not its own.
  Negotiated own = Target::settled();
  own.peer = address(9, 666);
  own.own_id = 666;
  std::optional<Connection> attacked;
  attacked.emplace(call.now, std::move(own));
  std::vector<Bytes> seeds{
      data(1'000, 0xC000'0001, 200, 666),
      control(ControlType::ack, 1, {1'000, 10, 10, 100, 1, 1, 1}, 666),
      control(ControlType::nak, 0, {0x8000'03E8, 1'010, 1'020}, 666),
      control(ControlType::drop_request, 0, {1'000, 1'010}, 666),
      control(ControlType::ackack, 1, {}, 666),
      control(ControlType::keep_alive, 0, {}, 666),
      control(ControlType::user, 3, {0x1220'2900, 0, 0x0200'0200, 0x0404}, 666)};
  Handshake handshake;
  handshake.socket_id = 667;
  handshake.window_packets = 100;
  for (const auto type : {HandshakeType::induction, HandshakeType::conclusion}) {
    handshake.type = static_cast<std::uint32_t>(type);
    handshake.cookie = CookieJar(CookieSecret{}).bake(call.now, address(9, 666));
    seeds.push_back(handshake_datagram({{}, 0, 0}, handshake,
                                       {.request = HandshakeExtension{},
                                        .response = {},
                                        .key_request = {},
                                        .key_response = {},
                                        .stream_id = "x",
                                        .congestion = {},
                                        .filter = {},
                                        .group = {}}));
  }
  std::mt19937 random(7);
  Output answers;
  std::uint64_t handed_in = 0;
  const auto attack = [&] {
    for (int i = 0; i < 50; ++i, ++handed_in) {
      Bytes bytes = seeds[random() % seeds.size()];
      for (auto changes = random() % 6; changes-- > 0;)
        bytes[random() % bytes.size()] = static_cast<std::byte>(random());
      if (random() % 8 == 0) bytes.resize(random() % (bytes.size() + 40));
      const std::size_t size = bytes.size();
      answers.clear();
      const SocketId to = destination_of(bytes);
      const PeerAddress from = address(9, 666);
      if (to == 0) {
        (void)call.listener.receive(call.now, from, bytes, answers);
        std::size_t answered = 0;
        for (const Datagram& answer : answers.datagrams) answered += answer.size();
        ASSERT_LE(answered, size);
      } else if (random() % 4 == 0) {
        call.near->receive(call.now, from, Buffer(std::move(bytes)), answers);
        ASSERT_TRUE(answers.datagrams.empty());
      } else {
        attacked->receive(call.now, from, Buffer(std::move(bytes)), answers);
        attacked->advance(call.now, answers);
        if (attacked->closed()) {
          Negotiated again = Target::settled();
          again.peer = from;
          again.own_id = 666;
          attacked.emplace(call.now, std::move(again));
        }
      }
    }
  };
  for (std::uint32_t i = 0; i < 2'000; ++i) {
    ASSERT_TRUE(call.far->send(call.far_now(), numbered(i)));
    call.step();
    attack();
  }
  call.run(seconds(2));
  EXPECT_EQ(handed_in, 100'000U);
  EXPECT_EQ(call.at_near.numbers, counted(2'000));
  EXPECT_FALSE(call.at_near.closed);
}

}  // namespace
}  // namespace kapok::srt
