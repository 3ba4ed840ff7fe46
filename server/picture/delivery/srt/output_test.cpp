#include "server/picture/delivery/srt/output.hpp"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>

namespace kapok::delivery {
namespace {

namespace asio = boost::asio;
using media::FeedBatch;

// What is on air, for one reader at a time and for probes.
struct Air {
  std::deque<FeedBatch> batches;
  asio::steady_timer* waiting = nullptr;
  bool closed = false;
  int open = 0;
};

class FakeSubscription final : public media::FeedSubscription {
 public:
  FakeSubscription(Air& air, asio::any_io_executor executor) : air_(air), changed_(executor) {
    ++air_.open;
    changed_.expires_at(asio::steady_timer::time_point::max());
  }
  ~FakeSubscription() override { --air_.open; }
  Task<Result<FeedBatch>> next() override {
    while (air_.batches.empty() && !air_.closed && !cancelled_) {
      air_.waiting = &changed_;
      co_await changed_.async_wait(kAsValue);
      air_.waiting = nullptr;
    }
    if (air_.closed || cancelled_) co_return fail(Errc::closed, "the channel was removed");
    FeedBatch batch = std::move(air_.batches.front());
    air_.batches.pop_front();
    co_return batch;
  }
  void cancel() override {
    cancelled_ = true;
    changed_.cancel();
  }

