#include "server/picture/protocols/srt/connection.hpp"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace kapok::srt
