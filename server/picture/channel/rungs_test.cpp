#include "server/picture/channel/rungs.hpp"

#include <gmock/gmock.h>

#include <boost/asio/co_spawn.hpp>
#include <csignal>

#include "server/picture/channel/channel_fixture_test.hpp"
#include "server/picture/channel/worker_child_test.hpp"

namespace kapok::channel {
namespace {

using media::EndOfFeed;

// A channel whose rungs are what the source is (worker_child: passthrough), marked sync where the
// channel says that a segment starts.
struct RungsFixture : ChannelFixture {
  struct Evidence final : evidence::EvidenceSink {
    void report(evidence::Fact fact) override {
      events.push_back(std::get<evidence::PictureEvent>(std::move(fact)));
    }
    std::vector<evidence::PictureEvent> events;
  };
  Evidence evidence;

  static media::VideoRung rung(std::string name, std::uint32_t height) {
    media::VideoRung rung;
    rung.name = std::move(name);
    rung.height = height;
    rung.bit_rate = 500'000;
    return rung;
  }
  static media::Ladder ladder() {
    media::Ladder ladder;
    ladder.name = "test";
    ladder.video = {rung("1080p", 1080), rung("720p", 720)};
    return ladder;
  }
  void make_with(std::optional<media::Ladder> ladder, const std::string& how = "passthrough") {
    channel.reset();
    ChannelConfig with = config({{"main", 0, "secret"}});
    with.ladder = std::move(ladder);
    channel = std::make_unique<Channel>(
        with,
        ChannelServices{shard.get_executor(), clock, Log(), metrics, worker_child(how), &evidence},
        std::make_unique<RecordedRendering>(record));
    ASSERT_TRUE(channel->open());
  }
  void SetUp() override { make_with(ladder()); }
  void TearDown() override {
    bool closed = false;
    boost::asio::co_spawn(shard, channel->close(), [&](std::exception_ptr) { closed = true; });
    until([&] { return closed; });
    channel.reset();
  }
  template <class Condition>
  void until(Condition&& condition) {
    const auto limit = std::chrono::steady_clock::now() + seconds(60);
    shard.restart();
    while (!condition()) {
      ASSERT_LT(std::chrono::steady_clock::now(), limit) << "it never happened";
      shard.run_one_for(milliseconds(20));
      shard.restart();
    }
  }
  LadderFacts facts() const { return channel->facts().ladder.value_or(LadderFacts{}); }
  // Until the worker has given back all that the source rendition got.
  void until_caught_up() {
    until([&] {
      const auto source = record->of("source");
      const auto rung = record->of("720p");
      return !rung.empty() && rung.back().packet.pts == source.back().packet.pts;
    });
  }
};

TEST_F(RungsFixture, RungsJoinTheEraOfTheirSourceAtTheSameTimes) {
  Publisher publisher(*this, "main", "a");
  publisher.announce_both();
  publisher.run(seconds(1));
  until_caught_up();
  ASSERT_EQ(record->eras.size(), 1U);
  EXPECT_EQ(record->eras[0].tracks.size(), 2U) << "the source's alone";
  ASSERT_EQ(record->added.size(), 2U);
  EXPECT_EQ(record->added[0].rendition, "1080p");
  EXPECT_EQ(record->added[0].origin, packaging::Origin::rung);
  EXPECT_EQ(record->added[0].bit_rate, 500'000U);
  EXPECT_EQ(record->added[0].track->timescale, 90'000U);
  const auto source = record->of("source");
  const auto rung = record->of("1080p");
  ASSERT_EQ(rung.size(), source.size());
  for (std::size_t i = 0; i < rung.size(); ++i) ASSERT_EQ(rung[i].packet.pts, source[i].packet.pts);
  EXPECT_TRUE(record->of("audio-1").size() > 40) << "sound is not sent there and back";
}

TEST_F(RungsFixture, SegmentsStartWhereThePackagerSaysSo) {
  Publisher publisher(*this, "main", "a");
  publisher.announce_both();
  publisher.gop = 25;
  const auto run = [&](seconds time) {
    publisher.run(time);
    until_caught_up();  // the fake clock runs faster than any process
  };
  run(seconds(1));  // how segments are cut is not known: every sync packet may start one
  run(seconds(1));
  record->open_segments["source"] = 700;
  run(seconds(1));
  run(seconds(1));
  record->open_segments["source"] = 701;
  run(seconds(1));
  std::vector<std::int64_t> starts;
  const auto packets = record->of("720p");
  for (std::size_t i = 0; i < packets.size(); ++i)
    if (packets[i].packet.sync) starts.push_back(static_cast<std::int64_t>(i));
  EXPECT_EQ(starts, (std::vector<std::int64_t>{0, 25, 50, 75, 100, 200}));
}

TEST_F(RungsFixture, StillPicturesGoToTheRenderingInChannelTime) {
  Publisher publisher(*this, "main", "a");
  publisher.announce_both();
  publisher.gop = 25;
  publisher.run(seconds(1));
  until_caught_up();
  until([&] { return record->images.size() >= 4; });
  const auto source = record->of("source");
  EXPECT_EQ(record->images[0].kind, media::ImageKind::thumbnail);
  EXPECT_EQ(record->images[1].kind, media::ImageKind::poster);
  EXPECT_EQ(record->images[0].pts, source[0].packet.pts);
  EXPECT_EQ(record->images[2].pts, source[25].packet.pts);
}

TEST_F(RungsFixture, StillPicturesThatTheLadderDoesNotAskForAreNotTaken) {
  media::Ladder without = ladder();
  without.poster.enabled = false;
  make_with(without);
  Publisher publisher(*this, "main", "a");
  publisher.announce_both();
  publisher.run(seconds(1));
  until_caught_up();
  until([&] { return !record->images.empty(); });
  for (const media::Image& image : record->images)
    EXPECT_EQ(image.kind, media::ImageKind::thumbnail);
}

TEST_F(RungsFixture, RungsAboveTheSourceAreLeftOutAndSaidSo) {
  media::Ladder tall = ladder();
  tall.video.push_back(rung("4320p", 4320));
  make_with(tall);
  Publisher publisher(*this, "main", "a");
  publisher.announce_both();
  publisher.run(seconds(1));
  until_caught_up();
  EXPECT_EQ(facts().rungs.size(), 2U);
  ASSERT_EQ(facts().left_out.size(), 1U);
  EXPECT_EQ(facts().left_out[0].rung, "4320p");
}

// A second language, and MPEG audio, which no household gets as it is.
TEST_F(RungsFixture, EachSoundHasItsRungsOfItsOwnPackets) {
  media::Ladder with_sound = ladder();
  with_sound.audio = {{"stereo", media::Codec::aac, 2, 96'000}};
  make_with(with_sound);
  Publisher publisher(*this, "main", "a");
  publisher.announce(video_track(1, 1000, {50, 1}));
  media::Track english = Publisher::sound();
  english.id = 3;
  english.language = "en";
  media::Track mpeg = english;
  mpeg.id = 0;  // numbers say nothing of the order
  mpeg.codec = media::Codec::mp2;
  mpeg.language = "";
  publisher.announce(mpeg, "");
  publisher.announce(Publisher::sound(), "asc");
  publisher.announce(english, "asc");
  const auto send = [&](milliseconds time) {
    for (milliseconds done{0}; done < time; done += milliseconds(20)) {
      publisher.run(milliseconds(20));
      EXPECT_TRUE(publisher.packet(3, publisher.feed_ms - 19, true, 30));
      EXPECT_TRUE(publisher.packet(0, publisher.feed_ms - 18, true, 50));
    }
  };
  send(seconds(1));
  until_caught_up();
  const auto expect_rungs = [&] {
    const auto rungs = facts().rungs;
    ASSERT_EQ(rungs.size(), 5U);
    EXPECT_EQ(rungs[2].track.rendition, "stereo");
    EXPECT_EQ(rungs[3].track.rendition, "stereo-en");
    EXPECT_EQ(rungs[4].track.rendition, "stereo-3");
    until([&] { return record->of("stereo-3").size() > 20; });
    EXPECT_EQ(record->of("stereo").back().packet.payload.size(), 10U);
    EXPECT_EQ(record->of("stereo-en").back().packet.payload.size(), 30U);
    EXPECT_EQ(record->of("stereo-3").back().packet.payload.size(), 50U);
    EXPECT_EQ(facts().rungs[3].track.language, "en");
    EXPECT_EQ(facts().rungs[4].track.language, "und-x-3");
  };
  expect_rungs();
  // MPEG audio is at the time that it had beside the picture; its first packet came before anything
  // was on air.
  const auto pictures = record->of("source");
  const auto sound = record->of("stereo-3").front().packet;
  const auto first = media::to_nanoseconds(pictures.front().packet.pts, 90'000);
  EXPECT_NEAR(static_cast<double>((media::to_nanoseconds(sound.pts, 48'000) - first).count()), 22e6,
              1.1e6);
  // Another worker is told the same.
  ::kill(static_cast<pid_t>(facts().worker.pid), SIGKILL);
  until([&] { return facts().worker.restarts == 1; });
  const auto before = record->of("stereo-3").size();
  publisher.frame = 0;
  until([&] {
    send(milliseconds(100));
    return record->of("stereo-3").size() > before + 20;
  });
  expect_rungs();
}

TEST_F(RungsFixture, WithoutALadderThereIsNoWorker) {
  make_with(std::nullopt);
  Publisher publisher(*this, "main", "a");
  publisher.announce_both();
  publisher.run(seconds(1));
  EXPECT_FALSE(channel->facts().ladder);
}

TEST_F(RungsFixture, WithNothingToMakeThereIsNoWorkerEither) {
  media::Ladder tall;
  tall.name = "tall";
  tall.video = {rung("4320p", 4320)};
  make_with(tall);
  Publisher publisher(*this, "main", "a");
  publisher.announce_both();
  publisher.run(seconds(1));
  EXPECT_EQ(facts().worker.state, WorkerState::idle);
  EXPECT_EQ(facts().worker.starts, 0U);
}

TEST_F(RungsFixture, ANewEraIsJoinedAnewAndTheOldOneCompleted) {
  Publisher publisher(*this, "main", "a");
  publisher.announce_both();
  publisher.run(seconds(1));
  until_caught_up();
  publisher.feed_ms += 100'000;
  publisher.frame = 0;
  publisher.run(seconds(1));
  ASSERT_EQ(record->eras.size(), 2U);
  until_caught_up();
  EXPECT_EQ(record->added.size(), 4U);
  EXPECT_EQ(record->of("720p").size(), record->of("source").size());
  EXPECT_EQ(facts().worker.starts, 1U) << "the same process";
  for (const RungFacts& rung : facts().rungs) EXPECT_EQ(rung.dropped_packets, 0U);
}

TEST_F(RungsFixture, AKilledWorkerCostsRungsAndNothingElse) {
  Publisher publisher(*this, "main", "a");
  publisher.announce_both();
  publisher.run(seconds(1));
  until_caught_up();
  ::kill(static_cast<pid_t>(facts().worker.pid), SIGKILL);
  publisher.run(seconds(1));
  until([&] { return record->away.size() == 2; });
  const std::size_t before = record->of("720p").size();
  publisher.frame = 0;
  until([&] {
    publisher.run(milliseconds(100));
    return record->of("720p").size() > before;
  });
  const auto source = record->of("source");
  for (std::size_t i = 1; i < source.size(); ++i)
    ASSERT_EQ(source[i].packet.dts.count - source[i - 1].packet.dts.count, 1800) << i;
  EXPECT_EQ(record->added.size(), 4U) << "they join again";
  EXPECT_EQ(record->eras.size(), 1U);
  EXPECT_EQ(facts().worker.restarts, 1U);
}

TEST_F(RungsFixture, AnotherLadderOnReloadReplacesTheWorkerOnly) {
  Publisher publisher(*this, "main", "a");
  publisher.announce_both();
  publisher.run(seconds(1));
  until_caught_up();
  ChannelConfig changed = config({{"main", 0, "secret"}});
  changed.ladder = ladder();
  changed.ladder->video.pop_back();
  channel->reconfigure(changed);
  until([&] {
    publisher.run(milliseconds(100));
    return facts().worker.starts == 2 && facts().worker.state == WorkerState::running;
  });
  EXPECT_EQ(record->eras.size(), 1U);
  EXPECT_THAT(record->away, testing::IsSupersetOf({"1080p", "720p"}));
  changed.ladder.reset();
  channel->reconfigure(changed);
  until([&] {
    publisher.run(milliseconds(20));
    return !channel->facts().ladder;
  });
}

TEST_F(RungsFixture, ALadderThatAReloadAddsIsMadeOfWhatIsOnAir) {
  make_with(std::nullopt);
  Publisher publisher(*this, "main", "a");
  publisher.announce_both();
  publisher.run(seconds(1));
  ChannelConfig changed = config({{"main", 0, "secret"}});
  changed.ladder = ladder();
  channel->reconfigure(changed);
  publisher.frame = 0;
  until([&] {
    publisher.run(milliseconds(100));
    return !record->of("720p").empty();
  });
  EXPECT_EQ(record->added.size(), 2U);
  EXPECT_EQ(record->eras.size(), 1U);
}

TEST_F(RungsFixture, TheWorkerOutlivesAPauseOfTheFeed) {
  {
    Publisher publisher(*this, "main", "a");
    publisher.announce_both();
    publisher.run(seconds(1));
    until_caught_up();
    ASSERT_TRUE(publisher.give(EndOfFeed{}));
  }
  clock.advance(seconds(60));
  Publisher again(*this, "main", "b");
  again.announce_both();
  again.run(seconds(1));
  until_caught_up();
  EXPECT_EQ(record->eras.size(), 2U);
  EXPECT_EQ(facts().worker.starts, 1U);
}

TEST_F(RungsFixture, WhatTheWorkerFindsIsShownAndReportedUntilItEnds) {
  channel.reset();
  make_with(ladder(), "finder");
  Publisher publisher(*this, "main", "a");
  publisher.announce_both();
  // A second of it at a time, so that the process keeps up with a clock that does not wait.
  const auto found = [&] { return channel->facts().anomalies; };
  for (int i = 0; i < 20 && found().empty(); ++i) {
    publisher.run(seconds(1));
    until_caught_up();
  }
  ASSERT_EQ(found().size(), 1U) << "what it was not given is not believed";
  EXPECT_EQ(found()[0].kind, media::Anomaly::black);
  EXPECT_TRUE(found()[0].goes_on);
  ASSERT_EQ(evidence.events.size(), 1U);
  EXPECT_EQ(evidence.events[0].channel, "demo");
  EXPECT_EQ(evidence.events[0].interval.from, found()[0].from);
  EXPECT_GE(evidence.events[0].interval.length(), seconds(1));
  channel->reconfigure(config({{"main", 0, "secret"}}));  // no ladder any more
  until([&] { return !found()[0].goes_on; });
}

}  // namespace
}  // namespace kapok::channel
