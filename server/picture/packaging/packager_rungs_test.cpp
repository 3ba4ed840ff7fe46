// Several renditions of one channel: a worker's come later, late, with holes, or not at all.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <limits>
#include <random>

#include "server/picture/packaging/delay_meter.hpp"
#include "server/picture/packaging/packaging_fixture_test.hpp"
#include "server/picture/packaging/playlist_lint.hpp"

namespace kapok::packaging {
namespace {

constexpr double kFrame = 0.02;
const std::vector<std::string> kClean;

PackagerOptions options_in(const TemporaryFolder& folder, microseconds window = seconds(1800)) {
  PackagerOptions options;
  options.channel = "demo";
  options.directory = folder.path() / "demo";
  options.window = window;
  return options;
}

std::shared_ptr<const media::Track> rung_track(std::uint32_t height, media::Rational rate) {
  auto track = std::make_shared<media::Track>(*video_track(90000, rate));
  auto& facts = std::get<media::VideoFacts>(track->facts);
  facts.height = height;
  facts.width = height * 16 / 9;
  return track;
}

// A source of 50 frames a second and what a worker makes of it, each rung so much later.
struct Ladder {
  struct Rung {
    std::string name;
    std::uint32_t height = 0;
    double behind = 0;      // seconds
    unsigned every = 1;     // 2: half of the frames
    Ticks reorder{};        // its encoder's
    std::int64_t next = 0;  // frame of the source
    bool working = true;
  };
  SyntheticFeed feed;
  std::vector<Rung> rungs;

  Ladder() { feed.sound = false; }

