#include "server/picture/channel/start_gate.hpp"

#include <gtest/gtest.h>

namespace kapok::channel {
namespace {

struct Gate : ::testing::Test {
  StartGate gate;
  MonoTime now{seconds(100)};
  void add(media::TrackId track, milliseconds feed, bool sync, std::size_t bytes = 10) {
    auto packet = std::make_shared<media::Packet>();
    packet->track = track;
    packet->sync = sync;
    packet->arrival = now;
    packet->payload = Buffer(Bytes(bytes));
    gate.add({std::move(packet), feed});
  }
  void SetUp() override {
    gate.announce(1, media::TrackKind::video);
    gate.announce(2, media::TrackKind::audio);
  }
};

TEST_F(Gate, KeepsTheSoundThatCameBeforeThePicture) {
  add(2, milliseconds(0), true);
  now += milliseconds(20);
  add(1, milliseconds(20), false);
  add(1, milliseconds(40), true);
  now += milliseconds(40);
  add(1, milliseconds(60), false);
  ASSERT_TRUE(gate.ready());
  const GateOpening opening = gate.open();
  ASSERT_EQ(opening.packets.size(), 3U);
  EXPECT_EQ(opening.packets[0].packet->track, 2U);
  EXPECT_EQ(opening.feed, milliseconds(40));
  EXPECT_EQ(gate.dropped(), 1U);
}

TEST_F(Gate, IsAnchoredByTheLeastDelayedPacket) {
  add(1, milliseconds(0), true);  // 70 ms late
  now += milliseconds(30);
  add(1, milliseconds(100), false);
  add(2, milliseconds(100), true);
  now += milliseconds(20);
  add(1, milliseconds(110), false);
  ASSERT_TRUE(gate.ready());
  EXPECT_EQ(gate.open().delay, seconds(100) - milliseconds(70));
}

TEST_F(Gate, WaitsUntilABurstIsOver) {
  for (int i = 0; i < 50; ++i) {
    add(1, milliseconds(i * 20), i == 0);
    add(2, milliseconds(i * 20), true);
    now += milliseconds(1);
  }
  EXPECT_FALSE(gate.ready()) << "a second of media in 50 ms";
  for (int i = 50; i < 54; ++i) {
    add(1, milliseconds(i * 20), false);
    now += milliseconds(20);
  }
  EXPECT_TRUE(gate.ready());
}

TEST_F(Gate, ForgetsATrackThatJumpsWhileItWaits) {
  add(1, seconds(90), true);
  now += milliseconds(20);
  add(1, seconds(5), false);
  add(2, seconds(5), true);
  now += milliseconds(100);
  EXPECT_FALSE(gate.ready());
  add(1, seconds(5), true);
  now += milliseconds(100);
  add(1, seconds(5) + milliseconds(100), false);
  ASSERT_TRUE(gate.ready());
  EXPECT_EQ(gate.open().feed, seconds(5));
}

TEST_F(Gate, StartsOverWhenItHoldsTooMuch) {
  add(1, milliseconds(0), true);
  for (int i = 1; i < 20; ++i) add(1, milliseconds(i), false, StartGate::kMaxBytes / 8);
  EXPECT_LE(gate.bytes(), StartGate::kMaxBytes);
  EXPECT_FALSE(gate.ready());
}

}  // namespace
}  // namespace kapok::channel
