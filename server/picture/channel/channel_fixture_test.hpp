// Tests only: a channel with a recorded rendering, and publishers on its home shard.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <memory>
#include <string>
#include <vector>

#include "server/picture/channel/channel.hpp"
#include "server/picture/channel/recorded_rendering_test.hpp"
#include "server/picture/channel/simulated_feed_test.hpp"

namespace kapok::channel {

struct ChannelFixture : ::testing::Test {
  boost::asio::io_context shard;
  FakeClock clock;
  NullMetrics metrics;
  std::shared_ptr<RenderingRecord> record = std::make_shared<RenderingRecord>();
  std::unique_ptr<Channel> channel;
  std::vector<std::string> closed;  // what connections were told

  void make(std::vector<FeedConfig> feeds) {
    channel = std::make_unique<Channel>(
        config(std::move(feeds)), ChannelServices{shard.get_executor(), clock, Log(), metrics, {}},
        std::make_unique<RecordedRendering>(record));
    ASSERT_TRUE(channel->open());
  }
  static ChannelConfig config(std::vector<FeedConfig> feeds) {
    return {.id = "demo", .title = "Demo", .feeds = std::move(feeds), .packager = {}, .ladder = {}};
  }
  void SetUp() override { make({{"main", 0, "secret"}}); }
  void TearDown() override { channel.reset(); }

  media::PublishRequest request(std::string peer) {
    media::PublishRequest request;
    request.channel = "demo";
    request.peer = peer;
    request.encoder = "test";
    request.close = [this, peer](std::string_view why) {
      closed.push_back(peer + ": " + std::string(why));
    };
    return request;
  }
  // What was posted (to close connections) happens; direct calls are as from the shard's own
  // thread.
  void settle() {
    shard.restart();
    shard.poll();
  }
};

// A publisher on the home shard: everything it does runs inside the io_context.
struct Publisher {
  ChannelFixture& at;
  std::shared_ptr<media::FeedSink> sink;
  std::int64_t feed_ms = 0;  // the encoder's clock
  int frame = 0;
  int gop = 50;

  Publisher(ChannelFixture& fixture, const std::string& feed, const std::string& peer)
      : at(fixture) {
    auto grant = at.channel->publish(feed, at.request(peer));
    EXPECT_TRUE(grant) << (grant ? "" : grant.error().message);
    if (grant) sink = grant->sink;
  }
  Result<void> give(media::FeedItem item) {
    Result<void> taken;
    boost::asio::post(at.shard, [&] { taken = sink->accept(std::move(item)); });
    at.settle();
    return taken;
  }
  static media::Track with_config(media::Track track, std::string_view config) {
    track.config = Buffer::copy_of(config);
    return track;
  }
  void announce(media::Track track, std::string_view config = "avcC") {
    EXPECT_TRUE(give(std::make_shared<const media::Track>(with_config(std::move(track), config))));
  }
  // 20 ms a packet, as the picture, so that both can be sent by one loop.
  static media::Track sound() {
    media::Track track = audio_track(2, 1000, 48'000);
    track.facts = media::AudioFacts{48'000, 2, 960};
    return track;
  }
  void announce_both() {
    announce(video_track(1, 1000, {50, 1}));
    announce(sound(), "asc");
  }
  Result<void> packet(media::TrackId track, std::int64_t ms, bool sync, std::size_t size = 100,
                      std::int64_t composition = 0) {
    auto packet = std::make_shared<media::Packet>();
    packet->track = track;
    packet->dts = {ms};
    packet->pts.count = static_cast<std::int64_t>(static_cast<std::uint64_t>(ms) +
                                                  static_cast<std::uint64_t>(composition));
    packet->sync = sync;
    packet->payload = Buffer(Bytes(size));
    packet->arrival = at.clock.mono();
    return give(std::shared_ptr<const media::Packet>(std::move(packet)));
  }
  enum class What : std::uint8_t { both, video, audio };
  // Real time passes while it sends.
  void run(milliseconds time, What what = What::both) {
    for (std::int64_t end = feed_ms + time.count(); feed_ms < end; feed_ms += 20) {
      if (what != What::audio) {
        EXPECT_TRUE(packet(1, feed_ms, frame % gop == 0));
        ++frame;
      }
      if (what != What::video) EXPECT_TRUE(packet(2, feed_ms + 1, true, 10));
      at.clock.advance(milliseconds(20));
    }
  }
};

inline ChannelTime time_of(const RenderingRecord::Appended& one) {
  return media::to_nanoseconds(one.packet.dts, one.rendition == "source" ? 90'000 : 48'000);
}

}  // namespace kapok::channel
