#include <gtest/gtest.h>

#include <sys/socket.h>

#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <filesystem>
#include <random>

#include "server/picture/ingest/rtmp/listener_harness.hpp"
#include "server/picture/protocols/rtmp/chunk_writer.hpp"
#include "server/picture/protocols/rtmp/client_session.hpp"

namespace kapok::ingest {
namespace {

namespace asio = boost::asio;
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
  const std::string named = server.log->wait_for("rtmp.encoder");
  EXPECT_NE(named.find("encoder=Lavf"), std::string::npos) << named;
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
  EXPECT_NE(ffmpeg(kTestFeed + url("rtmp", server.listener->tls_port(), "demo?key=k1"), errors), 0);
  const std::string closed = server.log->wait_for("rtmp.closed", 1);
  EXPECT_NE(closed.find("the address must begin with rtmps://"), std::string::npos) << closed;
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

TEST(RtmpListener, WhatThePeerWasToldIsInTheLogToo) {
  Listening server(1);
  ASSERT_TRUE(server.started);
  std::string errors;
  EXPECT_NE(ffmpeg(kTestFeed + url("rtmp", server.listener->port(), "Demo?key=k1"), errors), 0);
  EXPECT_NE(errors.find("not a channel id"), std::string::npos) << errors;
  const std::string closed = server.log->wait_for("rtmp.closed");
  EXPECT_NE(closed.find("refused: the stream name is not a channel id"), std::string::npos)
      << closed;
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

// A peer by hand: a blocking socket with a deadline.
class Peer {
 public:
  explicit Peer(std::uint16_t port) : socket_(context_) {
    socket_.connect({asio::ip::make_address("127.0.0.1"), port});
    const timeval limit{10, 0};
    ::setsockopt(socket_.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  }
  void send(ByteSpan bytes) {
    boost::system::error_code error;
    asio::write(socket_, asio::buffer(bytes.data(), bytes.size()), error);
  }
  // Everything until the server closes; nullopt if it does not within ten seconds.
  std::optional<Bytes> read_to_end() {
    Bytes all;
    std::byte block[4096];
    while (true) {
      const ssize_t size = ::recv(socket_.native_handle(), block, sizeof block, 0);
      if (size == 0 || (size < 0 && errno == ECONNRESET)) return all;
      if (size < 0) return std::nullopt;
      ByteWriter(all).bytes(ByteSpan(block, static_cast<std::size_t>(size)));
    }
  }
  // Talks as a client session until `done` or the server closes.
  template <class Done>
  void converse(rtmp::RtmpClientSession& client, Done done) {
    while (!done()) {
      const Bytes output = client.take_output();
      if (!output.empty()) send(output);
      std::byte block[4096];
      const ssize_t size = ::recv(socket_.native_handle(), block, sizeof block, 0);
      if (size <= 0) return;
      if (!client.receive(ByteSpan(block, static_cast<std::size_t>(size)))) return;
    }
    const Bytes output = client.take_output();
    if (!output.empty()) send(output);
  }

 private:
  asio::io_context context_;
  asio::ip::tcp::socket socket_;
};

Task<bool> drained(RtmpListener& listener) {
  co_await listener.drain(milliseconds(300));
  co_return true;
}

rtmp::RtmpClientSession client_for(const std::string& name) {
  rtmp::ClientOptions options;
  options.enhanced = true;
  return {{"live", "rtmp://127.0.0.1/live", name}, options};
}

TEST(RtmpListener, APeerThatSaysNothingIsCut) {
  RtmpListenerOptions options;
  options.handshake_deadline = milliseconds(50);
  Listening server(1, options);
  ASSERT_TRUE(server.started);
  Peer peer(server.listener->port());
  peer.send(as_bytes("\x03 half a C1"));
  EXPECT_TRUE(peer.read_to_end());
  const std::string closed = server.log->wait_for("rtmp.closed");
  EXPECT_NE(closed.find("state=handshake offset=0"), std::string::npos) << closed;
  EXPECT_NE(closed.find("reason=too slow"), std::string::npos) << closed;
}

TEST(RtmpListener, APeerThatNeverPublishesIsCutHoweverBusy) {
  RtmpListenerOptions options;
  options.publish_deadline = milliseconds(100);
  Listening server(1, options);
  ASSERT_TRUE(server.started);
  Peer peer(server.listener->port());
  Bytes hello;
  rtmp::ClientHandshake().start(rtmp::DigestScheme::none, hello);
  hello.resize(1 + 2 * rtmp::kHandshakeBytes);
  peer.send(hello);
  EXPECT_TRUE(peer.read_to_end());
  const std::string closed = server.log->wait_for("rtmp.closed");
  EXPECT_NE(closed.find("state=connecting offset=3073"), std::string::npos) << closed;
}

TEST(RtmpListener, GarbageClosesWithStateAndOffset) {
  Listening server(2);
  ASSERT_TRUE(server.started);
  Peer http(server.listener->port());
  http.send(as_bytes("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
  EXPECT_TRUE(http.read_to_end());
  std::string closed = server.log->wait_for("rtmp.closed");
  EXPECT_NE(closed.find("looks like an HTTP request"), std::string::npos) << closed;
  EXPECT_NE(closed.find("peer=127.0.0.1:"), std::string::npos) << closed;

  Peer junk(server.listener->port());
  Bytes bytes;
  rtmp::ClientHandshake().start(rtmp::DigestScheme::none, bytes);
  bytes.resize(1 + 2 * rtmp::kHandshakeBytes);
  ByteWriter(bytes).u8(0xC3);  // a continuation of nothing
  junk.send(bytes);
  EXPECT_TRUE(junk.read_to_end());
  closed = server.log->wait_for("rtmp.closed", 1);
  EXPECT_NE(closed.find("state=connecting offset=3073"), std::string::npos) << closed;
}

TEST(RtmpListener, HalfOpenConnectionsOfOneAddressAreBounded) {
  RtmpListenerOptions options;
  options.limits.half_open = 4;
  options.limits.loopback = net::Loopback::counted;
  Listening server(1, options);
  ASSERT_TRUE(server.started);
  std::vector<std::unique_ptr<Peer>> silent;
  for (int i = 0; i < 4; ++i) silent.push_back(std::make_unique<Peer>(server.listener->port()));
  Peer refused(server.listener->port());
  EXPECT_EQ(refused.read_to_end().value_or(Bytes(1)), Bytes());
  EXPECT_EQ(server.listener->connections(), 4u);
}

TEST(RtmpListener, ASilentPublisherIsCutAndItsFeedEnds) {
  RtmpListenerOptions options;
  options.idle_deadline = milliseconds(100);
  Listening server(2, options);
  ASSERT_TRUE(server.started);
  Peer peer(server.listener->port());
  auto client = client_for("demo?key=k1");
  peer.converse(client, [&] { return client.publishing(); });
  ASSERT_TRUE(client.publishing());
  EXPECT_TRUE(peer.read_to_end());
  const auto sink = server.directory.sink(0);
  ASSERT_TRUE(sink && sink->wait_for_end());
  EXPECT_EQ(sorted(sink->items()).ends, std::vector{media::FeedEnd::silent});
}

TEST(RtmpListener, ADroppedConnectionEndsTheFeedAsLost) {
  Listening server(2);
  ASSERT_TRUE(server.started);
  {
    Peer peer(server.listener->port());
    auto client = client_for("demo?key=k1");
    peer.converse(client, [&] { return client.publishing(); });
  }
  const auto sink = server.directory.sink(0);
  ASSERT_TRUE(sink && sink->wait_for_end());
  EXPECT_EQ(sorted(sink->items()).ends, std::vector{media::FeedEnd::connection_lost});
}

TEST(RtmpListener, AChannelMayCloseItsPublisher) {
  for (const std::size_t shards : {1u, 3u}) {
    Listening server(shards);
    ASSERT_TRUE(server.started);
    Peer peer(server.listener->port());
    auto client = client_for("demo?key=k1");
    peer.converse(client, [&] { return client.publishing(); });
    const auto close = server.directory.requests().at(0).close;
    asio::post(server.shards.executors().back(), [close] { close("the key was revoked"); });
    const auto said = peer.read_to_end();
    ASSERT_TRUE(said);
    EXPECT_NE(as_text(*said).find("NetStream.Publish.Rejected"), std::string_view::npos);
    EXPECT_NE(as_text(*said).find("the key was revoked"), std::string_view::npos);
    const std::string closed = server.log->wait_for("rtmp.closed");
    EXPECT_NE(closed.find("reason=channel: the key was revoked"), std::string::npos) << closed;
    const auto sink = server.directory.sink(0);
    ASSERT_TRUE(sink && sink->wait_for_end());
    EXPECT_EQ(sorted(sink->items()).ends, std::vector{media::FeedEnd::replaced});
  }
}

TEST(RtmpListener, OneConnectionMayPublishAgain) {
  Listening server(3);
  ASSERT_TRUE(server.started);
  Peer peer(server.listener->port());
  auto client = client_for("demo?key=k1");
  peer.converse(client, [&] { return client.publishing(); });
  for (std::size_t round = 1; round < 4; ++round) {
    client.unpublish();
    client.publish_again();
    peer.converse(client, [&] { return client.publishing(); });
    const auto sink = server.directory.sink(round - 1);
    ASSERT_TRUE(sink && sink->wait_for_end());
    EXPECT_EQ(sorted(sink->items()).ends, std::vector{media::FeedEnd::unpublished});
    ASSERT_TRUE(server.directory.sink(round));
  }
}

TEST(RtmpListener, DrainingAsksPublishersToReconnectAndTakesNobodyNew) {
  Listening server(2);
  ASSERT_TRUE(server.started);
  const std::uint16_t port = server.listener->port();
  Peer peer(port);
  auto client = client_for("demo?key=k1");
  peer.converse(client, [&] { return client.publishing(); });
  std::vector<rtmp::ClientEvent> events;
  std::thread draining([&] { server.shards.run(drained(*server.listener)); });
  peer.converse(client, [&] {
    for (auto& event : client.take_events()) events.push_back(std::move(event));
    return !events.empty() && std::holds_alternative<rtmp::ReconnectAsked>(events.back());
  });
  ASSERT_FALSE(events.empty());
  EXPECT_TRUE(std::holds_alternative<rtmp::ReconnectAsked>(events.back()));
  EXPECT_THROW(Peer late(port), boost::system::system_error);
  EXPECT_TRUE(peer.read_to_end());  // cut at the deadline
  draining.join();
  EXPECT_EQ(server.listener->connections(), 0u);
  const auto sink = server.directory.sink(0);
  ASSERT_TRUE(sink && sink->wait_for_end());
}

TEST(RtmpListener, HostilePeersDoNotTouchAPublisher) {
  RtmpListenerOptions options;
  options.limits.half_open = 1000;
  options.publish_deadline = milliseconds(200);
  Listening server(2, options);
  ASSERT_TRUE(server.started);
  std::string errors;
  int status = -1;
  std::thread publisher([&] {
    status = ffmpeg(
        "-re " + std::string(kTestFeed) + url("rtmp", server.listener->port(), "demo?key=k1"),
        errors);
  });
  const auto sink = server.directory.sink(0);
  ASSERT_TRUE(sink);
  // Well-formed beginnings, then noise: chunks of every kind, some of it commands.
  std::mt19937 random(7);
  for (int i = 0; i < 150; ++i) {
    Peer peer(server.listener->port());
    Bytes bytes;
    rtmp::ClientHandshake().start(rtmp::DigestScheme::none, bytes);
    bytes.resize(1 + 2 * rtmp::kHandshakeBytes);
    if (i % 2 == 0) rtmp::write_message(bytes, {}, as_bytes("\x02 connect"), 128);
    for (int n = 0; n < 20'000; ++n) ByteWriter(bytes).u8(static_cast<std::uint8_t>(random()));
    peer.send(bytes);
    if (i % 3 == 0) {
      EXPECT_TRUE(peer.read_to_end());
    }
  }
  publisher.join();
  EXPECT_EQ(status, 0) << errors;
  ASSERT_TRUE(sink->wait_for_end());
  expect_test_feed(sorted(sink->items()));
}

}  // namespace
}  // namespace kapok::ingest
