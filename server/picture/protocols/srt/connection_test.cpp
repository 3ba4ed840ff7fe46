#include "server/picture/protocols/srt/connection.hpp"

#include <gtest/gtest.h>

#include "server/picture/protocols/srt/negotiated.hpp"
#include "server/picture/protocols/srt/simulated_network_test.hpp"

namespace kapok::srt {
namespace {

SimulatedCall::Setup with(Weather weather, milliseconds latency = milliseconds(300)) {
  SimulatedCall::Setup setup;
  setup.weather = weather;
  setup.caller.latency = latency;
  setup.listener.latency = latency;
  return setup;
}

TEST(SrtConnection, CallerAndListenerAgree) {
  SimulatedCall call(with({}));
  call.setup.listener.latency = milliseconds(120);
  ASSERT_TRUE(call.connect());
  ASSERT_TRUE(call.asked);
  EXPECT_EQ(call.asked->stream_id, "publish:test");
  EXPECT_EQ(call.asked->peer, address(1, 5000));
  EXPECT_FALSE(call.asked->encrypted);
  EXPECT_EQ(call.near->stats(call.now).receive_latency, milliseconds(300));
  EXPECT_EQ(call.far->stats(call.now).send_latency, milliseconds(300));
}

TEST(SrtConnection, DeliversEverythingInOrderAndInTime) {
  SimulatedCall call(with({.delay = milliseconds(20)}));
  ASSERT_TRUE(call.connect());
  call.stream(2'000, milliseconds(1));
  EXPECT_EQ(call.at_near.numbers, counted(2'000));
  EXPECT_EQ(call.at_near.gap_packets, 0U);
  // Constant delay: latency plus the way, within a delivery step.
  for (std::size_t i = 0; i < call.at_near.at.size(); ++i) {
    const auto delay = call.at_near.at[i] - call.at_near.source_at[i];
    EXPECT_GE(delay, milliseconds(300));
    EXPECT_LE(delay, milliseconds(310));
  }
}

TEST(SrtConnection, CarriesDataBothWays) {
  SimulatedCall call(with({}));
  ASSERT_TRUE(call.connect());
  for (std::uint32_t i = 0; i < 500; ++i) {
    ASSERT_TRUE(call.near->send(call.now, numbered(i)));
    call.step();
  }
  call.stream(500, milliseconds(1));
  EXPECT_EQ(call.at_far.numbers, counted(500));
  EXPECT_EQ(call.at_near.numbers, counted(500));
}

TEST(SrtConnection, RecoversLossBurstsJitterAndDuplicates) {
  SimulatedCall call(with({.loss = 0.05,
                           .duplicate = 0.01,
                           .delay = milliseconds(20),
                           .jitter = milliseconds(10),
                           .burst = 0.1,
                           .burst_packets = 20},
                          milliseconds(500)));
  // Twenty control packets in a row are 200 ms of silence: another test's matter.
  call.to_caller.weather.burst = 0;
  ASSERT_TRUE(call.connect());
  call.stream(20'000, microseconds(500));
  EXPECT_EQ(call.at_near.numbers, counted(20'000));
  const LinkStats stats = call.near->stats(call.now);
  EXPECT_GT(stats.packets_lost, 1'000U);
  EXPECT_LT(stats.packets_lost, 2 * call.to_listener.lost);
  EXPECT_EQ(stats.packets_dropped, 0U);
  const LinkStats sender = call.far->stats(call.now);
  EXPECT_GT(sender.packets_retransmitted, 500U);
  // Not more than what was lost and what the network made of the reports.
  EXPECT_LT(sender.packets_retransmitted, 4 * call.to_listener.lost);
}

TEST(SrtConnection, EncryptedLinkRecoversToo) {
  for (const CipherMode mode : {CipherMode::ctr, CipherMode::gcm}) {
    auto setup = with({.loss = 0.05, .delay = milliseconds(20)}, milliseconds(500));
    setup.caller.encryption = {.passphrase = "ten letters", .mode = mode, .key_bytes = 32};
    setup.listener.encryption.passphrase = "ten letters";
    SimulatedCall call(setup);
    ASSERT_TRUE(call.connect());
    EXPECT_TRUE(call.asked->encrypted);
    call.stream(3'000, milliseconds(1));
    EXPECT_EQ(call.at_near.numbers, counted(3'000));
    EXPECT_EQ(call.near->stats(call.now).encryption,
              mode == CipherMode::ctr ? "aes-ctr-256" : "aes-gcm-256");
  }
}

// A slow feed on a short way has one packet under way at a time: whatever is counted wrongly for
// each of them shows soon.
TEST(SrtConnection, WhatEncryptionAddsToAPacketLeavesTheSendBufferWithIt) {
  for (const CipherMode mode : {CipherMode::ctr, CipherMode::gcm}) {
    auto setup = with({.delay = milliseconds(1)});
    setup.caller.encryption = {.passphrase = "ten letters", .mode = mode};
    setup.listener.encryption.passphrase = "ten letters";
    SimulatedCall call(setup);
    ASSERT_TRUE(call.connect());
    call.stream(1'000, milliseconds(20));
    EXPECT_EQ(call.at_near.numbers, counted(1'000));
  }
}

TEST(SrtConnection, FilterMendsLossesWithoutRetransmission) {
  auto setup = with({.delay = milliseconds(20)});
  setup.caller.filter = "fec,cols:10,rows:1,arq:never";
  SimulatedCall call(setup);
  ASSERT_TRUE(call.connect());
  call.to_listener.weather.loss = 0.01;
  call.stream(5'000, milliseconds(1));
  const LinkStats stats = call.near->stats(call.now);
  EXPECT_GT(stats.packets_recovered_by_fec, 20U);
  EXPECT_EQ(stats.naks_sent, 0U);
  EXPECT_EQ(call.far->stats(call.now).packets_retransmitted, 0U);
  EXPECT_EQ(call.at_near.numbers.size() + call.at_near.gap_packets, 5'000U);
  EXPECT_LT(call.at_near.gap_packets, 20U);
}

// GCM authenticates the message number, which parity does not cover.
TEST(SrtConnection, FilterMendsAnEncryptedLink) {
  for (const CipherMode mode : {CipherMode::ctr, CipherMode::gcm}) {
    auto setup = with({.delay = milliseconds(20)});
    setup.caller.filter = "fec,cols:10,rows:1,arq:never";
    setup.caller.encryption = {.passphrase = "ten letters", .mode = mode, .key_bytes = 16};
    setup.listener.encryption.passphrase = "ten letters";
    SimulatedCall call(setup);
    ASSERT_TRUE(call.connect());
    call.to_listener.weather.loss = 0.01;
    call.stream(5'000, milliseconds(1));
    const LinkStats stats = call.near->stats(call.now);
    EXPECT_GT(stats.packets_recovered_by_fec, 20U);
    EXPECT_EQ(stats.packets_undecrypted, 0U);
    EXPECT_LT(call.at_near.gap_packets, 20U);
  }
}

TEST(SrtConnection, AMessageLongerThanAPacketArrivesWhole) {
  SimulatedCall call(with({.loss = 0.05}));
  ASSERT_TRUE(call.connect());
  ASSERT_TRUE(call.far->send(call.far_now(), numbered(0, 20'000)));
  call.next_number = 1;
  call.stream(500, milliseconds(2));
  EXPECT_EQ(call.at_near.numbers, counted(501));
}

TEST(SrtConnection, SilenceIsKeptAliveAndDeathIsNoticed) {
  SimulatedCall call(with({}));
  ASSERT_TRUE(call.connect());
  call.run(seconds(30));
  EXPECT_FALSE(call.near->closed());
  call.to_listener.dark = true;
  call.run(milliseconds(4'900));
  EXPECT_FALSE(call.at_near.closed);
  call.run(milliseconds(1'200));
  ASSERT_TRUE(call.at_near.closed);
  EXPECT_EQ(call.at_near.closed->reason, CloseReason::peer_silent);
}

TEST(SrtConnection, GoodbyeDeliversWhatIsHeld) {
  SimulatedCall call(with({}));
  ASSERT_TRUE(call.connect());
  call.stream(100, milliseconds(1), milliseconds(20));
  call.far->shutdown(call.far_now(), call.far_out);
  call.flush();
  call.run(milliseconds(50));
  ASSERT_TRUE(call.at_near.closed);
  EXPECT_EQ(call.at_near.closed->reason, CloseReason::peer_shutdown);
  EXPECT_EQ(call.at_near.numbers, counted(100));
}

TEST(SrtConnection, ABlackoutWithinTheLatencyLosesNothing) {
  SimulatedCall call(with({.delay = milliseconds(20)}, milliseconds(1'500)));
  ASSERT_TRUE(call.connect());
  call.stream(2'000, milliseconds(1), nanoseconds(0));
  call.to_listener.dark = call.to_caller.dark = true;
  call.stream(800, milliseconds(1), nanoseconds(0));
  call.to_listener.dark = call.to_caller.dark = false;
  call.stream(5'000, milliseconds(1), seconds(3));
  EXPECT_EQ(call.at_near.numbers, counted(7'800));
}

TEST(SrtConnection, ALongBlackoutIsAGapAndTheStreamGoesOn) {
  SimulatedCall call(with({.delay = milliseconds(20)}));
  ASSERT_TRUE(call.connect());
  call.stream(1'000, milliseconds(1), nanoseconds(0));
  call.to_listener.dark = true;
  call.stream(3'000, milliseconds(1), nanoseconds(0));
  call.to_listener.dark = false;
  call.stream(3'000, milliseconds(1));
  EXPECT_EQ(call.at_near.numbers.back(), 6'999U);
  EXPECT_EQ(call.at_near.numbers.size() + call.at_near.gap_packets, 7'000U);
  EXPECT_GT(call.at_near.numbers.size(), 4'000U);
  EXPECT_TRUE(std::ranges::is_sorted(call.at_near.numbers));
}

TEST(SrtConnection, ReorderedPacketsAreSoonNoLongerReportedLost) {
  SimulatedCall call(with({.delay = milliseconds(20), .jitter = milliseconds(5)}));
  ASSERT_TRUE(call.connect());
  call.stream(2'000, milliseconds(1));
  const LinkStats before = call.near->stats(call.now);
  call.stream(5'000, milliseconds(1));
  const LinkStats after = call.near->stats(call.now);
  EXPECT_EQ(call.at_near.numbers, counted(7'000));
  EXPECT_LT(after.packets_lost - before.packets_lost, 100U);
}

TEST(SrtConnection, RetransmissionsStayWithinTheirShare) {
  auto setup = with({.delay = milliseconds(20)});
  setup.caller.overhead_percent = 10;
  SimulatedCall call(setup);
  ASSERT_TRUE(call.connect());
  call.to_listener.weather.loss = 0.4;
  call.stream(20'000, microseconds(500));
  const LinkStats sender = call.far->stats(call.now);
  EXPECT_LT(sender.packets_retransmitted, 20'000U / 10 + 300);
  EXPECT_GT(sender.packets_retransmitted, 1'500U);
}

TEST(SrtConnection, FollowsAPeerWhoseClockRunsFasterOrSlower) {
  for (const double ppm : {-100.0, 100.0}) {
    auto setup = with({.delay = milliseconds(20), .jitter = milliseconds(2)});
    setup.far_clock = 1 + ppm * 1e-6;
    setup.step = milliseconds(5);
    SimulatedCall call(setup);
    ASSERT_TRUE(call.connect());
    // Two hours: 0.7 s apart, and over the wrap of timestamps at 71.6 minutes.
    call.stream(360'000, milliseconds(20));
    EXPECT_EQ(call.at_near.numbers.size(), 360'000U);
    EXPECT_EQ(call.at_near.gap_packets, 0U);
    EXPECT_NEAR(static_cast<double>(call.near->stats(call.now).drift.count()), -ppm * 7'200,
                20'000);
    // Delivered as evenly as it was sent, at the end as at the beginning.
    const auto& at = call.at_near.at;
    const auto length = at.back() - at.front();
    EXPECT_NEAR(static_cast<double>(length.count()), 359'999 * 20e6, 1e9);
    for (std::size_t i = 1; i < at.size(); ++i) ASSERT_LE(at[i] - at[i - 1], milliseconds(45));
  }
}

TEST(SrtConnection, SequenceAndMessageNumbersWrap) {
  // From the first packets over the end of 31 bits, with losses on both sides of it.
  const MonoTime start{seconds(1'000)};
  const auto settled = [&](SocketId own, SocketId peer, PeerAddress address_) {
    Negotiated made;
    made.peer = address_;
    made.own_id = own;
    made.peer_id = peer;
    made.first_sent = made.first_received = Sequence(Sequence::kMask - 500);
    made.own_start = made.peer_start = start;
    made.peer_window_packets = 8'192;
    return made;
  };
  Connection from(start, settled(1, 2, address(2, 2)));
  Connection to(start, settled(2, 1, address(1, 1)));
  SimulatedPath up({.loss = 0.05}, address(1, 1), 1);
  SimulatedPath down({.loss = 0.05}, address(2, 2), 2);
  Received received;
  Output out;
  MonoTime now = start;
  for (std::uint32_t i = 0; i < 4'000; ++i) {
    now += milliseconds(1);
    if (i < 2'000) ASSERT_TRUE(from.send(now, numbered(i)));
    up.arrive(now, [&](MonoTime at, const PeerAddress& peer, Buffer bytes) {
      to.receive(at, peer, std::move(bytes), out);
    });
    to.advance(now, out);
    received.take(now, out);
    for (const Datagram& datagram : out.datagrams) down.send(now, datagram);
    out.clear();
    down.arrive(now, [&](MonoTime at, const PeerAddress& peer, Buffer bytes) {
      from.receive(at, peer, std::move(bytes), out);
    });
    from.advance(now, out);
    for (const Datagram& datagram : out.datagrams) up.send(now, datagram);
    out.clear();
  }
  EXPECT_EQ(received.numbers, counted(2'000));
  EXPECT_EQ(MessageNumber(MessageNumber::kMask).next(), MessageNumber(1));
  EXPECT_EQ(MessageNumber(MessageNumber::kMask - 1).plus(3), MessageNumber(2));
  EXPECT_EQ(MessageNumber(2).plus(-3), MessageNumber(MessageNumber::kMask - 1));
}

TEST(SrtConnection, RendezvousOfTwoThatCallEachOther) {
  for (std::uint32_t round = 0; round < 20; ++round) {
    MonoTime now{seconds(1'000)};
    LinkOptions link;
    if (round % 2 == 1) link.encryption.passphrase = "ten letters";
    const auto call = [&](SocketId id, PeerAddress peer) {
      return Caller(now, Caller::Mode::rendezvous,
                    {.peer = peer, .socket_id = id, .link = link, .stream_id = {}});
    };
    std::array calls{call(11, address(2, 2)), call(12, address(1, 1))};
    const Weather weather{.loss = 0.2};
    std::array paths{SimulatedPath(weather, address(1, 1), round),
                     SimulatedPath(weather, address(2, 2), round + 99)};
    std::array<std::unique_ptr<Connection>, 2> ends;
    std::array<Received, 2> received;
    Output out;
    std::uint32_t sent = 0;
    for (int ms = 0; ms < 4'000; ++ms) {
      now += milliseconds(1);
      for (std::size_t i = 0; i < 2; ++i) {
        paths[1 - i].arrive(now, [&](MonoTime at, const PeerAddress& from, Buffer bytes) {
          if (ends[i])
            ends[i]->receive(at, from, std::move(bytes), out);
          else
            calls[i].receive(at, from, bytes.bytes(), out);
        });
        if (!ends[i]) {
          calls[i].advance(now, out);
          if (calls[i].done()) {
            auto taken = calls[i].take(now);
            ASSERT_TRUE(taken) << taken.error().message;
            ends[i] = *std::move(taken);
          }
        } else {
          // A stream: of a single message the loss could not be seen.
          if (i == 0 && ends[1] && ms % 10 == 0) {
            ASSERT_TRUE(ends[0]->send(now, numbered(sent++)));
          }
          ends[i]->advance(now, out);
          received[i].take(now, out);
        }
        for (const Datagram& datagram : out.datagrams) paths[i].send(now, datagram);
        out.clear();
      }
    }
    ASSERT_TRUE(ends[0] && ends[1]) << round;
    ASSERT_GT(sent, 50U) << round;
    EXPECT_GT(received[1].numbers.size(), sent / 2) << round;
  }
}

}  // namespace
}  // namespace kapok::srt
