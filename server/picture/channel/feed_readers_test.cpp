#include "server/picture/channel/feed_readers.hpp"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include "server/picture/channel/simulated_feed_test.hpp"

namespace kapok::channel {
namespace {

using media::FeedBatch;
using media::FeedItem;

// "d" discontinuity, "t1" track, "p7" packet with dts 7, "e" end.
std::string text_of(const std::vector<FeedItem>& items) {
  std::string out;
  for (const FeedItem& item : items) {
    if (!out.empty()) out += ' ';
    if (const auto* track = std::get_if<std::shared_ptr<const media::Track>>(&item))
      out += fmt::format("t{}", (*track)->id);
    else if (const auto* packet = std::get_if<std::shared_ptr<const media::Packet>>(&item))
      out += fmt::format("p{}", (*packet)->dts.count);
    else
      out += std::holds_alternative<media::Discontinuity>(item) ? "d" : "e";
  }
  return out;
}

struct FeedReadersTest : ::testing::Test {
  boost::asio::io_context home;
  boost::asio::io_context elsewhere;
  NullMetrics metrics;
  std::shared_ptr<FeedReaders> readers = std::make_shared<FeedReaders>(
      home.get_executor(),
      FeedReaders::Series{metrics.gauge("g", "", {}), metrics.counter("c", "", {})});
  MonoTime now{seconds(1)};

