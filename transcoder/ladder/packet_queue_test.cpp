#include "transcoder/ladder/packet_queue.hpp"

#include <gtest/gtest.h>

namespace kapok::ladder {
namespace {

using std::chrono::milliseconds;

SourcePacket packet_at(std::int64_t ms, bool sync, std::size_t bytes = 100) {
  SourcePacket item;
  item.packet.dts = item.packet.pts = {ms};
  item.packet.sync = sync;
  item.packet.payload = Buffer(Bytes(bytes));
  return item;
}

TEST(PacketQueue, AFullLiveQueueDropsToTheNextSyncPacketOnceHalfOfItIsGone) {
  PacketQueue queue;
  constexpr media::Timescale kMs = 1000;
  for (int ms = 0; ms <= 2000; ms += 20)
    EXPECT_TRUE(queue.push(packet_at(ms, ms % 400 == 0), kMs, Pace::live)) << ms;
  EXPECT_EQ(queue.span(), milliseconds(2000));
  EXPECT_FALSE(queue.push(packet_at(2020, false), kMs, Pace::live));
  for (int i = 0; i < 40; ++i) queue.pop();  // 780 ms are out
  EXPECT_FALSE(queue.push(packet_at(2400, true), kMs, Pace::live));
  for (int i = 0; i < 30; ++i) queue.pop();
  EXPECT_FALSE(queue.push(packet_at(2420, false), kMs, Pace::live));
  EXPECT_TRUE(queue.push(packet_at(2800, true), kMs, Pace::live));
  EXPECT_TRUE(queue.push(packet_at(2820, false), kMs, Pace::live));
}

TEST(PacketQueue, BytesAreBoundedToo) {
  PacketQueue queue;
  EXPECT_TRUE(queue.push(packet_at(0, true, PacketQueue::kMaxBytes - 10), 1000, Pace::live));
  EXPECT_FALSE(queue.push(packet_at(1, true, 11), 1000, Pace::live));
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
