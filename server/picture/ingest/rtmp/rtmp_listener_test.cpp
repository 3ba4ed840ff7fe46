#include <gtest/gtest.h>

#include <filesystem>

#include "server/picture/ingest/rtmp/listener_harness.hpp"

namespace kapok::ingest {
namespace {

using namespace test;
using media::Codec;

constexpr const char* kTestFeed =
    "-f lavfi -i testsrc2=s=192x108:r=25 -f lavfi -i sine=r=48000 -t 2 -c:v libx264 "
    "-preset ultrafast -tune zerolatency -g 25 -keyint_min 25 -sc_threshold 0 -bf 0 "
    "-c:a aac -b:a 64k -f flv ";

std::string url(const char* scheme, std::uint16_t port, const std::string& name) {
  return "'" + std::string(scheme) + "://127.0.0.1:" + std::to_string(port) + "/live/" + name + "'";
}

struct Received {
  std::vector<std::shared_ptr<const media::Track>> tracks;
  std::map<media::TrackId, std::vector<std::shared_ptr<const media::Packet>>> packets;
  std::vector<media::FeedEnd> ends;
  int discontinuities = 0;
};

Received sorted(const std::vector<media::FeedItem>& items) {
  Received all;
  for (const media::FeedItem& item : items) {
    if (const auto* track = std::get_if<std::shared_ptr<const media::Track>>(&item))
      all.tracks.push_back(*track);
    else if (const auto* packet = std::get_if<std::shared_ptr<const media::Packet>>(&item))
      all.packets[(*packet)->track].push_back(*packet);
    else if (const auto* end = std::get_if<media::EndOfFeed>(&item))
      all.ends.push_back(end->reason);
    else
      ++all.discontinuities;
  }
  return all;
}

void expect_test_feed(const Received& received) {
  ASSERT_EQ(received.tracks.size(), 2u);
  std::map<Codec, std::shared_ptr<const media::Track>> by_codec;
  for (const auto& track : received.tracks) by_codec[track->codec] = track;
  const auto video = by_codec[Codec::avc];
  const auto audio = by_codec[Codec::aac];
  ASSERT_TRUE(video && audio);
  EXPECT_EQ(video->video()->width, 192u);
  EXPECT_EQ(video->video()->height, 108u);
  EXPECT_EQ(audio->timescale, 48000u);

  const auto& frames = received.packets.at(video->id);
  ASSERT_EQ(frames.size(), 50u);
  for (std::size_t i = 0; i < frames.size(); ++i) {
    EXPECT_EQ(frames[i]->sync, i % 25 == 0) << i;
    EXPECT_FALSE(frames[i]->payload.empty());
    if (i > 0) {
      EXPECT_EQ((frames[i]->dts - frames[i - 1]->dts).count, 360'000 / 25) << i;
    }
  }
  const auto& samples = received.packets.at(audio->id);
  ASSERT_GT(samples.size(), 90u);
  for (std::size_t i = 1; i < samples.size(); ++i)
    EXPECT_EQ((samples[i]->dts - samples[i - 1]->dts).count, 1024) << i;
  EXPECT_EQ(received.discontinuities, 0);
  EXPECT_EQ(received.ends, std::vector{media::FeedEnd::unpublished});
}

TEST(RtmpListener, TakesWhatFfmpegPublishes) {
  Listening server(1);
  ASSERT_TRUE(server.started) << server.started.error().message;
  std::string errors;
  EXPECT_EQ(ffmpeg(kTestFeed + url("rtmp", server.listener->port(), "demo?key=k1"), errors), 0)
      << errors;
  const auto sink = server.directory.sink(0);
  ASSERT_TRUE(sink);
  ASSERT_TRUE(sink->wait_for_end());
  expect_test_feed(sorted(sink->items()));

  const auto request = server.directory.requests().at(0);
  EXPECT_EQ(request.channel, "demo");
  EXPECT_EQ(request.key, "k1");
  EXPECT_EQ(request.protocol, media::IngestProtocol::rtmp);
  const std::string closed = server.log->wait_for("rtmp.closed");
  EXPECT_NE(closed.find("channel=demo"), std::string::npos) << closed;
  EXPECT_FALSE(server.log->mentions("k1"));
}

TEST(RtmpListener, APlainFeedIsTakenOnItsHomeShardAlone) {
  Listening server(3);  // feeds live on the third; the kernel picks who accepts
  ASSERT_TRUE(server.started);
  for (std::size_t i = 0; i < 4; ++i) {
    std::string errors;
    EXPECT_EQ(ffmpeg(kTestFeed + url("rtmp", server.listener->port(), "demo?key=k1"), errors), 0)
        << errors;
    const auto sink = server.directory.sink(i);
    ASSERT_TRUE(sink && sink->wait_for_end());
    expect_test_feed(sorted(sink->items()));
    ASSERT_EQ(sink->threads().size(), 1u);
    EXPECT_EQ(sink->threads().begin()->first, server.shards.thread(2));
  }
}

TEST(RtmpListener, TakesTlsFeedsOnTheirHomeShardToo) {
  const auto folder =
      std::filesystem::temp_directory_path() / ("kapok-rtmps-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  const net::TlsFiles files{folder / "certificate.pem", folder / "key.pem"};
  ASSERT_TRUE(net::make_self_signed(files, {"localhost", "127.0.0.1"}));
  auto tls = net::TlsContext::load(files, {});
  ASSERT_TRUE(tls) << tls.error().message;
  Listening server(2, {}, *tls);
  ASSERT_TRUE(server.started);
  std::string errors;
  EXPECT_EQ(ffmpeg(kTestFeed + url("rtmps", server.listener->tls_port(), "demo?key=k1"), errors), 0)
      << errors;
  const auto sink = server.directory.sink(0);
  ASSERT_TRUE(sink && sink->wait_for_end());
  expect_test_feed(sorted(sink->items()));
  ASSERT_EQ(sink->threads().size(), 1u);
  EXPECT_EQ(sink->threads().begin()->first, server.shards.thread(1));
  EXPECT_EQ(server.directory.requests().at(0).protocol, media::IngestProtocol::rtmps);
  std::filesystem::remove_all(folder);
}

TEST(RtmpListener, AWrongKeyIsRefusedInWordsThatTheEncoderPrints) {
  Listening server(1);
  ASSERT_TRUE(server.started);
  std::string errors;
  EXPECT_NE(ffmpeg(kTestFeed + url("rtmp", server.listener->port(), "demo?key=guess"), errors), 0);
  EXPECT_NE(errors.find("no such channel or wrong key"), std::string::npos) << errors;
  const std::string closed = server.log->wait_for("rtmp.closed");
  EXPECT_NE(closed.find("state=refused"), std::string::npos) << closed;
  EXPECT_FALSE(server.log->mentions("guess"));
}

TEST(RtmpListener, ASecondPublisherIsToldThatTheFeedIsTaken) {
  Listening server(1);
  ASSERT_TRUE(server.started);
  server.directory.allow_one();
  std::string errors;
  EXPECT_EQ(ffmpeg(kTestFeed + url("rtmp", server.listener->port(), "demo?key=k1"), errors), 0);
  EXPECT_NE(ffmpeg(kTestFeed + url("rtmp", server.listener->port(), "demo?key=k1"), errors), 0);
  EXPECT_NE(errors.find("being published by another encoder"), std::string::npos) << errors;
}

TEST(RtmpListener, TheKeyAloneAsStreamNameLeavesTheChannelToTheDirectory) {
  Listening server(1);
  ASSERT_TRUE(server.started);
  std::string errors;
  EXPECT_EQ(ffmpeg(kTestFeed + url("rtmp", server.listener->port(), "k1"), errors), 0) << errors;
  EXPECT_EQ(server.directory.requests().at(0).channel, "");
  EXPECT_EQ(server.directory.requests().at(0).key, "k1");
}

TEST(RtmpListener, AFeedThatItsSinkRefusesIsClosed) {
  Listening server(2);
  ASSERT_TRUE(server.started);
  std::string errors;
  std::thread publisher([&] {
    ffmpeg("-re " + std::string(kTestFeed) + url("rtmp", server.listener->port(), "demo?key=k1"),
           errors);
  });
  const auto sink = server.directory.sink(0);
  ASSERT_TRUE(sink);
  sink->refuse_after(10);
  const std::string closed = server.log->wait_for("rtmp.closed");
  EXPECT_NE(closed.find("enough of this feed"), std::string::npos) << closed;
  publisher.join();
}

}  // namespace
}  // namespace kapok::ingest
