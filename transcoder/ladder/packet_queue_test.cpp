#include "transcoder/ladder/packet_queue.hpp"

#include <gtest/gtest.h>

namespace kapok::ladder {
namespace {

using std::chrono::milliseconds;

constexpr media::Timescale kMs = 1000;

SourcePacket packet_at(std::int64_t ms, bool sync, std::size_t bytes = 100) {
  SourcePacket item;
  item.packet.dts = item.packet.pts = {ms};
  item.packet.sync = sync;
  item.packet.payload = Buffer(Bytes(bytes));
  return item;
}

TEST(PacketQueue, AFullLiveQueueDropsToTheNextSyncPacketOnceHalfOfItIsGone) {
  PacketQueue queue;
  for (int ms = 0; ms <= 8000; ms += 20)
    EXPECT_TRUE(queue.push(packet_at(ms, ms % 400 == 0), kMs, Pace::live)) << ms;
  EXPECT_EQ(queue.span(), milliseconds(8000));
  EXPECT_FALSE(queue.push(packet_at(8020, false), kMs, Pace::live));
  for (int i = 0; i < 160; ++i) queue.pop();  // 3180 ms are out
  EXPECT_FALSE(queue.push(packet_at(8400, true), kMs, Pace::live));
  for (int i = 0; i < 60; ++i) queue.pop();
  EXPECT_FALSE(queue.push(packet_at(8420, false), kMs, Pace::live));
  EXPECT_TRUE(queue.push(packet_at(8800, true), kMs, Pace::live));
  EXPECT_TRUE(queue.push(packet_at(8820, false), kMs, Pace::live));
}

TEST(PacketQueue, WhoIsTooSlowIsDroppedAsSoonAsAPacketHasWaitedTooLong) {
  PacketQueue queue;
  const MonoTime begin{std::chrono::seconds(100)};
  const auto push_at = [&](int ms, bool sync) {
    return queue.push(packet_at(ms, sync), kMs, Pace::live, begin + milliseconds(ms));
  };
  for (int ms = 0; ms <= 2000; ms += 20) EXPECT_TRUE(push_at(ms, ms % 400 == 0)) << ms;
  EXPECT_FALSE(push_at(2020, false));
  for (int i = 0; i < 40; ++i) queue.pop();  // the next one is of 800 ms
  EXPECT_FALSE(push_at(2400, true));
  for (int i = 0; i < 50; ++i) queue.pop();  // of 1800 ms
  EXPECT_FALSE(push_at(2420, false));
  EXPECT_TRUE(push_at(2800, true));
  EXPECT_TRUE(push_at(2820, false));
}

TEST(PacketQueue, BytesAreBoundedToo) {
  PacketQueue queue;
  EXPECT_TRUE(queue.push(packet_at(0, true, PacketQueue::kMaxBytes - 10), kMs, Pace::live));
  EXPECT_FALSE(queue.push(packet_at(1, true, 11), kMs, Pace::live));
}

TEST(PacketQueue, ABurstIsLongInMediaTimeAndHasNotWaited) {
  PacketQueue queue;
  const MonoTime begin{std::chrono::seconds(100)};
  EXPECT_EQ(queue.age(begin), milliseconds(0));
  for (int ms = 0; ms <= 1000; ms += 20) queue.push(packet_at(ms, true), kMs, Pace::live, begin);
  EXPECT_EQ(queue.span(), milliseconds(1000));
  EXPECT_EQ(queue.age(begin), milliseconds(0));
  EXPECT_EQ(queue.age(begin + milliseconds(300)), milliseconds(300));
  for (int i = 0; i < 51; ++i) queue.pop();
  EXPECT_EQ(queue.age(begin + milliseconds(300)), milliseconds(0));
  // Whoever looks at an older clock than the giver's sees no age.
  queue.push(packet_at(1020, true), kMs, Pace::live, begin + milliseconds(300));
  EXPECT_EQ(queue.age(begin), milliseconds(0));
}

TEST(PacketQueue, ATrackThatWaitsHasNoAge) {
  PacketQueue queue;
  queue.push(std::shared_ptr<const media::Track>());
  queue.push(packet_at(0, true), kMs, Pace::live);
  const MonoTime later{std::chrono::seconds(5)};
  EXPECT_EQ(queue.age(later), milliseconds(0));
  queue.pop();
  EXPECT_EQ(queue.age(later), std::chrono::seconds(5));
}

TEST(PacketQueue, ClosingTellsWhoWaitsForAFlush) {
  PacketQueue queue;
  const auto before = std::make_shared<std::promise<void>>();
  const auto after = std::make_shared<std::promise<void>>();
  queue.push(Flush{before});
  queue.close();
  queue.push(Flush{after});
  before->get_future().wait();
  after->get_future().wait();
  EXPECT_FALSE(queue.pop().has_value());
}

}  // namespace
}  // namespace kapok::ladder
