#include "server/picture/channel/channel.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "server/picture/channel/channel_fixture_test.hpp"

namespace kapok::channel {
namespace {

using media::EndOfFeed;
using media::FeedEnd;

using Fixture = ChannelFixture;

TEST_F(Fixture, StartsOneEraWithBothTracksAtTheFirstSyncPacket) {
  const UtcTime began = clock.utc();
  Publisher publisher(*this, "main", "a");
  publisher.announce_both();
  publisher.frame = 3;  // three frames into a GOP
  publisher.run(seconds(3));
  ASSERT_EQ(record->eras.size(), 1U);
  const auto& era = record->eras.front();
  ASSERT_EQ(era.tracks.size(), 2U);
  EXPECT_EQ(era.tracks[0].rendition, "source");
  EXPECT_EQ(era.tracks[0].track->timescale, 90'000U);
  EXPECT_EQ(era.tracks[1].rendition, "audio-1");
  EXPECT_EQ(era.tracks[1].track->timescale, 48'000U);
  EXPECT_EQ(era.start, began + milliseconds(47 * 20)) << "when the first sync packet came";
  EXPECT_TRUE(record->of("source").front().packet.sync);
  EXPECT_EQ(time_of(record->of("source").front()), era.start.time_since_epoch());
  for (const auto& one : record->packets)
    EXPECT_GE(time_of(one) + microseconds(1), era.start.time_since_epoch());
  EXPECT_EQ(record->lives, 1);
  EXPECT_TRUE(record->added.empty());
}

TEST_F(Fixture, KeepsTheDistanceOfSoundAndPicture) {
  Publisher publisher(*this, "main", "a");
  publisher.announce_both();
  publisher.run(seconds(1));
  const auto video = record->of("source");
  const auto audio = record->of("audio-1");
  ASSERT_FALSE(audio.empty());
  const auto apart = time_of(audio.front()) - time_of(video.front());
  EXPECT_NEAR(std::chrono::duration<double>(apart).count(), 0.001, 0.00002);
}

TEST_F(Fixture, AnEraOfAFeedWithBFramesBeginsWithItsFirstPresentation) {
  const UtcTime began = clock.utc();
  const auto send = [&](Publisher& publisher) {
    // I P B B at 25 fps, with sound that runs from before the first picture.
    for (int i = 0; i < 100; ++i) {
      const std::array<std::int64_t, 4> compositions{80, 160, 40, 40};
      ASSERT_TRUE(
          publisher.packet(1, i * 40, i % 50 == 0, 100,
                           i % 50 == 0 ? 80 : compositions[static_cast<std::size_t>(i) % 4]));
      ASSERT_TRUE(publisher.packet(2, i * 40 + 1, true, 10));
      clock.advance(milliseconds(40));
    }
  };
  Publisher publisher(*this, "main", "a");
  publisher.announce_both();
  send(publisher);
  ASSERT_EQ(record->eras.size(), 1U);
  const ChannelTime start = record->eras[0].start.time_since_epoch();
  EXPECT_EQ(start, began.time_since_epoch()) << "within 100 ms of arrival means the picture";
  const auto video = record->of("source");
  EXPECT_EQ(media::to_nanoseconds(video[0].packet.pts, 90'000), start);
  EXPECT_EQ(time_of(video[0]), start - milliseconds(80));
  EXPECT_EQ(std::chrono::round<milliseconds>(time_of(record->of("audio-1")[0]) - start),
            milliseconds(1));
  // It comes back at once: decode times go on rising.
  ASSERT_TRUE(publisher.give(EndOfFeed{}));
  Publisher again(*this, "main", "b");
  again.announce_both();
  send(again);
  EXPECT_EQ(record->eras.size(), 1U);
  for (const char* rendition : {"source", "audio-1"}) {
    const auto packets = record->of(rendition);
    EXPECT_GE(packets.size(), 195U);
    for (std::size_t i = 1; i < packets.size(); ++i)
      ASSERT_GT(packets[i].packet.dts, packets[i - 1].packet.dts) << rendition << i;
  }
}

TEST_F(Fixture, AnAudioTrackThatIsAnnouncedLateIsAdded) {
  Publisher publisher(*this, "main", "a");
  publisher.announce(video_track(1, 1000, {50, 1}));
  publisher.run(seconds(1), Publisher::What::video);
  ASSERT_EQ(record->eras.size(), 1U);
  EXPECT_EQ(record->eras[0].tracks.size(), 1U);
  publisher.announce(Publisher::sound(), "asc");
  publisher.run(seconds(1));
  ASSERT_EQ(record->added.size(), 1U);
  EXPECT_EQ(record->added[0].rendition, "audio-1");
  EXPECT_EQ(record->eras.size(), 1U);
}

TEST_F(Fixture, AnAnnouncedTrackThatShowsNothingHoldsTheOthersHalfASecond) {
  Publisher publisher(*this, "main", "a");
  publisher.announce_both();
  publisher.run(milliseconds(480), Publisher::What::video);
  EXPECT_TRUE(record->eras.empty());
  publisher.run(milliseconds(80), Publisher::What::video);
  EXPECT_EQ(record->eras.size(), 1U);
}

TEST_F(Fixture, SoundAloneGoesOnAirWhenNoPictureComes) {
  Publisher publisher(*this, "main", "a");
  publisher.announce_both();
  publisher.run(seconds(2), Publisher::What::audio);
  ASSERT_EQ(record->eras.size(), 1U);
  EXPECT_EQ(record->eras[0].tracks[0].rendition, "audio-1");
  publisher.run(seconds(2));
  ASSERT_EQ(record->added.size(), 1U);
  EXPECT_EQ(record->added[0].rendition, "source");
  EXPECT_TRUE(record->of("source").front().packet.sync);
}

TEST_F(Fixture, VideoThatStopsForAWhileStopsNothingElse) {
  Publisher publisher(*this, "main", "a");
  publisher.announce_both();
  publisher.run(seconds(2));
  const std::size_t before = record->of("audio-1").size();
  publisher.run(seconds(30), Publisher::What::audio);
  EXPECT_EQ(record->of("audio-1").size(), before + 1500);
  publisher.run(seconds(2));
  EXPECT_EQ(record->eras.size(), 1U);
  publisher.run(seconds(30), Publisher::What::video);
  publisher.run(seconds(2));
  EXPECT_EQ(record->eras.size(), 1U);
}

TEST_F(Fixture, ReconnectWithTheSameParametersContinuesTheEra) {
  Publisher first(*this, "main", "a");
  first.announce_both();
  first.run(seconds(4));
  const auto last = time_of(record->of("source").back());
  ASSERT_TRUE(first.give(EndOfFeed{FeedEnd::connection_lost}));
  EXPECT_EQ(record->idles, 1);
  clock.advance(seconds(3));
  Publisher second(*this, "main", "b");
  second.announce_both();
  second.run(seconds(2));
  EXPECT_EQ(record->eras.size(), 1U);
  EXPECT_EQ(record->lives, 2);
  const auto packets = record->of("source");
  EXPECT_EQ(time_of(packets[200]) - last, seconds(3) + milliseconds(20))
      << "a gap, as long as it was";
}

TEST_F(Fixture, ReconnectWithOtherParametersIsExactlyOneNewEra) {
  Publisher first(*this, "main", "a");
  first.announce_both();
  first.run(seconds(4));
  ASSERT_TRUE(first.give(EndOfFeed{}));
  clock.advance(seconds(1));
  Publisher second(*this, "main", "b");
  second.announce(video_track(1, 1000, {50, 1}), "another avcC");
  second.announce(Publisher::sound(), "asc");
  second.run(seconds(4));
  ASSERT_EQ(record->eras.size(), 2U);
  EXPECT_GT(record->eras[1].start, record->eras[0].start + seconds(4));
  EXPECT_EQ(record->eras[1].tracks[0].rendition, "source") << "renditions keep their names";
}

TEST_F(Fixture, ReconnectAfterLongIsANewEra) {
  Publisher first(*this, "main", "a");
  first.announce_both();
  first.run(seconds(1));
  ASSERT_TRUE(first.give(EndOfFeed{}));
  clock.advance(seconds(20));
  Publisher second(*this, "main", "b");
  second.announce_both();
  second.run(seconds(1));
  EXPECT_EQ(record->eras.size(), 2U);
}

TEST_F(Fixture, AJumpOfTheClockIsExactlyOneNewEra) {
  Publisher publisher(*this, "main", "a");
  publisher.announce_both();
  publisher.run(seconds(10));
  std::size_t eras = 1;
  for (const std::int64_t jump : {-3'000, 3'600'000, -3'590'000}) {
    publisher.feed_ms += jump;
    publisher.run(seconds(4));
    EXPECT_EQ(record->eras.size(), ++eras) << jump;
  }
  for (const char* rendition : {"source", "audio-1"}) {
    const auto packets = record->of(rendition);
    for (std::size_t i = 1; i < packets.size(); ++i)
      ASSERT_GT(packets[i].packet.dts, packets[i - 1].packet.dts) << rendition << i;
  }
}

TEST_F(Fixture, AWrapThatIngestMissedIsNotAJump) {
  Publisher publisher(*this, "main", "a");
  publisher.announce_both();
  constexpr std::int64_t kWrap = std::int64_t{1} << 32;
  publisher.feed_ms = kWrap - 10'000;
  publisher.run(seconds(10));
  publisher.feed_ms -= kWrap;
  publisher.run(seconds(10));
  EXPECT_EQ(record->eras.size(), 1U);
  for (const char* rendition : {"source", "audio-1"}) {
    const auto packets = record->of(rendition);
    ASSERT_EQ(packets.size(), 1000U);
    EXPECT_EQ(std::chrono::round<milliseconds>(time_of(packets.back()) - time_of(packets.front())),
              milliseconds(999 * 20));
  }
  // And the next era's gate knows of it.
  ASSERT_TRUE(publisher.give(media::Discontinuity{}));
  publisher.run(seconds(2));
  EXPECT_EQ(record->eras.size(), 2U);
  EXPECT_GT(record->packets.size(), 2150U);
}

TEST_F(Fixture, TimesBeyondSenseAreDropped) {
  Publisher publisher(*this, "main", "a");
  publisher.announce_both();
  publisher.run(seconds(1));
  for (const std::int64_t ms : {INT64_MAX, INT64_MIN, std::int64_t{1} << 60}) {
    ASSERT_TRUE(publisher.packet(1, ms, true));
    ASSERT_TRUE(publisher.packet(1, publisher.feed_ms, true, 10, ms));
  }
  EXPECT_EQ(channel->facts().feeds[0].dropped_packets, 6U);
  publisher.run(seconds(1));
  EXPECT_EQ(record->eras.size(), 1U);
}

TEST_F(Fixture, AChangeOfParametersOnTheAirIsExactlyOneNewEra) {
  Publisher publisher(*this, "main", "a");
  publisher.announce_both();
  publisher.run(seconds(2));
  publisher.announce_both();  // again, unchanged
  publisher.run(seconds(2));
  EXPECT_EQ(record->eras.size(), 1U);
  publisher.announce(video_track(1, 1000, {25, 1}), "larger");
  publisher.frame = 0;
  publisher.run(seconds(2));
  ASSERT_EQ(record->eras.size(), 2U);
  EXPECT_EQ(record->eras[1].tracks.size(), 2U);
}

TEST_F(Fixture, NewFactsWithoutNewParametersUpdateTheTrack) {
  Publisher publisher(*this, "main", "a");
  publisher.announce_both();
  publisher.run(seconds(2));
  media::Track hdr = video_track(1, 1000, {50, 1});
  media::VideoFacts facts = *hdr.video();
  facts.light = media::ContentLight{1000, 400};
  hdr.facts = facts;
  publisher.announce(hdr);
  publisher.run(seconds(2));
  EXPECT_EQ(record->eras.size(), 1U);
  ASSERT_EQ(record->updated.size(), 1U);
  EXPECT_EQ(record->updated[0].track->video()->light->max_content, 1000);
}

TEST_F(Fixture, TheWallClockDoesNotMoveARunningEraAndNeverTheChannelBack) {
  Publisher publisher(*this, "main", "a");
  publisher.announce_both();
  publisher.run(seconds(2));
  const UtcTime start = record->eras[0].start;
  clock.step_utc(-seconds(3600));
  publisher.run(seconds(2));
  EXPECT_EQ(time_of(record->of("source").back()),
            start.time_since_epoch() + seconds(4) - milliseconds(20));
  publisher.give(media::Discontinuity{}).value();
  publisher.run(seconds(2));
  ASSERT_EQ(record->eras.size(), 2U);
  EXPECT_GE(record->eras[1].start, start + seconds(4) - milliseconds(20));
  EXPECT_LT(record->eras[1].start, start + seconds(5));
}

TEST_F(Fixture, AfterARestartTheTimelineGoesOnWhereItEnded) {
  record->recovered_end = clock.utc() + seconds(50);
  make({{"main", 0, "secret"}});
  Publisher publisher(*this, "main", "a");
  publisher.announce_both();
  publisher.run(seconds(1));
  ASSERT_EQ(record->eras.size(), 1U);
  EXPECT_EQ(record->eras[0].start, record->recovered_end);
}

TEST_F(Fixture, ABurstAtTheStartDoesNotBecomeLatency) {
  Publisher publisher(*this, "main", "a");
  publisher.announce_both();
  // Two seconds that a relay had kept, at once; then real time.
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(publisher.packet(1, i * 20, i % 50 == 0));
    ASSERT_TRUE(publisher.packet(2, i * 20, true));
    if (i % 10 == 0) clock.advance(milliseconds(1));
  }
  publisher.feed_ms = 2000;
  publisher.frame = 100;
  publisher.run(seconds(4));
  ASSERT_EQ(record->eras.size(), 1U);
  EXPECT_LE(abs(time_of(record->of("source").back()) -
                (clock.utc() - milliseconds(20)).time_since_epoch()),
            milliseconds(50));
}

TEST_F(Fixture, ASecondPublisherIsRefusedUntilTheFirstFellSilent) {
  Publisher first(*this, "main", "a");
  first.announce_both();
  first.run(seconds(1));
  auto refused = channel->publish("main", request("b"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::conflict);
  clock.advance(milliseconds(1'970));
  EXPECT_FALSE(channel->publish("main", request("b")));
  clock.advance(milliseconds(10));
  Publisher second(*this, "main", "c");
  settle();
  EXPECT_EQ(closed, std::vector<std::string>{"a: replaced by another publisher"});
  EXPECT_EQ(first.packet(1, 5'000, true).error().code, Errc::closed);
  EXPECT_EQ(channel->facts().feeds[0].last_end, FeedEnd::replaced);
  second.announce_both();
  second.run(seconds(1));
  EXPECT_EQ(record->eras.size(), 1U) << "the same parameters, two seconds later";
}

TEST_F(Fixture, TheFeedOfHighestPriorityIsOnAir) {
  make({{"main", 10, "m"}, {"backup", 5, "b"}});
  Publisher backup(*this, "backup", "b");
  backup.announce_both();
  backup.run(seconds(2));
  EXPECT_EQ(record->eras.size(), 1U);
  Publisher main(*this, "main", "a");
  main.announce_both();
  const auto both = [&](int frames) {
    for (int i = 0; i < frames; ++i) {
      main.run(milliseconds(20));
      clock.advance(milliseconds(-20));
      backup.run(milliseconds(20));
    }
  };
  both(100);
  EXPECT_EQ(record->eras.size(), 2U);
  EXPECT_TRUE(channel->facts().feeds[0].on_air);
  // It fails: the backup is back within its next GOP.
  ASSERT_TRUE(main.give(EndOfFeed{FeedEnd::connection_lost}));
  backup.run(seconds(3));
  EXPECT_EQ(record->eras.size(), 3U);
  EXPECT_TRUE(channel->facts().feeds[1].on_air);
  for (const char* rendition : {"source", "audio-1"}) {
    const auto packets = record->of(rendition);
    for (std::size_t i = 1; i < packets.size(); ++i)
      ASSERT_GT(packets[i].packet.dts, packets[i - 1].packet.dts) << rendition << i;
  }
}

TEST_F(Fixture, ASilentFeedGivesWayWithoutHavingEnded) {
  make({{"main", 10, "m"}, {"backup", 5, "b"}});
  Publisher main(*this, "main", "a");
  main.announce_both();
  main.run(seconds(1));
  Publisher backup(*this, "backup", "b");
  backup.announce_both();
  backup.run(seconds(2));
  EXPECT_EQ(record->eras.size(), 1U);
  backup.run(seconds(2));
  EXPECT_EQ(record->eras.size(), 2U);
  EXPECT_TRUE(channel->facts().feeds[1].on_air);
}

TEST_F(Fixture, OtherKindsOfTracksAreCountedAndNotPackaged) {
  Publisher publisher(*this, "main", "a");
  media::Track text;
  text.id = 7;
  text.kind = media::TrackKind::text;
  publisher.announce(text);
  publisher.announce_both();
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(publisher.packet(7, i, true));
  publisher.run(seconds(1));
  EXPECT_EQ(record->eras.size(), 1U);
  EXPECT_EQ(record->eras[0].tracks.size(), 2U);
  EXPECT_EQ(channel->facts().feeds[0].tracks.at(2).packets, 5U);
  EXPECT_EQ(channel->facts().feeds[0].dropped_packets, 0U);
}

TEST_F(Fixture, ChangedKeysCloseOnlyTheirOwnFeed) {
  make({{"main", 10, "m"}, {"backup", 5, "b"}});
  Publisher main(*this, "main", "a");
  Publisher backup(*this, "backup", "b");
  channel->reconfigure(config({{"main", 10, "m"}, {"backup", 7, "another"}}));
  settle();
  EXPECT_EQ(closed, std::vector<std::string>{"b: its key was changed"});
  main.announce_both();
  main.run(seconds(1));
  EXPECT_EQ(record->eras.size(), 1U);
  EXPECT_EQ(channel->facts().feeds[1].priority, 7);
  channel->reconfigure(config({{"backup", 7, "another"}}));
  settle();
  EXPECT_EQ(closed.back(), "a: the feed was removed");
  EXPECT_EQ(record->idles, 1);
}

TEST_F(Fixture, FactsAreMeasured) {
  Publisher publisher(*this, "main", "198.51.100.7:5000");
  publisher.announce_both();
  publisher.run(seconds(10));
  clock.advance(milliseconds(30));
  const ChannelFacts facts = channel->facts();
  EXPECT_TRUE(facts.live);
  EXPECT_EQ(facts.eras, 1U);
  const FeedFacts& feed = facts.feeds.at(0);
  EXPECT_TRUE(feed.on_air);
  EXPECT_EQ(feed.peer, "198.51.100.7:5000");
  EXPECT_EQ(feed.encoder, "test");
  EXPECT_EQ(feed.packets, 1000U);
  EXPECT_EQ(feed.last_packet_age, microseconds(50'000));
  const TrackFacts& video = feed.tracks.at(0);
  EXPECT_EQ(video.rendition, "source");
  EXPECT_EQ(video.video->width, 3840U);
  EXPECT_NEAR(video.frames_per_second, 50, 0.01);
  EXPECT_EQ(video.bits_per_second, 100U * 8 * 50);
  EXPECT_EQ(video.gop_frames, 50U);
  EXPECT_EQ(video.gop, seconds(1));
}

TEST_F(Fixture, ARefusedTrackEndsTheFeed) {
  Publisher publisher(*this, "main", "a");
  for (media::TrackId id = 0; id < FeedSession::kMaxTracks; ++id)
    publisher.announce(audio_track(id, 1000, 48'000));
  EXPECT_EQ(publisher.give(std::make_shared<const media::Track>(audio_track(99, 1000, 48'000)))
                .error()
                .code,
            Errc::limit);
  settle();
  EXPECT_EQ(closed.size(), 1U);
  EXPECT_FALSE(channel->facts().feeds[0].connected);
}

TEST_F(Fixture, ClosingEndsFeedsAndThenTheRendering) {
  Publisher publisher(*this, "main", "a");
  publisher.announce_both();
  publisher.run(seconds(1));
  boost::asio::co_spawn(shard, channel->close(), boost::asio::detached);
  settle();
  EXPECT_TRUE(record->closed);
  EXPECT_EQ(record->idles, 1);
  EXPECT_EQ(closed.size(), 1U);
}

TEST_F(Fixture, ASinkThatOutlivesItsChannelRefuses) {
  Publisher publisher(*this, "main", "a");
  publisher.announce_both();
  channel.reset();
  EXPECT_EQ(publisher.packet(1, 0, true).error().code, Errc::closed);
}

}  // namespace
}  // namespace kapok::channel
