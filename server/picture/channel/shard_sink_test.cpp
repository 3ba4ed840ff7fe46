#include "server/picture/channel/shard_sink.hpp"

#include <gtest/gtest.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <string>
#include <thread>
#include <vector>

namespace kapok::channel {
namespace {

struct RecordedIntake final : FeedIntake {
  std::vector<std::int64_t> taken;
  std::vector<std::string> cuts;
  std::size_t refuse_after = SIZE_MAX;
  Result<void> take(media::FeedItem item) override {
    if (taken.size() >= refuse_after) return fail(Errc::limit, "enough");
    taken.push_back(std::get<std::shared_ptr<const media::Packet>>(item)->dts.count);
    return {};
  }
  void cut(std::string_view reason) override { cuts.emplace_back(reason); }
};

media::FeedItem packet(std::int64_t dts, std::size_t bytes) {
  auto made = std::make_shared<media::Packet>();
  made->dts = {dts};
  made->payload = Buffer(Bytes(bytes));
  return std::shared_ptr<const media::Packet>(std::move(made));
}

struct Sink : ::testing::Test {
  boost::asio::io_context home;
  FakeClock clock;
  std::shared_ptr<RecordedIntake> intake = std::make_shared<RecordedIntake>();
  ShardSink make(SinkLimits limits) { return {home.get_executor(), intake, clock, limits}; }
};

TEST_F(Sink, HandsOnAtOnceAtHome) {
  ShardSink sink = make({});
  bool direct = false;
  boost::asio::post(home, [&] {
    EXPECT_TRUE(sink.accept(packet(1, 10)));
    direct = intake->taken.size() == 1;
  });
  home.run();
  EXPECT_TRUE(direct);
}

TEST_F(Sink, PostsFromElsewhereAndKeepsTheOrderWhenItComesHome) {
  ShardSink sink = make({});
  EXPECT_TRUE(sink.accept(packet(1, 10)));
  EXPECT_TRUE(intake->taken.empty());
  home.poll();
  EXPECT_EQ(intake->taken, std::vector<std::int64_t>{1});
}

TEST_F(Sink, IsCutWhenTheBytesUnderWayAreOverTheBound) {
  ShardSink sink = make({.bytes = 1000, .time = seconds(2), .items = 100});
  EXPECT_TRUE(sink.accept(packet(1, 5000))) << "alone, one packet always passes";
  EXPECT_EQ(sink.accept(packet(2, 1)).error().code, Errc::full);
  EXPECT_EQ(sink.accept(packet(3, 1)).error().code, Errc::closed);
  home.poll();
  EXPECT_EQ(intake->taken, std::vector<std::int64_t>{1});
  EXPECT_EQ(intake->cuts.size(), 1U);
}

TEST_F(Sink, IsCutWhenTheHomeShardIsTooLate) {
  ShardSink sink = make({.bytes = 1000, .time = seconds(2), .items = 100});
  EXPECT_TRUE(sink.accept(packet(1, 1)));
  clock.advance(milliseconds(1999));
  EXPECT_TRUE(sink.accept(packet(2, 1)));
  clock.advance(milliseconds(2));
  EXPECT_FALSE(sink.accept(packet(3, 1)));
}

TEST_F(Sink, IsNotCutWhileTheHomeShardKeepsUp) {
  ShardSink sink = make({.bytes = 1000, .time = seconds(2), .items = 10});
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(sink.accept(packet(i, 300)));
    home.restart();
    home.poll();
    clock.advance(seconds(1));
  }
  EXPECT_EQ(intake->taken.size(), 100U);
}

TEST_F(Sink, ARefusalReachesThePoster) {
  intake->refuse_after = 1;
  ShardSink sink = make({});
  EXPECT_TRUE(sink.accept(packet(1, 1)));
  EXPECT_TRUE(sink.accept(packet(2, 1)));
  home.poll();
  EXPECT_EQ(sink.accept(packet(3, 1)).error().code, Errc::closed);
}

// For the thread sanitizer: a connection on its own thread, the channel on its shard.
TEST_F(Sink, CrossesThreadsInOrder) {
  SystemClock real;
  auto sink = std::make_unique<ShardSink>(home.get_executor(), intake, real,
                                          SinkLimits{.bytes = 1 << 30, .time = seconds(600)});
  auto work = boost::asio::make_work_guard(home);
  std::thread shard([&] { home.run(); });
  std::thread connection([&] {
    for (int i = 0; i < 5'000; ++i) EXPECT_TRUE(sink->accept(packet(i, 64)));
    sink.reset();  // while packets are under way
  });
  connection.join();
  work.reset();
  shard.join();
  ASSERT_EQ(intake->taken.size(), 5'000U);
  for (int i = 0; i < 5'000; ++i) ASSERT_EQ(intake->taken[static_cast<std::size_t>(i)], i);
}

}  // namespace
}  // namespace kapok::channel