  RenditionTrack track(const Rung& rung) const {
    return {.rendition = rung.name,
            .track = rung_track(rung.height, {50 / rung.every, 1}),
            .origin = Origin::rung,
            .bit_rate = 1'000'000};
  }
  // A worker makes a GOP of each of the source's.
  media::Packet packet_of(const Rung& rung) const {
    media::Packet packet;
    const Ticks origin = media::from_microseconds(feed.start.time_since_epoch(), 90000);
    packet.pts = origin + Ticks{rung.next * 1800};
    packet.dts = packet.pts - rung.reorder;
    packet.sync = rung.next % feed.gop == 0;
    packet.duration = {1800 * std::int64_t{rung.every}};
    packet.payload = Buffer(Bytes(packet.sync ? 2000 : 300, std::byte{7}));
    return packet;
  }
  void make(Packager& packager, Rung& rung, double now) {
    while (static_cast<double>(rung.next) / 50 + rung.behind < now) {
      if (rung.working) {
        const auto taken = packager.append(rung.name, packet_of(rung));
        // Of an era that it has not joined.
        ASSERT_TRUE(taken || taken.error().code == Errc::not_found) << taken.error().message;
      }
      rung.next += rung.every;
    }
  }
  void push(Packager& packager, double until) {
    for (double now = static_cast<double>(feed.next_frame) / 50; now < until; now += 0.02) {
      feed.push(packager, now);
      for (Rung& rung : rungs) make(packager, rung, now);
    }
  }
  // As a worker that has just been started: from the next source GOP on.
  void restart(Rung& rung) {
    rung.next = (feed.next_frame + feed.gop - 1) / feed.gop * feed.gop;
    rung.working = true;
  }
};

LintedPlaylist list_of(Station& station, std::string_view rendition) {
  LintedPlaylist list = lint_playlist(station.playlist(rendition));
  EXPECT_EQ(list.faults, kClean) << station.playlist(rendition);
  const LintedPlaylist delta = lint_playlist(station.playlist(rendition, PlaylistForm::delta));
  EXPECT_EQ(lint_delta(list, delta), kClean);
  return list;
}

std::vector<std::uint64_t> gaps_in(const LintedPlaylist& list) {
  std::vector<std::uint64_t> gaps;
  for (const LintedSegment& segment : list.segments)
    if (segment.gap) gaps.push_back(segment.number);
  return gaps;
}

std::uint64_t newest_closed(const LintedPlaylist& list) {
  for (auto at = list.segments.rbegin(); at != list.segments.rend(); ++at)
    if (!at->uri.empty()) return at->number;
  return 0;
}

constexpr std::uint64_t kBase = 895'000'000;  // floor(start / 2 s)

struct Stage {
  TemporaryFolder folder;
  Station station;
  Ladder ladder;
  explicit Stage(microseconds window = seconds(1800)) : station(options_in(folder, window)) {
    ladder.rungs = {{.name = "720p", .height = 720, .behind = 0.4},
                    {.name = "360p", .height = 360, .behind = 1.7, .every = 2, .reorder = {7200}}};
  }
  void begin(UtcTime start) {
    station->feed_live();
    station->start_era(start, ladder.feed.tracks());
  }
  void add_rungs() {
    for (const Ladder::Rung& rung : ladder.rungs) station->add_track(ladder.track(rung));
  }
  void expect_siblings() {
    const LintedPlaylist source = list_of(station, "source");
    for (const Ladder::Rung& rung : ladder.rungs)
      EXPECT_EQ(lint_siblings(source, list_of(station, rung.name), kFrame), kClean)
          << station.playlist("source") << station.playlist(rung.name);
  }
};

TEST(Rungs, OneThatGoesToHalfOfItsRateUnderWayIsCutAsBefore) {
  Stage stage;
  stage.begin(stage.ladder.feed.start);
  stage.add_rungs();
  Ladder::Rung& rung = stage.ladder.rungs[0];
  for (const double change : {5.32, 10.52, 13.96, 18.52}) {  // in the middle, and at a segment
    stage.ladder.push(*stage.station, change);
    rung.every = 3 - rung.every;
  }
  stage.ladder.push(*stage.station, 30);
  stage.station.settle();
  stage.expect_siblings();
  EXPECT_TRUE(gaps_in(list_of(stage.station, rung.name)).empty());
}

TEST(Rungs, AreCutWhereTheSourceWasCut) {
  Stage stage;
  stage.begin(stage.ladder.feed.start);
  stage.add_rungs();
  for (double now = 1; now < 20; now += 0.37) {
    stage.ladder.push(*stage.station, now);
    stage.station.settle();
    if (now < 4) continue;
    stage.expect_siblings();
  }
  for (const char* name : {"720p", "360p"}) {
    const LintedPlaylist list = list_of(stage.station, name);
    EXPECT_EQ(list.segments.front().number, kBase);
    EXPECT_EQ(gaps_in(list), std::vector<std::uint64_t>()) << name;
    EXPECT_GE(list.segments.size(), 8U);
    for (const LintedSegment& segment : list.segments)
      if (!segment.parts.empty()) EXPECT_TRUE(segment.parts.front().independent);
    EXPECT_EQ(list.reports.size(), 2U);
  }
  stage.station.close();
}

// RTMP's whole milliseconds, and a source whose encoder reorders.
TEST(Rungs, FollowASourceOffTheGrid) {
  Stage stage;
  stage.ladder.feed.start += microseconds(123'456);
  stage.begin(stage.ladder.feed.start - milliseconds(70));
  stage.add_rungs();
  stage.ladder.push(*stage.station, 15);
  stage.station.settle();
  stage.expect_siblings();
  EXPECT_EQ(gaps_in(list_of(stage.station, "720p")), std::vector<std::uint64_t>());
}

TEST(Rungs, OneThatJoinsLateListsGapsAsFarBackAsTheSource) {
  Stage stage;
  stage.begin(stage.ladder.feed.start);
  Ladder::Rung& rung = stage.ladder.rungs[0];
  rung.working = false;
  stage.station->add_track(stage.ladder.track(stage.ladder.rungs[1]));
  stage.ladder.push(*stage.station, 25.3);
  stage.station.settle();
  EXPECT_EQ(stage.station.window().find("720p"), nullptr);
  stage.ladder.restart(rung);
  stage.station->add_track(stage.ladder.track(rung));
  stage.station.settle();
  EXPECT_EQ(stage.station.window().multivariant()->text.text().find("720p"), std::string::npos)
      << "nothing of it can be played yet";
  stage.ladder.push(*stage.station, 33);
  stage.station.settle();
  stage.expect_siblings();
  const auto gaps = gaps_in(list_of(stage.station, "720p"));
  EXPECT_EQ(gaps.front(), kBase);
  EXPECT_EQ(gaps.back(), kBase + 12);
  EXPECT_NE(stage.station.window().multivariant()->text.text().find("720p"), std::string::npos);
  stage.station.close();
}

TEST(Rungs, OneWhoseWorkerDiesShowsGapsUntilItIsBack) {
  Stage stage;
  stage.begin(stage.ladder.feed.start);
  stage.add_rungs();
  stage.ladder.push(*stage.station, 9.3);
  stage.station.settle();
  const LintedPlaylist before = list_of(stage.station, "720p");
  Ladder::Rung& rung = stage.ladder.rungs[0];
  rung.working = false;
  stage.station->track_away("720p");
  stage.station.settle();
  const RenditionWindow* window = stage.station.window().find("720p");
  stage.ladder.push(*stage.station, 10.1);
  stage.station.settle();
  const LintedPlaylist first_gap = list_of(stage.station, "720p");
  EXPECT_EQ(gaps_in(first_gap), std::vector<std::uint64_t>{kBase + 4})
      << "as soon as the source has ended it";
  EXPECT_FALSE(first_gap.preload_hint);
  EXPECT_EQ(window->playlist_presence(kBase + 4, 3), Presence::here) << "no reload waits for it";
  EXPECT_EQ(window->segment_presence({0, kBase + 4}), Presence::empty);
  stage.ladder.push(*stage.station, 14.3);
  stage.station.settle();
  EXPECT_EQ(gaps_in(list_of(stage.station, "720p")).size(), 3U);
  stage.expect_siblings();

  stage.ladder.restart(rung);
  stage.station->add_track(stage.ladder.track(rung));
  stage.ladder.push(*stage.station, 20);
  stage.station.settle();
  stage.expect_siblings();
  const LintedPlaylist after = list_of(stage.station, "720p");
  EXPECT_EQ(gaps_in(after),
            (std::vector<std::uint64_t>{kBase + 4, kBase + 5, kBase + 6, kBase + 7}));
  EXPECT_EQ(after.segments.size(), list_of(stage.station, "source").segments.size());
  // A part that was listed may go with its segment, nothing else may change.
  LintedPlaylist kept = before;
  while (kept.segments.back().number >= kBase + 4) kept.segments.pop_back();
  EXPECT_EQ(lint_reload(kept, after), kClean);
  EXPECT_EQ(gaps_in(list_of(stage.station, "360p")), std::vector<std::uint64_t>());
  EXPECT_EQ(gaps_in(list_of(stage.station, "source")), std::vector<std::uint64_t>());
  stage.station.close();
}

TEST(Rungs, OneThatHangsIsNoticedByItself) {
  Stage stage;
  stage.begin(stage.ladder.feed.start);
  stage.add_rungs();
  stage.ladder.push(*stage.station, 9.3);
  stage.ladder.rungs[0].working = false;
  stage.ladder.push(*stage.station, 18);
  stage.station.settle();
  stage.expect_siblings();
  const LintedPlaylist list = list_of(stage.station, "720p");
  EXPECT_EQ(newest_closed(list), newest_closed(list_of(stage.station, "source")));
  EXPECT_EQ(gaps_in(list).front(), kBase + 4);
}

TEST(Rungs, AHoleMakesAGapOfItsSegmentOnly) {
  Stage stage;
  stage.begin(stage.ladder.feed.start);
  stage.add_rungs();
  Ladder::Rung& rung = stage.ladder.rungs[0];
  stage.ladder.push(*stage.station, 8.9);
  rung.working = false;  // a queue was full: to the next sync packet
  stage.ladder.push(*stage.station, 9.4);
  rung.working = true;
  stage.ladder.push(*stage.station, 20);
  stage.station.settle();
  stage.expect_siblings();
  EXPECT_EQ(gaps_in(list_of(stage.station, "720p")), std::vector<std::uint64_t>{kBase + 4});
}

TEST(Rungs, APauseOfTheFeedIsNoDelayOfTheirs) {
  Stage stage;
  stage.begin(stage.ladder.feed.start);
  stage.add_rungs();
  stage.ladder.push(*stage.station, 8.5);
  for (Ladder::Rung& rung : stage.ladder.rungs)  // what the worker still had
    for (; rung.next < stage.ladder.feed.next_frame; rung.next += rung.every)
      ASSERT_TRUE(stage.station->append(rung.name, stage.ladder.packet_of(rung)));
  stage.station->feed_idle();
  stage.station->feed_live();
  stage.ladder.feed.next_frame = 650;
  for (Ladder::Rung& rung : stage.ladder.rungs) rung.next = 650;
  stage.ladder.push(*stage.station, 25);
  stage.station.settle();
  stage.expect_siblings();
  const auto missed = gaps_in(list_of(stage.station, "source"));
  EXPECT_EQ(missed, (std::vector<std::uint64_t>{kBase + 5}));
  for (const char* name : {"720p", "360p"}) {
    const auto gaps = gaps_in(list_of(stage.station, name));
    EXPECT_LE(gaps.size(), 2U) << stage.station.playlist(name);
    EXPECT_EQ(gaps.back(), kBase + 5);
  }
}

// Whatever happens to feed and worker: the lint has nothing to say of any rendition, alone or
// beside the source, and what comes from the index is the same.
TEST(Rungs, KeepTheirRulesWhateverHappens) {
  for (unsigned seed = 0; seed < 60; ++seed) {
    std::mt19937 random(seed);
    const auto chance = [&](unsigned one_in) { return random() % one_in == 0; };
    Stage stage(seconds(30));
    Ladder& ladder = stage.ladder;
    const std::array<unsigned, 4> gops{25, 50, 100, 150};
    ladder.feed.gop = gops.at(random() % gops.size());
    ladder.rungs[0].behind = 0.1 + 0.1 * (random() % 40);
    stage.begin(ladder.feed.start);
    stage.add_rungs();
    double now = 0;
    for (int step = 0; step < 60; ++step) {
      now += 0.1 + 0.1 * (random() % 15);
      ladder.push(*stage.station, now);
      for (Ladder::Rung& rung : ladder.rungs) {
        if (rung.working && chance(8)) {
          rung.working = false;
          if (chance(2)) stage.station->track_away(rung.name);
        } else if (!rung.working && chance(3)) {
          if (chance(2)) stage.station->add_track(ladder.track(rung));
          ladder.restart(rung);
        }
      }
      const bool killed = chance(20);
      if (killed) ASSERT_TRUE(stage.station.kill_and_start());
      if (killed || chance(15)) {
        ladder.feed.start += microseconds(static_cast<std::int64_t>((now + 0.5) * 1e6));
        ladder.feed.next_frame = 0;
        for (Ladder::Rung& rung : ladder.rungs) rung.next = 0;
        now = 0;
        stage.begin(ladder.feed.start);
        for (const Ladder::Rung& rung : ladder.rungs)
          if (chance(2)) stage.station->add_track(ladder.track(rung));
      }
      stage.station.settle();
      if (stage.station.playlist("source").empty()) continue;
      const LintedPlaylist source = list_of(stage.station, "source");
      for (const Ladder::Rung& rung : ladder.rungs) {
        if (!stage.station.window().find(rung.name)) continue;
        if (stage.station.window().find(rung.name)->segments_empty()) continue;
        const LintedPlaylist list = list_of(stage.station, rung.name);
        const auto faults = lint_siblings(source, list, kFrame);
        ASSERT_EQ(faults, kClean) << "seed " << seed << " step " << step << '\n'
                                  << stage.station.playlist("source")
                                  << stage.station.playlist(rung.name);
      }
    }
  }
}

TEST(Rungs, AnEncoderThatIgnoresTheBoundaryMakesAGapAndNoOtherNumber) {
  Stage stage;
  stage.begin(stage.ladder.feed.start);
  stage.add_rungs();
  Ladder::Rung& rung = stage.ladder.rungs[0];
  stage.ladder.push(*stage.station, 9);
  rung.working = false;
  for (; rung.next < 50 * 13; ++rung.next) {
    media::Packet packet = stage.ladder.packet_of(rung);
    if (rung.next >= 500 && rung.next < 600) packet.sync = rung.next == 503;
    while (stage.ladder.feed.next_frame <= rung.next)
      ASSERT_TRUE(stage.station->append("source", stage.ladder.feed.picture()));
    ASSERT_TRUE(stage.station->append("720p", packet));
  }
  rung.working = true;
  stage.ladder.push(*stage.station, 20);
  stage.station.settle();
  stage.expect_siblings();
  EXPECT_EQ(gaps_in(list_of(stage.station, "720p")), std::vector<std::uint64_t>{kBase + 5});
}

TEST(Rungs, CompleteTheirSegmentsOfAnEraThatHasEnded) {
  Stage stage;
  stage.begin(stage.ladder.feed.start);
  stage.add_rungs();
  stage.ladder.push(*stage.station, 9.3);
  Ladder next;
  next.feed.start = stage.ladder.feed.start + milliseconds(9300);
  next.rungs = stage.ladder.rungs;
  for (Ladder::Rung& rung : next.rungs) rung.next = 0;
  stage.station->start_era(next.feed.start, next.feed.tracks());
  // What was still in the worker.
  for (Ladder::Rung& rung : stage.ladder.rungs)
    for (; rung.next < stage.ladder.feed.next_frame; rung.next += rung.every)
      ASSERT_TRUE(stage.station->append(rung.name, stage.ladder.packet_of(rung)));
  for (const Ladder::Rung& rung : next.rungs) stage.station->add_track(next.track(rung));
  next.push(*stage.station, 9);
  stage.station.settle();
  stage.expect_siblings();
  for (const char* name : {"720p", "360p"}) {
    const LintedPlaylist list = list_of(stage.station, name);
    EXPECT_EQ(gaps_in(list), std::vector<std::uint64_t>()) << stage.station.playlist(name);
    EXPECT_EQ(std::ranges::count_if(list.segments, &LintedSegment::discontinuity), 1);
  }
  stage.station.close();
}

TEST(Rungs, OneThatDoesNotComeBackInANewEraHasGapsThereOnceItDoes) {
  Stage stage;
  stage.begin(stage.ladder.feed.start);
  stage.add_rungs();
  stage.ladder.push(*stage.station, 9.3);
  Ladder next;
  next.feed.start = stage.ladder.feed.start + milliseconds(9300);
  stage.station->start_era(next.feed.start, next.feed.tracks());
  next.push(*stage.station, 12.5);
  next.rungs = stage.ladder.rungs;
  for (Ladder::Rung& rung : next.rungs) {
    next.restart(rung);
    stage.station->add_track(next.track(rung));
  }
  next.push(*stage.station, 20);
  stage.station.settle();
  stage.expect_siblings();
  EXPECT_FALSE(list_of(stage.station, "720p").segments.back().gap);
}

TEST(Rungs, AKilledServerComesBackWithAllRenditions) {
  Stage stage;
  stage.begin(stage.ladder.feed.start);
  stage.add_rungs();
  stage.ladder.push(*stage.station, 9.3);
  stage.station.settle();
  const LintedPlaylist before = list_of(stage.station, "360p");
  Ladder next = stage.ladder;
  for (int restart = 0; restart < 3; ++restart) {
    const auto end = stage.station.kill_and_start();
    ASSERT_TRUE(end) << end.error().message;
    for (const char* name : {"720p", "360p"}) list_of(stage.station, name);
    next.feed.start = *end + milliseconds(1500);
    next.feed.next_frame = 0;
    for (Ladder::Rung& rung : next.rungs) rung.next = 0;
    stage.begin(next.feed.start);
    for (const Ladder::Rung& rung : next.rungs) stage.station->add_track(next.track(rung));
    next.push(*stage.station, 7.3);
    stage.station.settle();
    stage.expect_siblings();
  }
  const LintedPlaylist after = list_of(stage.station, "360p");
  EXPECT_EQ(after.media_sequence, before.media_sequence);
  EXPECT_EQ(std::ranges::count_if(after.segments, &LintedSegment::discontinuity), 3);
  stage.station.close();
}

TEST(Rungs, LeaveTheWindowTogetherWithTheSource) {
  Stage stage(seconds(20));
  stage.begin(stage.ladder.feed.start);
  stage.add_rungs();
  stage.ladder.push(*stage.station, 9);
  stage.ladder.rungs[1].working = false;  // for ever
  stage.station->track_away("360p");
  for (double now = 10; now < 80; now += 3.1) {
    stage.ladder.push(*stage.station, now);
    stage.station.settle();
    stage.expect_siblings();
  }
  const std::string variants(stage.station.window().multivariant()->text.text());
  EXPECT_NE(variants.find("720p"), std::string::npos);
  EXPECT_EQ(variants.find("360p"), std::string::npos) << "all that it lists are gaps";
  EXPECT_EQ(stage.station.window().manifest()->text.text().find("360p"), std::string::npos);
  for (const char* name : {"source", "720p", "360p"}) {
    std::size_t files = 0;
    for (const auto& file :
         std::filesystem::directory_iterator(stage.folder.path() / "demo" / name))
      files += file.path().extension() == ".m4s";
    EXPECT_LE(files, 25U) << name;
  }
}

TEST(Rungs, NeverHoldTheChannelBack) {
  Stage stage;
  stage.begin(stage.ladder.feed.start);
  stage.add_rungs();
  for (Ladder::Rung& rung : stage.ladder.rungs) rung.working = false;
  stage.ladder.push(*stage.station, 1.3);
  stage.station.settle();
  const auto variants = stage.station.window().multivariant();
  ASSERT_TRUE(variants);
  EXPECT_EQ(variants->text.text().find("720p"), std::string::npos);
  ASSERT_TRUE(stage.station.window().manifest());
}

TEST(Rungs, TimesThatCannotBeAreRefused) {
  Stage stage;
  stage.begin(stage.ladder.feed.start);
  stage.add_rungs();
  stage.ladder.push(*stage.station, 3);
  media::Packet packet = stage.ladder.packet_of(stage.ladder.rungs[0]);
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  const std::array<std::array<Ticks, 2>, 6> wrong{{
      {packet.dts + Ticks{90000 * 5}, packet.pts + Ticks{90000 * 5}},
      {packet.dts, Ticks{kMost}},
      {Ticks{kMost}, packet.pts},
      {packet.dts + Ticks{90000 * 20}, packet.pts},
      {packet.dts, Ticks{-kMost}},
      {packet.dts, Ticks{}},
  }};
  for (const auto& [dts, pts] : wrong) {
    media::Packet wild = packet;
    wild.dts = dts;
    wild.pts = pts;
    const auto taken = stage.station->append("720p", wild);
    ASSERT_FALSE(taken);
    EXPECT_EQ(taken.error().code, Errc::malformed);
  }
  EXPECT_TRUE(stage.station->append("720p", packet));
}

TEST(Rungs, OfSoundFollowTheGridAndHaveTheirOwnGroup) {
  Stage stage;
  stage.ladder.rungs.clear();
  stage.ladder.feed.sound = true;
  stage.begin(stage.ladder.feed.start);
  auto small = std::make_shared<media::Track>(*audio_track());
  stage.station->add_track(
      {.rendition = "aac-zh", .track = small, .origin = Origin::rung, .bit_rate = 64'000});
  const Ticks origin = media::from_microseconds(stage.ladder.feed.start.time_since_epoch(), 48000);
  std::int64_t next = 0;
  const auto sound = [&](double until) {
    for (; static_cast<double>(next) * 1024 / 48000 < until; ++next) {
      media::Packet packet;
      packet.dts = packet.pts = origin + Ticks{next * 1024};
      packet.sync = true;
      packet.payload = Buffer(Bytes(100));
      ASSERT_TRUE(stage.station->append("aac-zh", packet));
    }
  };
  for (double now = 0.5; now < 9; now += 0.1) {
    stage.ladder.feed.push(*stage.station, now);
    sound(now - 0.3);
  }
  next += 47;  // a second is missing
  for (double now = 9; now < 20; now += 0.1) {
    stage.ladder.feed.push(*stage.station, now);
    sound(now - 0.3);
  }
  stage.station.settle();
  const LintedPlaylist first = list_of(stage.station, "audio-zh");
  const LintedPlaylist second = list_of(stage.station, "aac-zh");
  EXPECT_EQ(lint_siblings(first, second, 0.03), kClean)
      << stage.station.playlist("audio-zh") << stage.station.playlist("aac-zh");
  EXPECT_EQ(gaps_in(second), std::vector<std::uint64_t>{kBase + 4});
  const std::string variants(stage.station.window().multivariant()->text.text());
  EXPECT_NE(variants.find("GROUP-ID=\"audio-aac-2\",NAME=\"audio-zh\",LANGUAGE=\"zh\",DEFAULT=YES,"
                          "AUTOSELECT=YES,CHANNELS=\"2\",URI=\"aac-zh/media.m3u8\""),
            std::string::npos)
      << variants;
}

TEST(Rungs, TheirDelayIsInTheManifestAndInTheHoldBack) {
  Stage stage;
  stage.ladder.rungs[0].behind = 0.6;
  stage.begin(stage.ladder.feed.start);
  stage.add_rungs();
  stage.ladder.push(*stage.station, 20);
  stage.station.settle();
  const std::string manifest(stage.station.window().manifest()->text.text());
  const auto offset_of = [&](std::string_view id) {
    const auto at = manifest.find("<Representation id=\"" + std::string(id));
    const auto offset = manifest.find("availabilityTimeOffset=\"", at);
    return manifest.substr(offset + 24, 5);
  };
  EXPECT_EQ(offset_of("source"), "1.800");
  EXPECT_EQ(offset_of("720p"), "1.050") << manifest;
  EXPECT_NE(manifest.find("target=\"2950\""), std::string::npos) << manifest;
  const double source = list_of(stage.station, "source").part_hold_back;
  const double faster = list_of(stage.station, "720p").part_hold_back;
  const double slower = list_of(stage.station, "360p").part_hold_back;
  EXPECT_GT(source, faster);
  EXPECT_GT(faster, slower);
  EXPECT_NEAR(slower, 1.0, 0.01);
  // It is not rewritten while nothing changes.
  stage.ladder.push(*stage.station, 60);
  stage.station.settle();
  EXPECT_EQ(stage.station.window().manifest()->text.text(), manifest);
}

TEST(Rungs, AnotherShardRendersTheSameBytes) {
  Stage stage(seconds(20));
  stage.begin(stage.ladder.feed.start);
  stage.add_rungs();
  stage.ladder.push(*stage.station, 9);
  stage.station->track_away("720p");
  stage.ladder.rungs[0].working = false;
  stage.ladder.push(*stage.station, 40);
  stage.station.settle();
  ChannelWindow other("demo");
  for (const auto& event : stage.station.published.events) other.apply(*event);
  for (const char* id : {"source", "720p", "360p"})
    EXPECT_EQ(other.find(id)->playlist(PlaylistForm::full).text.text(), stage.station.playlist(id));
  EXPECT_EQ(other.manifest()->text.text(), stage.station.window().manifest()->text.text());
  EXPECT_EQ(other.multivariant()->text.text(), stage.station.window().multivariant()->text.text());
}

TEST(DelayMeter, OneHiccupCostsNobodyLatency) {
  DelayMeter meter;
  EXPECT_TRUE(meter.add(milliseconds(310)));
  EXPECT_EQ(meter.told(), milliseconds(500));
  EXPECT_FALSE(meter.add(milliseconds(2'000)));
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(meter.add(milliseconds(350)));
  EXPECT_FALSE(meter.add(milliseconds(900)));
  EXPECT_FALSE(meter.add(milliseconds(900)));
  EXPECT_TRUE(meter.add(milliseconds(950)));
  EXPECT_EQ(meter.told(), milliseconds(1'000));
  bool fell = false;
  for (int i = 0; i < 8; ++i) fell = meter.add(milliseconds(200)) || fell;
  EXPECT_TRUE(fell);
  EXPECT_EQ(meter.told(), milliseconds(250));
}

}  // namespace
}  // namespace kapok::packaging