 private:
  Air& air_;
  asio::steady_timer changed_;
  bool cancelled_ = false;
};

class FakeSource final : public media::FeedSource {
 public:
  Task<Result<media::FeedAccess>> subscribe(media::SubscribeRequest request) override {
    if (request.channel != "museum") co_return fail(Errc::not_found, "no such channel");
    media::FeedAccess access;
    access.subscription = std::make_unique<FakeSubscription>(air, request.reader);
    access.on_air = on_air;
    co_return access;
  }
  void give(std::vector<media::FeedItem> items) {
    air.batches.push_back({std::move(items), 0});
    if (air.waiting != nullptr) air.waiting->cancel();
  }
  Air air;
  media::OnAir on_air = media::OnAir::now;
};

class FakeLink final : public srt::ViewerLink {
 public:
  Result<void> send(Buffer message) override {
    if (full) return fail(Errc::full, "slow");
    sent.push_back(std::move(message));
    return {};
  }
  std::size_t max_payload_bytes() const override { return 1456; }
  void close(std::string_view reason) override { closed = reason; }
  srt::LinkStats stats() const override { return {}; }
  std::vector<Buffer> sent;
  bool full = false;
  std::string closed;
};

// Video that is not packaged: any bytes are a picture.
media::FeedItem track() {
  media::Track track;
  track.id = 0x100;
  track.codec = media::Codec::avs3;
  track.kind = media::TrackKind::video;
  track.timescale = 90'000;
  track.ts = media::TsStream{0xd4, std::uint8_t{0xe0}, {}};
  return std::make_shared<const media::Track>(std::move(track));
}
enum class Kind : std::uint8_t { sync, other };
media::FeedItem picture(std::int64_t number, Kind kind) {
  media::Packet packet;
  packet.track = 0x100;
  packet.dts = packet.pts = {number * 1'800};
  packet.sync = kind == Kind::sync;
  packet.payload = Buffer(Bytes(3'000, std::byte{0x55}));
  return std::make_shared<const media::Packet>(std::move(packet));
}

class SrtOutputTest : public testing::Test {
 protected:
  ~SrtOutputTest() override {
    asio::co_spawn(context_, output_.drain(), [](std::exception_ptr) {});
    settle();
  }
  void settle() {
    context_.restart();
    context_.poll();
  }
  Result<srt::ViewerGrant> ask(srt::StreamId stream) {
    srt::ViewerRequest request;
    request.stream = std::move(stream);
    request.peer = "192.0.2.1:51234";
    std::optional<Result<srt::ViewerGrant>> got;
    asio::co_spawn(
        context_, output_.open(std::move(request)),
        [&](std::exception_ptr, Result<srt::ViewerGrant> answer) { got = std::move(answer); });
    settle();
    return *std::move(got);
  }
  static srt::StreamId museum() {
    srt::StreamId stream;
    stream.channel = "museum";
    return stream;
  }

  asio::io_context context_;
  FakeSource source_;
  FakeClock clock_;
  NullMetrics metrics_;
  access::TokenSigner signer_{{{1, Bytes(32, std::byte{7})}}};
  bool anonymous_ = true;
  SrtOutput output_{{.shards = {context_.get_executor()},
                     .source = source_,
                     .signer = &signer_,
                     .may_watch_anonymously = [this](std::string_view) { return anonymous_; },
                     .passphrase = [](std::string_view) { return "correct horse"; },
                     .clock = clock_,
                     .log = {},
                     .metrics = metrics_}};
};

TEST_F(SrtOutputTest, AnybodyMayWatchWhereThatIsAllowed) {
  const auto grant = ask(museum());
  ASSERT_TRUE(grant);
  EXPECT_EQ(grant->passphrase, "correct horse");
  EXPECT_EQ(source_.air.open, 0);  // the probe is gone
}

TEST_F(SrtOutputTest, ASessionOpensItsChannelWhereAnonymousCallersAreRefused) {
  anonymous_ = false;
  EXPECT_EQ(ask(museum()).error().code, Errc::denied);
  access::SessionToken token;
  token.channel = "museum";
  token.issued = clock_.utc();
  token.expires = clock_.utc() + seconds(60);
  srt::StreamId stream = museum();
  stream.session = signer_.issue(token);
  EXPECT_TRUE(ask(stream));
  token.channel = "theatre";
  stream.session = signer_.issue(token);
  EXPECT_EQ(ask(stream).error().code, Errc::denied);
}

TEST_F(SrtOutputTest, WhatIsNotThereOrNotOnAirIsRefused) {
  srt::StreamId stream;
  EXPECT_EQ(ask(stream).error().code, Errc::not_found);
  stream.channel = "theatre";
  EXPECT_EQ(ask(stream).error().code, Errc::not_found);
  source_.on_air = media::OnAir::not_yet;
  EXPECT_EQ(ask(museum()).error().code, Errc::conflict);
}

TEST_F(SrtOutputTest, ReceiversShareTheSameBytesFromASyncPacketOn) {
  auto first = ask(museum())->viewer;
  auto second = ask(museum())->viewer;
  const auto link = std::make_shared<FakeLink>();
  const auto other = std::make_shared<FakeLink>();
  first->begin(link);
  settle();
  source_.give({track(), picture(1, Kind::sync)});
  settle();
  second->begin(other);  // joins in the middle of a GOP
  source_.give({picture(2, Kind::other)});
  settle();
  ASSERT_FALSE(link->sent.empty());
  EXPECT_TRUE(other->sent.empty());
  source_.give({picture(3, Kind::sync)});
  settle();
  ASSERT_FALSE(other->sent.empty());
  EXPECT_EQ(source_.air.open, 1);
  EXPECT_EQ(other->sent.back().data(), link->sent.back().data());
  for (const Buffer& message : link->sent) {
    EXPECT_LE(message.size(), mpegts::kMessageBytes);
    EXPECT_EQ(message.size() % mpegts::kPacketBytes, 0u);
  }
  // Tables first: PID 0 in a packet that starts a section.
  EXPECT_EQ(other->sent.front().bytes()[1], std::byte{0x40});
  EXPECT_EQ(other->sent.front().bytes()[2], std::byte{0});
  first->ended("gone");
  second->ended("gone");
}

TEST_F(SrtOutputTest, ASlowReceiverGoesOnAtTheNextSyncPacket) {
  auto viewer = ask(museum())->viewer;
  const auto link = std::make_shared<FakeLink>();
  viewer->begin(link);
  settle();
  source_.give({track(), picture(1, Kind::sync)});
  settle();
  const std::size_t before = link->sent.size();
  link->full = true;
  source_.give({picture(2, Kind::other)});
  settle();
  link->full = false;
  source_.give({picture(3, Kind::other)});
  settle();
  EXPECT_EQ(link->sent.size(), before);
  source_.give({picture(4, Kind::sync)});
  settle();
  ASSERT_GT(link->sent.size(), before);
  EXPECT_EQ(link->sent[before].bytes()[2], std::byte{0});  // tables
  viewer->ended("gone");
}

TEST_F(SrtOutputTest, TheLastReceiverThatLeavesEndsTheReading) {
  auto viewer = ask(museum())->viewer;
  viewer->begin(std::make_shared<FakeLink>());
  settle();
  EXPECT_EQ(source_.air.open, 1);
  viewer->ended("gone");
  settle();
  EXPECT_EQ(source_.air.open, 0);
  // Another may come afterwards.
  auto next = ask(museum())->viewer;
  next->begin(std::make_shared<FakeLink>());
  settle();
  EXPECT_EQ(source_.air.open, 1);
  next->ended("gone");
}

TEST_F(SrtOutputTest, ARemovedChannelSaysGoodbye) {
  auto viewer = ask(museum())->viewer;
  const auto link = std::make_shared<FakeLink>();
  viewer->begin(link);
  settle();
  source_.air.closed = true;
  source_.give({});
  settle();
  EXPECT_EQ(link->closed, "the channel was removed");
  viewer->ended("own shutdown");
}

}  // namespace
}  // namespace kapok::delivery
