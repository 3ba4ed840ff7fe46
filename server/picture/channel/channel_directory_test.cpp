#include "server/picture/channel/channel_directory.hpp"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <future>
#include <thread>

#include "server/media/feed_doubles_test.hpp"
#include "server/picture/channel/recorded_rendering_test.hpp"
#include "server/picture/channel/simulated_feed_test.hpp"

namespace kapok::channel {
namespace {

// Two shards with a thread each, and a third for connections that live elsewhere.
struct Directory : ::testing::Test {
  static constexpr std::size_t kShards = 2;
  std::array<boost::asio::io_context, kShards + 1> contexts;
  std::vector<boost::asio::executor_work_guard<boost::asio::io_context::executor_type>> work;
  std::vector<std::thread> threads;
  SystemClock clock;
  NullMetrics metrics;
  std::map<std::string, std::shared_ptr<RenderingRecord>> records;  // touched on the first shard
  std::shared_ptr<media::test::RecordingLog> log = std::make_shared<media::test::RecordingLog>();
  std::unique_ptr<ChannelDirectory> directory;

  Directory() {
    for (auto& context : contexts) {
      work.push_back(boost::asio::make_work_guard(context));
      threads.emplace_back([&context] { context.run(); });
    }
    DirectoryServices services{
        .shards = {contexts[0].get_executor(), contexts[1].get_executor()},
        .authorise = [](std::string_view channel, std::string_view key) -> Result<std::string> {
          if (key == std::string(channel) + "-key") return std::string("main");
          return fail(Errc::denied, "wrong key");
        },
        .make_rendering =
            [this](const packaging::PackagerOptions& options, const boost::asio::any_io_executor&) {
              auto& record = records[options.channel];
              record = std::make_shared<RenderingRecord>();
              return std::make_unique<RecordedRendering>(record);
            },
        .clock = clock,
        .log = Log(log),
        .metrics = metrics,
        .transcoder = {}};
    directory = std::make_unique<ChannelDirectory>(std::move(services));
  }
  ~Directory() override {
    await(directory->close());
    directory.reset();
    work.clear();
    for (auto& thread : threads) thread.join();
  }
  // As from a shard that is neither the directory's nor, in general, the channel's.
  template <class T>
  T await(Task<T> task) {
    return boost::asio::co_spawn(contexts[kShards], std::move(task), boost::asio::use_future).get();
  }
  template <class F>
  void on(boost::asio::any_io_executor shard, F work_there) {
    boost::asio::post(shard, boost::asio::use_future(std::move(work_there))).get();
  }
  static ChannelConfig config(const std::string& id) {
    ChannelConfig config;
    config.id = id;
    config.title = "Channel " + id;
    config.feeds = {{"main", 0, id + "-key"}};
    config.packager.channel = id;
    return config;
  }
  static media::PublishRequest request(std::string channel, std::string key) {
    media::PublishRequest request;
    request.channel = std::move(channel);
    request.key = std::move(key);
    request.peer = "192.0.2.1:5";
    return request;
  }
};

TEST_F(Directory, OpensByIdAndByKeyAndDeniesByDefault) {
  ASSERT_TRUE(await(directory->configure({config("one"), config("two"), config("three")})));
  EXPECT_EQ(await(directory->open(request("four", "x"))).error().code, Errc::not_found);
  EXPECT_EQ(await(directory->open(request("one", "two-key"))).error().code, Errc::denied);
  EXPECT_EQ(await(directory->open(request("one", ""))).error().code, Errc::denied);
  EXPECT_EQ(await(directory->open(request("", "nobody"))).error().code, Errc::denied);
  for (std::size_t i = 0; const char* why : {"no such channel", "the publish key is wrong",
                                             "no publish key was given", "no channel has this key"})
    EXPECT_TRUE(log->wait_for("publish.denied", i++).ends_with(why)) << why;
  auto one = await(directory->open(request("one", "one-key")));
  ASSERT_TRUE(one);
  EXPECT_EQ(one->feed, "main");
  EXPECT_EQ(one->home, contexts[directory->home_of("one")].get_executor());
  EXPECT_EQ(await(directory->open(request("one", "one-key"))).error().code, Errc::conflict);
  ASSERT_TRUE(await(directory->open(request("", "two-key"))));
  EXPECT_TRUE(await(directory->facts("two"))->feeds[0].connected);
  EXPECT_FALSE(await(directory->facts("three"))->feeds[0].connected);
  EXPECT_EQ(await(directory->facts("four")).error().code, Errc::not_found);
  EXPECT_EQ(await(directory->all_facts()).size(), 3U);
}

TEST_F(Directory, WhoFailsWhatTheProtocolAsksForTouchesNoFeed) {
  ASSERT_TRUE(await(directory->configure({config("one")})));
  std::string asked;
  media::PublishRequest wanting = request("one", "one-key");
  wanting.check = [&asked](std::string_view feed) -> Result<void> {
    asked = feed;
    return fail(Errc::denied, "bad_secret: wrong passphrase");
  };
  EXPECT_EQ(await(directory->open(wanting)).error().code, Errc::denied);
  EXPECT_EQ(asked, "main");
  EXPECT_TRUE(log->wait_for("publish.denied").ends_with("why=bad_secret: wrong passphrase"));
  EXPECT_FALSE(log->mentions("feed.opened"));
  EXPECT_FALSE(await(directory->facts("one"))->feeds[0].connected);
  // Not asked of somebody without the key: the answer would tell that there is such a feed.
  asked.clear();
  wanting.key = "two-key";
  EXPECT_EQ(await(directory->open(wanting)).error().code, Errc::denied);
  EXPECT_EQ(asked, "");
  media::PublishRequest fine = request("one", "one-key");
  fine.check = [](std::string_view) -> Result<void> { return {}; };
  EXPECT_TRUE(await(directory->open(fine)));
  EXPECT_NE(log->wait_for("feed.opened"), "");
}

TEST_F(Directory, ReconfiguringLeavesUnchangedChannelsAlone) {
  ASSERT_TRUE(await(directory->configure({config("one"), config("two"), config("three")})));
  auto kept = await(directory->open(request("one", "one-key")));
  ASSERT_TRUE(kept);
  ChannelConfig wider = config("two");
  wider.packager.part_target = milliseconds(100);
  ChannelConfig renamed = config("one");
  renamed.title = "New title";
  renamed.packager.window = seconds(60);
  renamed.packager.window_bytes = 1'000'000;
  const auto one = records["one"];
  const auto two = records["two"];
  const auto three = records["three"];
  ASSERT_TRUE(await(directory->configure({renamed, wider, config("four")})));
  EXPECT_FALSE(one->closed);
  EXPECT_EQ(one->window, seconds(60)) << "more or less is kept without a break";
  EXPECT_EQ(one->window_bytes, 1'000'000U);
  EXPECT_TRUE(two->closed) << "its packaging changed";
  EXPECT_TRUE(three->closed) << "it is gone";
  EXPECT_NE(records["two"], two);
  EXPECT_EQ(await(directory->facts("three")).error().code, Errc::not_found);
  EXPECT_TRUE(await(directory->facts("four")));
  EXPECT_EQ(await(directory->facts("one"))->title, "New title");
  EXPECT_TRUE(await(directory->facts("one"))->feeds[0].connected);
}

TEST_F(Directory, RefusesConfigurationsThatMakeNoSense) {
  EXPECT_EQ(await(directory->configure({config("a/b")})).error().code, Errc::config);
  EXPECT_EQ(await(directory->configure({config("one"), config("one")})).error().code, Errc::config);
  ChannelConfig none = config("one");
  none.feeds.clear();
  EXPECT_EQ(await(directory->configure({none})).error().code, Errc::config);
  ASSERT_TRUE(await(directory->configure({config("one")}))) << "and goes on afterwards";
}

TEST_F(Directory, PacketsFromAnotherShardReachTheRendering) {
  ASSERT_TRUE(await(directory->configure({config("one")})));
  auto grant = await(directory->open(request("one", "one-key")));
  ASSERT_TRUE(grant);
  on(contexts[kShards].get_executor(), [&] {
    EXPECT_TRUE(
        grant->sink->accept(std::make_shared<const media::Track>(video_track(1, 1000, {50, 1}))));
    const MonoTime began = clock.mono();
    for (int i = 0; i < 200; ++i) {
      auto packet = std::make_shared<media::Packet>();
      packet->track = 1;
      packet->dts = packet->pts = {i * 20};
      packet->sync = i % 50 == 0;
      packet->payload = Buffer(Bytes(1000));
      packet->arrival = began + milliseconds(i * 20);
      EXPECT_TRUE(grant->sink->accept(std::shared_ptr<const media::Packet>(std::move(packet))));
    }
    EXPECT_TRUE(grant->sink->accept(media::EndOfFeed{}));
  });
  const auto facts = await(directory->facts("one"));  // behind the packets, on the same shard
  EXPECT_FALSE(facts->feeds[0].connected);
  on(grant->home, [&] {
    EXPECT_EQ(records["one"]->eras.size(), 1U);
    EXPECT_EQ(records["one"]->packets.size(), 200U);
  });
}

Task<> read_all(std::unique_ptr<media::FeedSubscription> subscription,
                std::vector<media::FeedItem>& items) {
  while (true) {
    auto batch = co_await subscription->next();
    if (!batch) co_return;
    for (media::FeedItem& item : batch->items) items.push_back(std::move(item));
  }
}

TEST_F(Directory, AChannelIsReadFromAnotherShard) {
  ASSERT_TRUE(await(directory->configure({config("one"), config("two")})));
  const auto reader = contexts[kShards].get_executor();
  EXPECT_EQ(
      await(directory->subscribe({.channel = "none", .reader = reader, .limits = {}})).error().code,
      Errc::not_found);
  std::array<std::vector<media::FeedItem>, 3> read;
  std::vector<std::future<void>> readers;
  for (auto& items : read) {
    auto access = await(directory->subscribe(
        {.channel = "one", .reader = reader, .limits = {.time = seconds(3'600)}}));
    ASSERT_TRUE(access);
    EXPECT_EQ(access->on_air, media::OnAir::not_yet);
    readers.push_back(boost::asio::co_spawn(contexts[kShards],
                                            read_all(std::move(access->subscription), items),
                                            boost::asio::use_future));
  }
  auto grant = await(directory->open(request("one", "one-key")));
  ASSERT_TRUE(grant);
  on(grant->home, [&] {
    EXPECT_TRUE(
        grant->sink->accept(std::make_shared<const media::Track>(video_track(1, 1000, {50, 1}))));
  });
  const MonoTime began = clock.mono();
  for (int i = 0; i < 500; ++i)
    boost::asio::post(grant->home, [&, i] {
      auto packet = std::make_shared<media::Packet>();
      packet->track = 1;
      packet->dts = packet->pts = {i * 20};
      packet->sync = i % 50 == 0;
      packet->payload = Buffer(Bytes(1000));
      packet->arrival = began + milliseconds(i * 20);
      EXPECT_TRUE(grant->sink->accept(std::shared_ptr<const media::Packet>(std::move(packet))));
    });
  on(grant->home, [&] { EXPECT_TRUE(grant->sink->accept(media::EndOfFeed{})); });
  // A round trip of every reader is behind all packets: then closing takes nothing from them.
  for (int i = 0; i < 3; ++i) {
    on(reader, [] {});
    on(grant->home, [] {});
  }
  on(reader, [] {});
  ASSERT_TRUE(await(directory->configure({config("two")}))) << "the channel is removed";
  for (auto& reader_ended : readers) reader_ended.get();
  for (const auto& items : read) EXPECT_EQ(items.size(), 502U) << "a track, packets, the end";
}

TEST_F(Directory, NothingOpensOnceItIsClosed) {
  ASSERT_TRUE(await(directory->configure({config("one")})));
  await(directory->close());
  EXPECT_TRUE(records["one"]->closed);
  EXPECT_EQ(await(directory->open(request("one", "one-key"))).error().code, Errc::closed);
}

}  // namespace
}  // namespace kapok::channel