  std::unique_ptr<media::FeedSubscription> subscribe(media::ReaderLimits limits = {}) {
    auto added = readers->add(elsewhere.get_executor(), limits);
    EXPECT_TRUE(added);
    return std::move(*added);
  }
  // Starts a read; what it gave is there once both sides have settled.
  struct Read {
    std::optional<Result<FeedBatch>> got;
    std::string text() const { return got && *got ? text_of((*got)->items) : "nothing"; }
  };
  static Task<> read_into(media::FeedSubscription& from, std::shared_ptr<Read> read) {
    read->got = co_await from.next();
  }
  std::shared_ptr<Read> begin_read(media::FeedSubscription& from) {
    auto read = std::make_shared<Read>();
    boost::asio::co_spawn(elsewhere, read_into(from, read), boost::asio::detached);
    settle();
    return read;
  }
  std::string read(media::FeedSubscription& from) { return begin_read(from)->text(); }
  void settle() {
    for (int i = 0; i < 4; ++i) {
      elsewhere.restart();
      elsewhere.poll();
      home.restart();
      home.poll();
    }
    elsewhere.restart();
    elsewhere.poll();
  }
  void track(media::TrackId id) {
    readers->track(std::make_shared<const media::Track>(video_track(id, 90'000, {50, 1})));
  }
  void packet(std::int64_t dts, FeedReaders::Place place, std::size_t size = 10) {
    auto packet = std::make_shared<media::Packet>();
    packet->track = 1;
    packet->dts = {dts};
    packet->arrival = now;
    packet->payload = Buffer(Bytes(size));
    readers->packet(std::move(packet), place);
  }
  void sync(std::int64_t dts) { packet(dts, FeedReaders::Place::sync); }
  void inside(std::int64_t dts) { packet(dts, FeedReaders::Place::inside); }
  void TearDown() override { settle(); }
};

TEST_F(FeedReadersTest, AWaitingReaderGetsTheEraFromItsStart) {
  auto reader = subscribe();
  const auto first = begin_read(*reader);
  EXPECT_FALSE(first->got);
  readers->start();
  track(1);
  track(2);
  inside(1);  // sound may come before the first picture
  sync(2);
  settle();
  EXPECT_EQ(first->text(), "t1 t2 p1");
  EXPECT_EQ(read(*reader), "p2");
}

TEST_F(FeedReadersTest, OneWhoComesLaterBeginsAtASyncPacket) {
  readers->start();
  track(1);
  sync(1);
  auto reader = subscribe();
  const auto first = begin_read(*reader);
  inside(2);
  settle();
  EXPECT_FALSE(first->got);
  sync(3);
  inside(4);
  settle();
  EXPECT_EQ(first->text(), "t1 p3") << "given at once, while nothing was under way";
  inside(5);
  EXPECT_EQ(read(*reader), "p4 p5") << "what came in between is one batch";
}

TEST_F(FeedReadersTest, AFeedThatGoesOnAirAgainVoidsTheTracks) {
  auto reader = subscribe();
  readers->start();
  track(1);
  sync(1);
  readers->end(media::FeedEnd::unpublished);
  readers->start();
  track(7);
  sync(2);
  EXPECT_EQ(read(*reader), "t1 p1 e d t7 p2");
  readers->track(std::make_shared<const media::Track>(video_track(8, 90'000, {50, 1})));
  inside(3);
  EXPECT_EQ(read(*reader), "t8 p3");
}

TEST_F(FeedReadersTest, AFullQueueIsDroppedToTheNextSyncPacketAndCounted) {
  auto slow = subscribe({.bytes = 100, .time = seconds(10)});
  auto quick = subscribe();
  readers->start();
  track(1);
  sync(1);
  EXPECT_EQ(read(*slow), "t1 p1");
  for (int i = 2; i < 20; ++i) inside(i);  // 10 fit
  inside(20);
  sync(21);
  inside(22);
  const auto after = begin_read(*slow);
  EXPECT_EQ(after->text(), "d t1 p21 p22");
  EXPECT_EQ((*after->got)->skipped, 19U);
  EXPECT_EQ((*begin_read(*quick)->got)->items.size(), 23U) << "nobody else has lost anything";
  inside(23);
  const auto next = begin_read(*slow);
  EXPECT_EQ((*next->got)->skipped, 0U) << "told once";
}

TEST_F(FeedReadersTest, WhoIsTooFarBehindInTimeIsMovedOnToo) {
  auto reader = subscribe({.bytes = 1'000'000, .time = seconds(2)});
  readers->start();
  track(1);
  sync(1);
  now += seconds(3);
  sync(2);
  const auto read = begin_read(*reader);
  EXPECT_EQ(read->text(), "d t1 p2") << "the packet that did not fit is itself a beginning";
  EXPECT_EQ((*read->got)->skipped, 1U);
}

TEST_F(FeedReadersTest, APacketAboveTheBoundStillPassesAnEmptyQueue) {
  auto reader = subscribe({.bytes = 100, .time = seconds(2)});
  readers->start();
  track(1);
  packet(1, FeedReaders::Place::sync, 5'000);
  EXPECT_EQ(read(*reader), "t1 p1");
}

TEST_F(FeedReadersTest, WaitingForTheFirstSyncPacketIsNotBeingSlow) {
  readers->start();
  track(1);
  auto reader = subscribe();
  inside(1);
  sync(2);
  EXPECT_EQ((*begin_read(*reader)->got)->skipped, 0U);
}

TEST_F(FeedReadersTest, ClosingWakesWhoWaits) {
  auto reader = subscribe();
  const auto waiting = begin_read(*reader);
  readers->close();
  settle();
  ASSERT_TRUE(waiting->got);
  EXPECT_EQ(waiting->got->error().code, Errc::closed);
  EXPECT_EQ(begin_read(*reader)->got->error().code, Errc::closed);
}

TEST_F(FeedReadersTest, CancellingWakesWhoWaits) {
  auto reader = subscribe();
  const auto waiting = begin_read(*reader);
  reader->cancel();
  settle();
  ASSERT_TRUE(waiting->got);
  EXPECT_EQ(waiting->got->error().code, Errc::closed);
}

TEST_F(FeedReadersTest, ASubscriptionMayOutliveTheChannel) {
  auto reader = subscribe();
  readers.reset();
  EXPECT_EQ(begin_read(*reader)->got->error().code, Errc::closed);
  reader.reset();
  settle();
}

TEST_F(FeedReadersTest, ADestroyedSubscriptionIsForgotten) {
  auto reader = subscribe();
  EXPECT_FALSE(readers->empty());
  reader.reset();
  settle();
  EXPECT_TRUE(readers->empty());
}

TEST_F(FeedReadersTest, ThereIsALimitToReaders) {
  std::vector<std::unique_ptr<media::FeedSubscription>> many;
  for (std::size_t i = 0; i < FeedReaders::kMaxReaders; ++i) many.push_back(subscribe());
  EXPECT_EQ(readers->add(elsewhere.get_executor(), {}).error().code, Errc::limit);
}

}  // namespace
}  // namespace kapok::channel
