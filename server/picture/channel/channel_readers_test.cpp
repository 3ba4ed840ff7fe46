// What the readers of a channel get, and that tracks which are not packaged do it no harm.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "server/picture/channel/channel_fixture_test.hpp"

namespace kapok::channel {
namespace {

struct ChannelReaders : ChannelFixture {
  std::unique_ptr<media::FeedSubscription> reader;
  media::OnAir on_air = media::OnAir::not_yet;

  void subscribe(media::ReaderLimits limits = {.time = seconds(60)}) {
    auto access =
        channel->subscribe({.channel = "demo", .reader = shard.get_executor(), .limits = limits});
    ASSERT_TRUE(access);
    reader = std::move(access->subscription);
    on_air = access->on_air;
  }
  static Task<> read_into(media::FeedSubscription& from, std::vector<media::FeedItem>& items) {
    auto batch = co_await from.next();
    if (batch) items = std::move(batch->items);
  }
  // All that was not read yet; something must be there.
  std::vector<media::FeedItem> read() {
    std::vector<media::FeedItem> items;
    boost::asio::co_spawn(shard, read_into(*reader, items), boost::asio::detached);
    settle();
    EXPECT_FALSE(items.empty());
    return items;
  }
  static std::vector<media::Packet> packets_of(const std::vector<media::FeedItem>& items,
                                               media::TrackId track) {
    std::vector<media::Packet> found;
    for (const media::FeedItem& item : items)
      if (const auto* packet = std::get_if<std::shared_ptr<const media::Packet>>(&item))
        if ((*packet)->track == track) found.push_back(**packet);
    return found;
  }
  static std::vector<std::shared_ptr<const media::Track>> tracks_of(
      const std::vector<media::FeedItem>& items) {
    std::vector<std::shared_ptr<const media::Track>> found;
    for (const media::FeedItem& item : items)
      if (const auto* track = std::get_if<std::shared_ptr<const media::Track>>(&item))
        found.push_back(*track);
    return found;
  }
  static std::size_t discontinuities(const std::vector<media::FeedItem>& items) {
    return static_cast<std::size_t>(std::ranges::count_if(items, [](const auto& item) {
      return std::holds_alternative<media::Discontinuity>(item);
    }));
  }
  static media::Track beside(media::TrackId id, media::Codec codec, std::uint8_t stream_type) {
    media::Track track;
    track.id = id;
    track.codec = codec;
    track.kind = media::kind_of(codec);
    track.timescale = 90'000;
    track.ts =
        media::TsStream{.stream_type = stream_type, .pes_stream_id = 0xbd, .descriptors = {}};
    return track;
  }
  void TearDown() override {
    reader.reset();
    settle();
    ChannelFixture::TearDown();
  }
};

TEST_F(ChannelReaders, GetWhatIsPackagedOnTheSameTimes) {
  subscribe();
  EXPECT_EQ(on_air, media::OnAir::not_yet);
  Publisher publisher(*this, "main", "a");
  publisher.announce_both();
  publisher.run(seconds(1));
  const auto items = read();
  ASSERT_EQ(tracks_of(items).size(), 2U);
  EXPECT_EQ(tracks_of(items)[0]->timescale, 90'000U);
  EXPECT_EQ(tracks_of(items)[1]->timescale, 48'000U);
  const auto rendered = record->of("source");
  const auto given = packets_of(items, 1);
  ASSERT_EQ(given.size(), rendered.size());
  for (std::size_t i = 0; i < given.size(); ++i) {
    EXPECT_EQ(given[i].dts, rendered[i].packet.dts);
    EXPECT_EQ(given[i].payload.data(), rendered[i].packet.payload.data()) << "shared, not copied";
  }
  EXPECT_EQ(packets_of(items, 2).size(), record->of("audio-1").size());
}

TEST_F(ChannelReaders, OneWhoComesLaterBeginsWithAPicture) {
  Publisher publisher(*this, "main", "a");
  publisher.announce_both();
  publisher.run(milliseconds(1'500));  // a GOP is a second
  subscribe();
  EXPECT_EQ(on_air, media::OnAir::now);
  publisher.run(seconds(1));
  const auto items = read();
  ASSERT_GT(items.size(), 3U);
  EXPECT_EQ(tracks_of(items).size(), 2U);
  const auto* first = std::get_if<std::shared_ptr<const media::Packet>>(&items[2]);
  ASSERT_NE(first, nullptr);
  EXPECT_EQ((*first)->track, 1U);
  EXPECT_TRUE((*first)->sync);
}

TEST_F(ChannelReaders, TimesGoOnOverAReconnect) {
  subscribe();
  auto first = std::make_optional<Publisher>(*this, "main", "a");
  first->announce_both();
  first->run(seconds(1));
  EXPECT_TRUE(first->give(media::EndOfFeed{}));
  const auto before = read();
  clock.advance(seconds(20));
  Publisher second(*this, "main", "b");
  second.feed_ms = 5'000'000;
  second.announce_both();
  second.run(seconds(1));
  auto items = before;
  for (auto& item : read()) items.push_back(std::move(item));
  EXPECT_EQ(discontinuities(items), 1U);
  const auto pictures = packets_of(items, 1);
  for (std::size_t i = 1; i < pictures.size(); ++i) EXPECT_LT(pictures[i - 1].dts, pictures[i].dts);
  EXPECT_NEAR(static_cast<double>((pictures.back().dts - pictures.front().dts).count) / 90'000,
              21.98, 0.05);
}

TEST_F(ChannelReaders, GetTracksThatAreNotPackaged) {
  subscribe();
  Publisher publisher(*this, "main", "a");
  publisher.announce(beside(3, media::Codec::mp2, 0x04));
  publisher.announce(beside(4, media::Codec::scte35, 0x86));
  publisher.announce_both();
  for (int i = 0; i < 50; ++i) {
    publisher.run(milliseconds(20));
    EXPECT_TRUE(publisher.packet(3, publisher.feed_ms * 90, true));
  }
  EXPECT_TRUE(publisher.packet(4, publisher.feed_ms * 90, true));
  publisher.announce(beside(5, media::Codec::unknown, 0xd7));
  EXPECT_TRUE(publisher.packet(5, publisher.feed_ms * 90, true));
  const auto items = read();
  const auto tracks = tracks_of(items);
  ASSERT_EQ(tracks.size(), 5U);
  EXPECT_EQ(tracks[2]->ts->stream_type, 0x04);
  EXPECT_EQ(tracks[4]->ts->stream_type, 0xd7);
  EXPECT_EQ(record->eras.at(0).tracks.size(), 2U) << "the packager does not see them";
  // In step with the picture that was sent with them.
  const auto cue = packets_of(items, 4);
  ASSERT_EQ(cue.size(), 1U);
  EXPECT_NEAR(static_cast<double>(cue[0].dts.count),
              static_cast<double>(packets_of(items, 1).back().dts.count + 1'800), 200);
  EXPECT_EQ(packets_of(items, 5).size(), 1U);
  EXPECT_GT(packets_of(items, 3).size(), 20U);
  const FeedFacts feed = channel->facts().feeds[0];
  EXPECT_EQ(feed.dropped_packets, 0U);
  ASSERT_EQ(feed.tracks.size(), 5U);
  EXPECT_EQ(feed.tracks[2].codec, media::Codec::mp2);
  EXPECT_EQ(feed.tracks[2].rendition, "");
  EXPECT_EQ(feed.tracks[3].ts_stream_type, 0x86);
}

TEST_F(ChannelReaders, ACodecThatNobodyCanPackageGoesOnAirForThemAlone) {
  subscribe();
  Publisher publisher(*this, "main", "a");
  publisher.announce(beside(1, media::Codec::avs3, 0xd4));
  publisher.announce(beside(2, media::Codec::audio_vivid, 0xd5));
  for (int i = 0; i < 300; ++i) {
    EXPECT_TRUE(publisher.packet(1, i * 1'800, i % 50 == 0));
    EXPECT_TRUE(publisher.packet(2, i * 1'800, true));
    clock.advance(milliseconds(20));
  }
  ASSERT_TRUE(channel->facts().live);
  const auto items = read();
  EXPECT_EQ(tracks_of(items).size(), 2U);
  ASSERT_GE(packets_of(items, 1).size(), 90U);
  EXPECT_TRUE(packets_of(items, 1).front().sync);
  EXPECT_TRUE(record->eras.empty());
  // One that is packaged, come late after all, begins an era.
  publisher.announce(video_track(3, 90'000, {50, 1}));
  for (int i = 300; i < 400; ++i) {
    EXPECT_TRUE(publisher.packet(1, i * 1'800, i % 50 == 0));
    EXPECT_TRUE(publisher.packet(3, i * 1'800, i % 50 == 0));
    clock.advance(milliseconds(20));
  }
  EXPECT_EQ(record->eras.size(), 1U);
  EXPECT_GT(record->of("source").size(), 50U);
  EXPECT_EQ(discontinuities(read()), 1U);
}

TEST_F(ChannelReaders, ATrackThatTurnsIntoAnotherCodecIsRelayed) {
  subscribe();
  Publisher publisher(*this, "main", "a");
  publisher.announce_both();
  publisher.run(seconds(1));
  publisher.announce(beside(2, media::Codec::audio_vivid, 0xd5));
  for (int i = 0; i < 100; ++i) {
    publisher.run(milliseconds(20), Publisher::What::video);
    EXPECT_TRUE(publisher.packet(2, publisher.feed_ms * 90, true));
  }
  const auto items = read();
  EXPECT_EQ(discontinuities(items), 1U);
  EXPECT_EQ(record->eras.size(), 2U);
  EXPECT_EQ(record->eras[1].tracks.size(), 1U);
  EXPECT_EQ(tracks_of(items).back()->codec, media::Codec::audio_vivid);
}

TEST_F(ChannelReaders, AReaderWhoNeverReadsCostsTheChannelNothing) {
  subscribe(media::ReaderLimits{});
  Publisher publisher(*this, "main", "a");
  publisher.announce_both();
  publisher.run(seconds(61));
  EXPECT_EQ(record->of("source").size(), 3'050U);
  EXPECT_LT(read().size(), 250U) << "at most two seconds wait";
}

}  // namespace
}  // namespace kapok::channel
