// A channel with the packager that it has in the server: what the two promise each other holds.
#include <gtest/gtest.h>

#include <boost/asio/post.hpp>
#include <cmath>
#include <map>

#include "server/picture/channel/channel.hpp"
#include "server/picture/channel/packager_rendering.hpp"
#include "server/picture/channel/simulated_feed_test.hpp"
#include "server/picture/packaging/packaging_fixture_test.hpp"

namespace kapok::channel {
namespace {

struct Live : ::testing::Test {
  packaging::TemporaryFolder folder;
  packaging::RecordedWindow windows;
  packaging::RecordedEvidence evidence;
  FakeClock clock;
  NullMetrics metrics;
  boost::asio::io_context shard;
  std::unique_ptr<WorkerThread> writer = std::make_unique<WorkerThread>("spool", 10'000);
  std::unique_ptr<Channel> channel;
  std::shared_ptr<media::FeedSink> sink;

  void SetUp() override {
    packaging::PackagerOptions options;
    options.channel = "demo";
    options.directory = folder.path();
    ChannelConfig config{
        .id = "demo", .title = "", .feeds = {{"main", 0, "k"}}, .packager = options, .ladder = {}};
    channel = std::make_unique<Channel>(
        config, ChannelServices{shard.get_executor(), clock, Log(), metrics, {}},
        make_packager_rendering(
            options, {shard.get_executor(), *writer, windows, evidence, clock, Log(), metrics}));
    ASSERT_TRUE(channel->open());
  }
  void TearDown() override {
    boost::asio::co_spawn(shard, channel->close(), boost::asio::detached);
    shard.restart();
    shard.run();
    channel.reset();
  }
  void give(media::FeedItem item) {
    boost::asio::post(shard, [&] { ASSERT_TRUE(sink->accept(std::move(item))); });
    shard.restart();
    shard.poll();
  }
  void settle() {
    for (int i = 0; i < 3; ++i) {
      std::promise<void> reached;
      writer->submit([&] { reached.set_value(); });
      reached.get_future().wait();
      shard.restart();
      shard.poll();
    }
  }
  enum class Change : std::uint8_t { none, picture };
  void publish(Change change) {
    media::PublishRequest request;
    request.peer = "test";
    auto grant = channel->publish("main", std::move(request));
    ASSERT_TRUE(grant);
    sink = grant->sink;
    auto video = std::make_shared<media::Track>(*packaging::video_track(1000, {50, 1}));
    if (change == Change::picture) {
      media::VideoFacts facts = *video->video();
      facts.width = 1920;
      facts.height = 1080;
      video->facts = facts;
      Bytes other(video->config.bytes().begin(), video->config.bytes().end());
      other[3] = std::byte{0x2a};
      video->config = Buffer(std::move(other));
      video->codec_string = "avc1.64002A";
    }
    auto audio = std::make_shared<media::Track>(*packaging::audio_track("zh"));
    audio->timescale = 1000;
    give(std::shared_ptr<const media::Track>(std::move(video)));
    give(std::shared_ptr<const media::Track>(std::move(audio)));
  }
  void run(SimulatedFeed::Options options, double seconds_long) {
    SimulatedFeed feed(options);
    const MonoTime began = clock.mono();
    while (true) {
      auto next = feed.next();
      if (next.media_s >= seconds_long) return;
      send(std::move(next), began);
    }
  }
  void send(SimulatedFeed::Next next, MonoTime began) {
    const MonoTime arrival = began + (next.packet.arrival - MonoTime(seconds(500)));
    if (arrival > clock.mono()) clock.advance(arrival - clock.mono());
    next.packet.arrival = arrival;
    next.packet.payload = Buffer(Bytes(next.packet.sync ? 400 : 100));
    give(std::make_shared<const media::Packet>(std::move(next.packet)));
  }
  // How long after the first packet's arrival the rendition has its first part, to the packet.
  milliseconds until_first_part(const std::string& rendition) {
    const std::size_t before = parts(rendition);
    SimulatedFeed feed({});
    const MonoTime began = clock.mono();
    while (clock.mono() - began < seconds(10)) {
      send(feed.next(), began);
      settle();
      if (parts(rendition) > before) break;
    }
    return std::chrono::duration_cast<milliseconds>(clock.mono() - began);
  }
  std::vector<packaging::Segment> closed(const std::string& rendition) const {
    std::vector<packaging::Segment> found;
    for (const auto& event : windows.events)
      if (const auto* end = std::get_if<packaging::SegmentClosed>(&event->what))
        if (end->rendition == rendition) found.push_back(end->segment);
    return found;
  }
  std::size_t parts(const std::string& rendition) const {
    return static_cast<std::size_t>(std::ranges::count_if(windows.events, [&](const auto& event) {
      const auto* part = std::get_if<packaging::PartAdded>(&event->what);
      return part != nullptr && part->rendition == rendition;
    }));
  }
  // Of the manifest: what a DASH player has to start over for.
  int periods() const {
    const std::string manifest(windows.window->manifest()->text.text());
    int count = 0;
    for (auto at = manifest.find("<Period"); at != std::string::npos;
         at = manifest.find("<Period", at + 1))
      ++count;
    return count;
  }
  // The segment durations of all eras that were ever opened, without repetitions.
  std::vector<milliseconds> era_lengths() const {
    std::map<std::uint32_t, milliseconds> found;
    for (const auto& event : windows.events)
      if (const auto* opened = std::get_if<packaging::EraOpened>(&event->what))
        found[opened->era.id] =
            std::chrono::duration_cast<milliseconds>(opened->era.segment_duration);
    std::vector<milliseconds> lengths;
    for (const auto& [id, length] : found) lengths.push_back(length);
    return lengths;
  }
};

// Numbers and times must rise all the same.
int discontinuities(const std::vector<packaging::Segment>& segments) {
  int count = 0;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    count += segments[i].discontinuity ? 1 : 0;
    if (i == 0) continue;
    EXPECT_EQ(segments[i].number, segments[i - 1].number + 1);
    EXPECT_GT(segments[i].start_utc, segments[i - 1].start_utc);
  }
  return count;
}

double seconds_of(UtcTime from, UtcTime to) {
  return std::chrono::duration<double>(to - from).count();
}

TEST_F(Live, ADriftingJitteredFeedGivesSegmentsWithoutHolesAtTheTimeTheyArrive) {
  const UtcTime began = clock.utc();
  publish(Change::none);
  run({{50, 1}, 100, milliseconds(80), true}, 240);
  settle();
  for (const char* rendition : {"source", "audio-zh"}) {
    const auto segments = closed(rendition);
    const media::Timescale timescale = rendition == std::string("source") ? 90'000 : 48'000;
    ASSERT_GE(segments.size(), 115U) << rendition;
    for (std::size_t i = 0; i < segments.size(); ++i) {
      const packaging::Segment& one = segments[i];
      EXPECT_FALSE(one.gap) << rendition << one.number;
      EXPECT_FALSE(one.discontinuity);
      EXPECT_NEAR(static_cast<double>(one.duration.count) / timescale, 2, 0.03);
      if (i == 0) continue;
      EXPECT_EQ(one.number, segments[i - 1].number + 1);
      EXPECT_NEAR(
          static_cast<double>((one.start - segments[i - 1].start - segments[i - 1].duration).count),
          0, 3)
          << rendition << one.number;
    }
    // The picture sent 2 s x i after the first one stands where it was sent, within 100 ms.
    if (timescale == 90'000) {
      for (std::size_t i = 0; i < segments.size(); ++i)
        EXPECT_NEAR(seconds_of(began, segments[i].start_utc), 2.0 * static_cast<double>(i) / 1.0001,
                    0.1);
    }
  }
}

// Nothing can be listed earlier: TARGETDURATION is in every playlist and comes from the GOP, whose
// end only the second sync packet tells.
TEST_F(Live, ANewChannelsFirstGopIsThereOnceItsLengthIsKnown) {
  publish(Change::none);
  EXPECT_EQ(until_first_part("source"), seconds(2)) << "the arrival of the second sync packet";
  EXPECT_EQ(parts("source"), 10U) << "all parts of the first GOP at once";
  EXPECT_GE(parts("audio-zh"), 9U);
}

TEST_F(Live, AChannelOfKnownTimingHasAPartAsSoonAsItsLastFrameHasCome) {
  publish(Change::none);
  run({}, 20);
  give(media::EndOfFeed{});
  clock.advance(std::chrono::minutes(2));
  publish(Change::none);
  settle();
  EXPECT_EQ(until_first_part("source"), milliseconds(180)) << "the tenth frame of ten";
}

TEST_F(Live, TheSamePublisherBackAfterThreeSecondsIsNoDiscontinuity) {
  publish(Change::none);
  run({}, 20);
  give(media::EndOfFeed{});
  clock.advance(seconds(3));
  publish(Change::none);
  run({}, 20);
  settle();
  for (const char* rendition : {"source", "audio-zh"}) {
    const auto segments = closed(rendition);
    ASSERT_GE(segments.size(), 18U) << rendition;
    EXPECT_EQ(discontinuities(segments), 0) << rendition;
  }
  EXPECT_EQ(channel->facts().eras, 1U);
  EXPECT_EQ(channel->facts().feeds[0].dropped_packets, 0U);
}

TEST_F(Live, AnotherPictureIsExactlyOneDiscontinuity) {
  publish(Change::none);
  run({}, 20);
  give(media::EndOfFeed{});
  clock.advance(seconds(1));
  publish(Change::picture);
  run({}, 20);
  settle();
  for (const char* rendition : {"source", "audio-zh"}) {
    const auto segments = closed(rendition);
    ASSERT_GE(segments.size(), 18U) << rendition;
    EXPECT_EQ(discontinuities(segments), 1) << rendition;
  }
  EXPECT_EQ(channel->facts().eras, 2U);
  EXPECT_EQ(channel->facts().feeds[0].dropped_packets, 0U);
}

// The hole of the first reconnect must not pass for the GOP of what comes after the second.
TEST_F(Live, AnotherPictureAfterAReconnectIsExactlyOneDiscontinuity) {
  publish(Change::none);
  run({}, 20);
  give(media::EndOfFeed{});
  clock.advance(seconds(3));
  publish(Change::none);
  run({}, 20);
  give(media::EndOfFeed{});
  clock.advance(seconds(1));
  publish(Change::picture);
  run({}, 20);
  settle();
  for (const char* rendition : {"source", "audio-zh"}) {
    EXPECT_EQ(discontinuities(closed(rendition)), 1) << rendition;
    EXPECT_EQ(windows.window->find(rendition)->info().target_duration_s, 2U) << rendition;
  }
  // The reconnect moved the keyframes by a second, so the grid followed it: a Period, but the same
  // timeline. Then one for the other picture.
  EXPECT_EQ(periods(), 3);
  EXPECT_EQ(era_lengths(), (std::vector<milliseconds>{seconds(2), seconds(2), seconds(2)}));
  EXPECT_EQ(channel->facts().eras, 2U);
}

// The same picture in another rhythm: an encoder whose keyframe interval was changed shows nothing
// of it in its parameters, and its first part is not kept waiting for the suspicion.
TEST_F(Live, AnotherRhythmAfterALongPauseIsNoMoreThanTwoDiscontinuities) {
  publish(Change::none);
  run({}, 20);
  give(media::EndOfFeed{});
  clock.advance(std::chrono::minutes(2));
  publish(Change::none);
  run({.gop_frames = 150}, 21);
  settle();
  for (const char* rendition : {"source", "audio-zh"})
    EXPECT_EQ(discontinuities(closed(rendition)), 2) << rendition;
  EXPECT_EQ(periods(), 3);
  EXPECT_EQ(era_lengths().back(), seconds(3));
}

}  // namespace
}  // namespace kapok::channel
