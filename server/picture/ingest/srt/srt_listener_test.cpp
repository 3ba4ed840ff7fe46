#include <gtest/gtest.h>

#include <boost/asio/post.hpp>
#include <cstdio>
#include <fstream>
#include <random>

#include "server/base/crypto.hpp"
#include "server/media/feed_doubles_test.hpp"
#include "server/picture/ingest/srt/listener.hpp"
#include "server/picture/ingest/srt/pull.hpp"
#include "server/picture/ingest/srt/test_caller_test.hpp"
#include "server/picture/protocols/srt/reject_reason.hpp"

namespace kapok::ingest::test {
namespace {

using media::test::FakeDirectory;
using media::test::RecordingLog;
using media::test::Shards;

constexpr std::size_t kMessage = 1316;

// Feeds live on the last of its shards.
struct Listening {
  explicit Listening(std::size_t count, std::string passphrase = "",
                     SrtListenerOptions options = {})
      : shards(count), directory(shards.executors().back()), log(std::make_shared<RecordingLog>()) {
    options.address = "127.0.0.1";
    options.port = 0;
    options.latency = milliseconds(60);
    listener = std::make_unique<SrtListener>(
        options, SrtListenerServices{shards.executors(), directory, nullptr,
                                     [passphrase](auto, auto) { return passphrase; }, clock,
                                     Log(log), metrics});
    started = listener->start();
  }
  ~Listening() { drain(); }
  void drain() {
    if (!std::exchange(drained, true)) shards.run(listener->drain(seconds(2)));
  }

