#include "server/picture/channel/worker_queue.hpp"

#include <gtest/gtest.h>

#include "server/picture/channel/simulated_feed_test.hpp"
#include "server/picture/channel/worker_restarts.hpp"

namespace kapok::channel {
namespace {

struct Queue : ::testing::Test {
  WorkerQueue queue{{.bytes = 1000, .time = seconds(2), .items = 1000}};
  MonoTime now{seconds(100)};

  void track() {
    queue.track(std::make_shared<const media::Track>(video_track(1, 90'000, {50, 1})));
  }
  void packet(SegmentStart start, std::size_t size = 10) {
    media::Packet packet;
    packet.track = 1;
    packet.arrival = now;
    packet.payload = Buffer(Bytes(size));
    queue.packet(packet, start);
  }
  // T track, S packet that begins a segment, p another packet, D discontinuity.
  std::string taken() {
    std::string out;
    while (const auto item = queue.pop()) {
      if (std::holds_alternative<wire::SourceTrack>(*item)) out += 'T';
      if (std::holds_alternative<wire::Discontinuity>(*item)) out += 'D';
      if (const auto* packet = std::get_if<wire::SourcePacket>(&*item))
        out += packet->segment_start ? 'S' : 'p';
    }
    return out;
  }
};

TEST_F(Queue, BeginsWithTheTracksAtASegment) {
  track();
  packet(SegmentStart::no);
  packet(SegmentStart::yes);
  packet(SegmentStart::no);
  EXPECT_EQ(taken(), "TSp");
  EXPECT_EQ(queue.dropped(), 0U) << "what came before is nobody's loss";
}

TEST_F(Queue, SoundAloneBeginsAtOnce) {
  queue.track(std::make_shared<const media::Track>(audio_track(1, 48'000, 48'000)));
  packet(SegmentStart::no);
  EXPECT_EQ(taken(), "Tp");
}

TEST_F(Queue, TooManyBytesDropAllUpToTheNextSegment) {
  track();
  packet(SegmentStart::yes, 600);
  packet(SegmentStart::no, 300);
  packet(SegmentStart::no, 300);
  EXPECT_TRUE(queue.behind());
  EXPECT_EQ(queue.bytes(), 0U);
  EXPECT_EQ(queue.dropped(), 3U);
  packet(SegmentStart::no);
  EXPECT_EQ(queue.dropped(), 4U);
  packet(SegmentStart::yes);
  EXPECT_EQ(taken(), "DTS");
  EXPECT_FALSE(queue.behind());
}

TEST_F(Queue, TooOldDropsToo) {
  track();
  packet(SegmentStart::yes);
  now += seconds(3);
  packet(SegmentStart::yes);
  EXPECT_EQ(queue.dropped(), 1U);
  EXPECT_EQ(taken(), "DTS");
  now += seconds(3);
  packet(SegmentStart::no);
  EXPECT_EQ(taken(), "p") << "nothing waited";
}

TEST_F(Queue, ADiscontinuityIsToldOnceAndForgetsTheTracks) {
  track();
  packet(SegmentStart::yes);
  queue.discontinuity();
  queue.discontinuity();
  track();
  packet(SegmentStart::yes);
  EXPECT_EQ(taken(), "TSDTS");
}

TEST_F(Queue, ANewProcessIsToldEverything) {
  track();
  packet(SegmentStart::yes);
  queue.restart();
  EXPECT_EQ(taken(), "");
  packet(SegmentStart::no);
  packet(SegmentStart::yes);
  EXPECT_EQ(taken(), "TS");
}

TEST(WorkerRestarts, TheFirstIsAtOnceALoopWaitsLonger) {
  WorkerRestarts restarts;
  EXPECT_LT(restarts.ended(seconds(60)), seconds(1));
  EXPECT_LT(restarts.ended(milliseconds(10)), seconds(1));
  EXPECT_FALSE(restarts.loops());
  for (const int wanted : {1, 2, 4, 8, 16, 30, 30, 30}) {
    EXPECT_EQ(restarts.ended(milliseconds(10)), seconds(wanted));
    EXPECT_TRUE(restarts.loops());
  }
  EXPECT_LT(restarts.ended(seconds(6)), seconds(1)) << "it had settled";
}

}  // namespace
}  // namespace kapok::channel