  Shards shards;
  FakeDirectory directory;
  SystemClock clock;
  NullMetrics metrics;
  std::shared_ptr<RecordingLog> log;
  std::unique_ptr<SrtListener> listener;
  Result<void> started;
  bool drained = false;
};

srt::CallOptions publish(std::string key = "k1", std::string passphrase = "") {
  srt::CallOptions options;
  options.stream_id = "#!::r=demo,m=publish,u=" + key;
  options.link.encryption.passphrase = std::move(passphrase);
  return options;
}

// A second of pictures and sound, made once by Debian's ffmpeg.
const Bytes& clip() {
  static const Bytes made = [] {
    const std::string path = testing::TempDir() + "kapok-srt-clip.ts";
    std::string errors;
    media::test::ffmpeg(
        "-f lavfi -i testsrc2=s=320x180:r=25 -f lavfi -i sine -t 1 -c:v libx264 "
        "-g 25 -preset ultrafast -c:a aac -f mpegts -y " +
            path,
        errors);
    std::ifstream in(path, std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(in)), {});
    std::remove(path.c_str());
    return to_bytes(text);
  }();
  return made;
}

void send_clip(TestCaller& caller) {
  const ByteSpan bytes(clip());
  for (std::size_t at = 0; at < bytes.size(); at += kMessage) {
    caller.send(bytes.subspan(at, std::min(kMessage, bytes.size() - at)));
    caller.turn();
  }
}

std::size_t packets_of(media::test::RecordingSink& sink) {
  std::size_t count = 0;
  for (const media::FeedItem& item : sink.items())
    if (std::holds_alternative<std::shared_ptr<const media::Packet>>(item)) ++count;
  return count;
}

TEST(SrtListener, AFeedReachesItsSinkOnItsHomeShardOnly) {
  Listening server(3);
  ASSERT_TRUE(server.started) << server.started.error().message;
  TestCaller caller(server.listener->port());
  ASSERT_EQ(caller.call(publish()), 0U);
  const auto sink = server.directory.sink(0);
  ASSERT_NE(sink, nullptr);
  send_clip(caller);
  EXPECT_TRUE(caller.pump([&] { return packets_of(*sink) >= 25; }));
  for (const auto& [thread, items] : sink->threads())
    EXPECT_EQ(thread, server.shards.thread(2)) << items;
  EXPECT_EQ(server.directory.requests().at(0).protocol, media::IngestProtocol::srt);
  EXPECT_EQ(server.directory.requests().at(0).channel, "demo");
  server.drain();
  EXPECT_TRUE(sink->wait_for_end());
  EXPECT_NE(server.log->wait_for("srt.closed").find("reason=draining"), std::string::npos);
  EXPECT_FALSE(server.log->mentions("k1"));
}

TEST(SrtListener, FfmpegIsAPublisher) {
  Listening server(2);
  std::string errors;
  const int status = media::test::ffmpeg(
      fmt::format(
          "-re -f lavfi -i testsrc2=s=320x180:r=25 -t 2 -c:v libx264 -g 25 -preset ultrafast "
          "-f mpegts 'srt://127.0.0.1:{}?streamid=#!::r=demo,m=publish,u=k1'",
          server.listener->port()),
      errors);
  EXPECT_EQ(status, 0) << errors;
  const auto sink = server.directory.sink(0);
  ASSERT_NE(sink, nullptr);
  EXPECT_TRUE(sink->wait_for_end());
  EXPECT_GE(packets_of(*sink), 20U);
  const auto items = sink->items();
  EXPECT_EQ(std::get<media::EndOfFeed>(items.back()).reason, media::FeedEnd::unpublished);
}

TEST(SrtListener, RefusalsCarryTheStandardCodes) {
  Listening server(2, "a long passphrase");
  TestCaller caller(server.listener->port());
  EXPECT_EQ(caller.call(publish("wrong")), 1401U);
  srt::CallOptions bad = publish();
  bad.stream_id = "#!::r=UPPER";
  EXPECT_EQ(caller.call(bad), 1400U);
  bad.stream_id = "#!::r=demo,m=request";
  EXPECT_EQ(caller.call(bad), 1405U);
  EXPECT_EQ(caller.call(publish("k1")), srt::code_of(srt::RejectReason::unsecure));
  EXPECT_EQ(caller.call(publish("k1", "another passphrase")),
            srt::code_of(srt::RejectReason::bad_secret));
  // Nobody has got as far as the feed, nor to a line that says so.
  EXPECT_EQ(server.directory.granted(), 0U);
  EXPECT_FALSE(server.log->mentions("srt.publishing"));
  EXPECT_EQ(caller.call(publish("k1", "a long passphrase")), 0U);
  EXPECT_NE(server.log->wait_for("srt.publishing"), "");
  EXPECT_EQ(server.directory.granted(), 1U);
  EXPECT_FALSE(server.log->mentions("a long passphrase"));
  EXPECT_FALSE(server.log->mentions("another passphrase"));
}

TEST(SrtListener, TheSecondPublisherOfAFeedIsToldOfTheConflict) {
  Listening server(2);
  server.directory.allow_one();
  TestCaller first(server.listener->port());
  TestCaller second(server.listener->port());
  ASSERT_EQ(first.call(publish()), 0U);
  EXPECT_EQ(second.call(publish()), 1409U);
}

TEST(SrtListener, AChannelClosesAFeedAndTheCallerIsTold) {
  Listening server(2);
  TestCaller caller(server.listener->port());
  ASSERT_EQ(caller.call(publish()), 0U);
  ASSERT_NE(server.directory.sink(0), nullptr);
  const auto close = server.directory.requests().at(0).close;
  boost::asio::post(server.shards.executors().back(), [close] { close("key revoked"); });
  EXPECT_TRUE(caller.pump([&] { return caller.closed(); }));
  EXPECT_NE(server.log->wait_for("srt.closed").find("key revoked"), std::string::npos);
}

TEST(SrtListener, HostileDatagramsChangeNothingForAGoodFeed) {
  Listening server(2);
  TestCaller good(server.listener->port());
  TestCaller bad(server.listener->port());
  ASSERT_EQ(good.call(publish()), 0U);
  const auto sink = server.directory.sink(0);
  ASSERT_NE(sink, nullptr);
  std::mt19937 random(7);
  Bytes datagram;
  const ByteSpan bytes(clip());
  for (std::size_t at = 0; at < bytes.size(); at += kMessage) {
    good.send(bytes.subspan(at, std::min(kMessage, bytes.size() - at)));
    good.turn();
    for (int i = 0; i < 40; ++i) {
      datagram.resize(random() % 200);
      for (std::byte& byte : datagram) byte = static_cast<std::byte>(random());
      // Half of them look like handshakes.
      if (datagram.size() > 48 && i % 2 == 0) {
        datagram[0] = std::byte{0x80};
        for (std::size_t k : {1U, 2U, 3U, 12U, 13U, 14U, 15U}) datagram[k] = std::byte{0};
      }
      bad.send_raw(datagram);
    }
  }
  EXPECT_TRUE(good.pump([&] { return packets_of(*sink) >= 25; }));
  EXPECT_EQ(server.listener->connections(), 1U);
}

TEST(SrtListener, WhatIsFetchedIsPublishedAndFetchedNoMoreWhenTheConfigurationSaysSo) {
  Listening far(1);
  Listening server(2);
  SrtPull pull;
  pull.channel = "demo";
  pull.feed = "main";
  pull.key = "k1";
  pull.urls.push_back(*parse_srt_url(
      fmt::format("srt://127.0.0.1:{}?streamid=publish:demo?key=k1", far.listener->port())));
  pull.home = server.shards.executors().back();
  server.shards.run(server.listener->fetch({pull}));
  EXPECT_NE(server.directory.sink(0), nullptr);
  EXPECT_NE(server.log->wait_for("srt.publishing"), "");
  EXPECT_EQ(server.shards.run(server.listener->feeds()).size(), 1U);
  server.shards.run(server.listener->fetch({}));
  EXPECT_NE(server.log->wait_for("srt.closed").find("not fetched any more"), std::string::npos);
}

}  // namespace
}  // namespace kapok::ingest::test
