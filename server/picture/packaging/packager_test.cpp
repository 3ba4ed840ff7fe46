#include "server/picture/packaging/packager.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cmath>
#include <fstream>

#include "server/picture/packaging/packaging_fixture_test.hpp"
#include "server/picture/packaging/playlist_lint.hpp"

namespace kapok::packaging {
namespace {

PackagerOptions options_in(const TemporaryFolder& folder, microseconds window = seconds(1800)) {
  PackagerOptions options;
  options.channel = "demo";
  options.directory = folder.path() / "demo";
  options.window = window;
  return options;
}

void expect_clean(Station& station, std::string_view rendition) {
  const LintedPlaylist full = lint_playlist(station.playlist(rendition));
  EXPECT_EQ(full.faults, std::vector<std::string>()) << station.playlist(rendition);
  const LintedPlaylist delta = lint_playlist(station.playlist(rendition, PlaylistForm::delta));
  EXPECT_EQ(lint_delta(full, delta), std::vector<std::string>());
  const RenditionWindow* window = station.window().find(rendition);
  ASSERT_NE(window, nullptr);
  SegmentName name{
      .discontinuity_sequence = static_cast<std::uint32_t>(full.discontinuity_sequence),
      .number = 0};
  for (const LintedSegment& segment : full.segments) {
    name.number = segment.number;
    name.discontinuity_sequence += segment.discontinuity;
    if (!segment.uri.empty()) {
      EXPECT_EQ(segment.uri, segment_name_prefix(name.discontinuity_sequence) +
                                 std::to_string(segment.number) + ".m4s");
    }
    EXPECT_NE(window->find_init(segment.map), nullptr);
    if (segment.gap) continue;
    const auto object = window->find_segment(name);
    ASSERT_TRUE(object) << segment.number;
    const auto bytes = object->file->mapped(0, object->size);
    ASSERT_TRUE(bytes) << bytes.error().message;
    EXPECT_EQ(as_text(bytes->subspan(4, 4)), "styp");
    for (const LintedPart& part : segment.parts) {
      const auto number = std::stoull(part.uri.substr(1));
      const auto piece = window->find_part(number);
      ASSERT_TRUE(piece) << part.uri;
      ASSERT_TRUE(piece->file->mapped(piece->offset, piece->size));
      ASSERT_LE(piece->offset + piece->size, object->size);
    }
  }
}

TEST(Packager, PublishesAPlaylistFromPackets) {
  TemporaryFolder folder;
  Station station(options_in(folder));
  ASSERT_TRUE(station.opened);
  EXPECT_EQ(station.opened->time_since_epoch(), microseconds(0));
  SyntheticFeed feed;
  station->feed_live();
  station->start_era(feed.start, feed.tracks());
  feed.push(*station, 0.99);
  station.settle();
  EXPECT_FALSE(station.window().multivariant()) << "before the GOP is known nothing is listed";
  LintedPlaylist before;
  for (double now = 1.05; now < 40; now += 0.31) {
    feed.push(*station, now);
    station.settle();
    const LintedPlaylist list = lint_playlist(station.playlist("source"));
    ASSERT_EQ(list.faults, std::vector<std::string>()) << station.playlist("source");
    ASSERT_EQ(lint_reload(before.segments.empty() ? list : before, list),
              std::vector<std::string>());
    before = list;
    // Whole parts up to the last frame, none held back.
    const double newest = static_cast<double>(feed.next_frame) / 50;
    double listed = 0;
    for (const LintedSegment& segment : list.segments)
      if (segment.uri.empty())
        for (const LintedPart& part : segment.parts) listed += part.duration;
      else
        listed += segment.duration;
    ASSERT_NEAR(listed, std::floor(newest * 5 + 1e-6) / 5, 1e-4);
  }
  expect_clean(station, "source");
  expect_clean(station, "audio-zh");
  EXPECT_EQ(before.target_duration, 2U);
  EXPECT_EQ(before.segments.front().number, 895'000'000U) << "floor(start / d) since 1970";
  EXPECT_FALSE(before.segments.front().discontinuity);
  station.close();
}

TEST(Packager, ReportsEachSegmentWithItsHashAndPictures) {
  TemporaryFolder folder;
  Station station(options_in(folder));
  SyntheticFeed feed;
  station->start_era(feed.start, feed.tracks());
  feed.push(*station, 4.2);
  station.settle();
  ASSERT_FALSE(station.evidence.published.empty());
  bool seen = false;
  for (const evidence::Published& fact : station.evidence.published) {
    const auto object = station.window().find(fact.rendition)->find_segment({0, fact.number});
    ASSERT_TRUE(object);
    EXPECT_EQ(fact.sha256, sha256(object->file->mapped(0, object->size).value()));
    if (fact.rendition != "source") continue;
    seen = true;
    EXPECT_EQ(fact.picture.width, 1920U);
    EXPECT_EQ(fact.interval.length(), seconds(2));
    EXPECT_EQ(fact.interval.from, feed.start);
    break;
  }
  EXPECT_TRUE(seen);
  station.close();
}

TEST(Packager, SaysHowLongAPartTookSinceItsLastFrame) {
  TemporaryFolder folder;
  Station station(options_in(folder));
  SyntheticFeed feed;
  feed.arrival = station.clock.mono();
  station->start_era(feed.start, feed.tracks());
  feed.push(*station, 4.2);
  station.clock.advance(milliseconds(7));
  station.settle();
  const auto parts = [&](const char* bound) {
    return station.metrics.value("kapok_part_delay_seconds_bucket",
                                 {{"channel", "demo"}, {"origin", "feed"}, {"le", bound}});
  };
  EXPECT_GT(parts("+Inf"), 0);
  EXPECT_EQ(parts("+Inf"), station.metrics.value("kapok_parts_total"));
  EXPECT_EQ(parts("0.01"), parts("+Inf"));
  EXPECT_EQ(parts("0.005"), 0);
  station.close();
}

TEST(Packager, AKilledServerGoesOnWhereItWas) {
  TemporaryFolder folder;
  Station station(options_in(folder));
  SyntheticFeed feed;
  station->feed_live();
  station->start_era(feed.start, feed.tracks());
  feed.push(*station, 9.1);
  station.settle();
  const LintedPlaylist before = lint_playlist(station.playlist("source"));
  ASSERT_TRUE(before.preload_hint);
  const std::string hinted = *before.preload_hint;
  for (int restart = 0; restart < 5; ++restart) {
    station.kill();
    const auto end = station.start();
    ASSERT_TRUE(end) << end.error().message;
    if (restart == 0)
      EXPECT_NEAR(static_cast<double>((*end - feed.start).count()) / 1e6, 9.1, 0.21);
    const LintedPlaylist recovered = lint_playlist(station.playlist("source"));
    EXPECT_FALSE(recovered.preload_hint) << "nothing is coming yet";
    if (restart == 0) EXPECT_EQ(lint_reload(before, recovered), std::vector<std::string>());
    expect_clean(station, "source");
    expect_clean(station, "audio-zh");

    SyntheticFeed again = feed;
    again.start = *end + milliseconds(1500);
    again.next_frame = again.next_sound = 0;
    station->feed_live();
    station->start_era(again.start, again.tracks());
    again.push(*station, 0.25);
    station.settle();
    // The rhythm is known from the last run: the first part is there without waiting for a GOP.
    const LintedPlaylist first = lint_playlist(station.playlist("source"));
    EXPECT_EQ(first.segments.back().parts.size(), 1U) << station.playlist("source");
    EXPECT_NE(first.segments.back().parts.front().uri, hinted);
    EXPECT_TRUE(first.segments.back().discontinuity);
    again.push(*station, 5.3);
    station.settle();
    const LintedPlaylist after = lint_playlist(station.playlist("source"));
    EXPECT_EQ(lint_reload(recovered, after), std::vector<std::string>());
    EXPECT_EQ(lint_reload(first, after), std::vector<std::string>());
    for (std::size_t i = 1; i < after.segments.size(); ++i)
      EXPECT_EQ(after.segments[i].number, after.segments[i - 1].number + 1);
    expect_clean(station, "source");
    expect_clean(station, "audio-zh");
  }
  const std::string manifest(station.window().manifest()->text.text());
  EXPECT_NE(manifest.find("<Period id=\"era-0\""), std::string::npos) << manifest;
  EXPECT_NE(manifest.find("<Period id=\"era-5\""), std::string::npos) << manifest;
  station.close();
}

TEST(Packager, AClosedServerComesBackTheSame) {
  TemporaryFolder folder;
  Station station(options_in(folder));
  SyntheticFeed feed;
  station->start_era(feed.start, feed.tracks());
  feed.push(*station, 7.5);
  station.close();
  const LintedPlaylist before = lint_playlist(station.playlist("audio-zh"));
  EXPECT_FALSE(before.segments.back().uri.empty());
  station.kill();
  ASSERT_TRUE(station.start());
  const LintedPlaylist after = lint_playlist(station.playlist("audio-zh"));
  EXPECT_EQ(lint_reload(before, after), std::vector<std::string>());
  EXPECT_EQ(after.segments.size(), before.segments.size());
}

TEST(Packager, RecoversFromAnIndexCutAnywhere) {
  TemporaryFolder folder;
  {
    Station station(options_in(folder));
    SyntheticFeed feed;
    station->start_era(feed.start, feed.tracks());
    feed.push(*station, 7.5);
    station.settle();
  }
  const auto path = folder.path() / "demo" / "index";
  std::ifstream in(path, std::ios::binary);
  const std::string whole((std::istreambuf_iterator<char>(in)), {});
  ASSERT_GT(whole.size(), 3000U);
  for (std::size_t cut = 0; cut < 1500; cut += 37) {
    std::filesystem::copy(folder.path() / "demo", folder.path() / "copy",
                          std::filesystem::copy_options::recursive);
    std::filesystem::resize_file(folder.path() / "copy" / "index", whole.size() - cut);
    PackagerOptions options = options_in(folder);
    options.directory = folder.path() / "copy";
    Station station(options);
    ASSERT_TRUE(station.opened) << station.opened.error().message;
    expect_clean(station, "source");
    expect_clean(station, "audio-zh");
    station.kill();
    std::filesystem::remove_all(folder.path() / "copy");
  }
}

TEST(Packager, ListsOnlySegmentsWhoseBytesAreThere) {
  TemporaryFolder folder;
  {
    Station station(options_in(folder));
    SyntheticFeed feed;
    station->start_era(feed.start, feed.tracks());
    feed.push(*station, 7.5);
    station.settle();
  }
  // As after a power cut: the index reached the disk, the bytes did not.
  const auto source = folder.path() / "demo" / "source";
  std::filesystem::resize_file(source / "895000001.m4s", 100);
  std::filesystem::resize_file(source / "895000003.m4s", 15'000);
  Station station(options_in(folder));
  const LintedPlaylist list = lint_playlist(station.playlist("source"));
  ASSERT_EQ(list.segments.size(), 4U);
  EXPECT_FALSE(list.segments[0].gap);
  EXPECT_TRUE(list.segments[1].gap);
  EXPECT_FALSE(list.segments[3].gap);
  EXPECT_LT(list.segments[3].parts.size(), 7U);
  expect_clean(station, "source");
}

TEST(Packager, RefusesAForeignIndexAndLeavesIt) {
  TemporaryFolder folder;
  std::filesystem::create_directories(folder.path() / "demo");
  std::ofstream(folder.path() / "demo" / "index") << "this is somebody's diary, not an index";
  Station station(options_in(folder));
  ASSERT_FALSE(station.opened);
  EXPECT_EQ(station.opened.error().code, Errc::config);
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "demo" / "index"));
}

TEST(Packager, WithdrawsTheHintWhenTheFeedIsGone) {
  TemporaryFolder folder;
  Station station(options_in(folder));
  SyntheticFeed feed;
  station->feed_live();
  station->start_era(feed.start, feed.tracks());
  feed.push(*station, 4.3);
  station.settle();
  const RenditionWindow* window = station.window().find("source");
  const LintedPlaylist live = lint_playlist(station.playlist("source"));
  ASSERT_TRUE(live.preload_hint);
  const auto hinted = std::stoull(live.preload_hint->substr(1));
  EXPECT_EQ(window->part_presence(hinted), Presence::coming);
  EXPECT_EQ(window->part_presence(hinted + 1), Presence::too_far);
  const std::uint64_t newest = live.segments.back().number;
  EXPECT_EQ(window->segment_presence({0, newest}), Presence::here);
  EXPECT_EQ(window->segment_presence({0, newest + 1}), Presence::coming);
  EXPECT_EQ(window->segment_presence({0, newest + 2}), Presence::too_far);
  station->feed_idle();
  station.settle();
  const LintedPlaylist idle = lint_playlist(station.playlist("source"));
  EXPECT_FALSE(idle.preload_hint);
  EXPECT_EQ(window->part_presence(hinted), Presence::here) << "what was pending became a last part";
  EXPECT_EQ(window->part_presence(hinted + 1), Presence::never);
  EXPECT_FALSE(station.window().live());
  // It comes back in time, in the same era.
  station->feed_live();
  feed.next_frame = 250;
  feed.next_sound = 5 * 48000 / 1024;
  feed.push(*station, 7.7);
  station.settle();
  EXPECT_EQ(lint_reload(live, lint_playlist(station.playlist("source"))),
            std::vector<std::string>());
  expect_clean(station, "source");
  station.close();
}

TEST(Packager, ADiscontinuityIsOneTagAndOnePeriod) {
  TemporaryFolder folder;
  Station station(options_in(folder));
  SyntheticFeed feed;
  station->feed_live();
  station->start_era(feed.start, feed.tracks());
  feed.push(*station, 5.3);
  station.settle();
  const LintedPlaylist before = lint_playlist(station.playlist("source"));
  const auto hinted = std::stoull(before.preload_hint->substr(1));
  SyntheticFeed other;
  other.start = feed.start + milliseconds(5300);
  other.fps = 25;
  other.gop = 48;
  std::vector<RenditionTrack> tracks = other.tracks();
  auto smaller = std::make_shared<media::Track>(*tracks[0].track);
  std::get<media::VideoFacts>(smaller->facts).width = 1280;
  tracks[0].track = smaller;
  station->start_era(other.start, tracks);
  station.settle();
  EXPECT_EQ(station.window().find("source")->part_presence(hinted + 1), Presence::never);
  other.push(*station, 9);
  station.settle();
  const LintedPlaylist after = lint_playlist(station.playlist("source"));
  std::size_t discontinuities = 0;
  for (const LintedSegment& segment : after.segments) discontinuities += segment.discontinuity;
  EXPECT_EQ(discontinuities, 1U);
  for (std::size_t i = 1; i < after.segments.size(); ++i)
    EXPECT_EQ(after.segments[i].number, after.segments[i - 1].number + 1);
  const std::string manifest(station.window().manifest()->text.text());
  EXPECT_NE(manifest.find("duration=\"345600\""), std::string::npos) << manifest;
  EXPECT_NE(manifest.find("<Period id=\"era-0\" start=\"PT1790000000S\" duration=\"PT5.3"),
            std::string::npos)
      << manifest;
  expect_clean(station, "source");
  expect_clean(station, "audio-zh");
  station.close();
}

// A DASH player that has not read the new manifest goes on counting in the ended Period.
TEST(Packager, ASegmentIsNeverTakenForOneOfAnotherEra) {
  TemporaryFolder folder;
  Station station(options_in(folder));
  SyntheticFeed feed;
  station->feed_live();
  station->start_era(feed.start, feed.tracks());
  feed.push(*station, 3.7);
  station.settle();
  const RenditionWindow* window = station.window().find("source");
  const std::uint64_t last = lint_playlist(station.playlist("source")).segments.back().number;
  EXPECT_EQ(window->segment_presence({0, last + 1}), Presence::coming);
  SyntheticFeed other;
  other.start = feed.start + milliseconds(8000);
  std::vector<RenditionTrack> tracks = other.tracks();
  auto smaller = std::make_shared<media::Track>(*tracks[0].track);
  std::get<media::VideoFacts>(smaller->facts).width = 1280;
  tracks[0].track = smaller;
  station->start_era(other.start, tracks);
  station.settle();
  EXPECT_EQ(window->segment_presence({0, last + 1}), Presence::empty) << "before its first packet";
  other.push(*station, 5);
  station.settle();
  EXPECT_EQ(window->segment_presence({0, last + 1}), Presence::empty);
  EXPECT_EQ(window->segment_presence({0, last + 100}), Presence::empty);
  EXPECT_FALSE(window->find_segment({0, last + 1}));
  EXPECT_EQ(window->segment_presence({1, last + 1}), Presence::here);
  EXPECT_TRUE(window->find_segment({1, last + 1}));
  EXPECT_EQ(window->segment_presence({1, last}), Presence::never);
  EXPECT_EQ(window->segment_presence({2, last + 1}), Presence::never);
  EXPECT_FALSE(window->find_segment({1, last}));
  EXPECT_TRUE(window->find_segment({0, last}));
  const std::string manifest(station.window().manifest()->text.text());
  EXPECT_NE(manifest.find("media=\"source/$Number$.m4s\""), std::string::npos) << manifest;
  EXPECT_NE(manifest.find("media=\"source/1-$Number$.m4s\""), std::string::npos) << manifest;
  EXPECT_NE(station.playlist("source").find(fmt::format("\n1-{}.m4s\n", last + 1)),
            std::string::npos);
  station.close();
}

TEST(Packager, BeginsAnewOnceWhenTheLastRunsRhythmIsWrong) {
  TemporaryFolder folder;
  Station station(options_in(folder));
  SyntheticFeed feed;
  feed.gop = 100;
  station->start_era(feed.start, feed.tracks());
  feed.push(*station, 6.5);
  SyntheticFeed slower;
  slower.start = feed.start + seconds(8);
  slower.gop = 150;  // three seconds
  ASSERT_TRUE(station.kill_and_start());
  station->start_era(slower.start, slower.tracks());
  slower.push(*station, 20);
  station.settle();
  const LintedPlaylist list = lint_playlist(station.playlist("source"));
  std::size_t discontinuities = 0;
  for (const LintedSegment& segment : list.segments) discontinuities += segment.discontinuity;
  EXPECT_EQ(discontinuities, 2U);
  EXPECT_EQ(list.target_duration, 3U);
  EXPECT_NEAR(list.segments[list.segments.size() - 2].duration, 3, 0.001);
  expect_clean(station, "source");
  expect_clean(station, "audio-zh");
  station.close();
}

// The same configuration record is the same encoder come back: its first part does not wait for a
// GOP.
TEST(Packager, PublishesTheFirstPartAtOnceWhenTheSameEncoderComesBack) {
  TemporaryFolder folder;
  Station station(options_in(folder));
  SyntheticFeed feed;
  feed.gop = 100;
  station->start_era(feed.start, feed.tracks());
  feed.push(*station, 6.5);
  station.settle();
  const auto before = lint_playlist(station.playlist("source")).segments.size();
  SyntheticFeed again;
  again.start = feed.start + seconds(8);
  again.gop = 100;
  station->start_era(again.start, again.tracks());
  again.push(*station, 0.5);
  station.settle();
  EXPECT_GT(lint_playlist(station.playlist("source")).segments.size(), before);
  EXPECT_NE(station.window().find("source")->find_part(32), std::nullopt);
  again.push(*station, 10);
  station.settle();
  expect_clean(station, "source");
  station.close();
}

// What that costs an encoder whose keyframe interval was changed: its parameters do not show it.
TEST(Packager, AnotherRhythmOfTheSamePictureIsTwoDiscontinuities) {
  TemporaryFolder folder;
  Station station(options_in(folder));
  SyntheticFeed feed;
  feed.gop = 100;
  station->start_era(feed.start, feed.tracks());
  feed.push(*station, 6.5);
  SyntheticFeed slower;
  slower.start = feed.start + seconds(8);
  slower.gop = 150;
  station->start_era(slower.start, slower.tracks());
  slower.push(*station, 20);
  station.settle();
  const LintedPlaylist list = lint_playlist(station.playlist("source"));
  EXPECT_EQ(std::ranges::count_if(list.segments, &LintedSegment::discontinuity), 2);
  EXPECT_EQ(list.target_duration, 3U);
  expect_clean(station, "source");
  expect_clean(station, "audio-zh");
}

TEST(Packager, AGapBeforeADiscontinuityDoesNotOverlapTheSegmentBeforeIt) {
  TemporaryFolder folder;
  Station station(options_in(folder));
  SyntheticFeed feed;
  station->start_era(feed.start, feed.tracks());
  feed.push(*station, 5.7);
  feed.sound = false;  // the sound ends two seconds before the pictures do
  feed.push(*station, 7.7);
  SyntheticFeed other;
  other.start = feed.start + milliseconds(7700);
  station->start_era(other.start, other.tracks());
  other.push(*station, 6);
  station.settle();
  std::optional<UtcTime> end;
  bool gap = false;
  for (const auto& event : station.published.events) {
    const auto* closed = std::get_if<SegmentClosed>(&event->what);
    if (!closed || closed->rendition != "audio-zh") continue;
    const Segment& segment = closed->segment;
    if (end) EXPECT_GE(segment.start_utc + microseconds(30), *end) << segment.number;
    end = segment.start_utc + media::to_microseconds(segment.duration, 48000);
    gap = gap || segment.gap;
  }
  EXPECT_TRUE(gap);
  expect_clean(station, "audio-zh");
}

TEST(Packager, TheFirstPartOfTheNextSegmentIsNotHintedBelowTheOneBefore) {
  TemporaryFolder folder;
  Station station(options_in(folder));
  SyntheticFeed feed;
  station->feed_live();
  station->start_era(feed.start, feed.tracks());
  feed.push(*station, 3.8);
  station.settle();
  const auto last = lint_playlist(station.playlist("source")).preload_hint;
  ASSERT_TRUE(last);
  feed.push(*station, 4.0);  // whole, but its end is known with the next sync packet only
  station.settle();
  const LintedPlaylist filled = lint_playlist(station.playlist("source"));
  ASSERT_TRUE(filled.segments.back().uri.empty());
  EXPECT_EQ(filled.segments.back().parts.back().uri, *last);
  EXPECT_FALSE(filled.preload_hint);
  const std::uint64_t next = std::stoull(last->substr(1)) + 1;
  EXPECT_EQ(station.window().find("source")->part_presence(next), Presence::coming);
  feed.push(*station, 4.2);
  station.settle();
  const LintedPlaylist begun = lint_playlist(station.playlist("source"));
  EXPECT_EQ(begun.segments.back().number, filled.segments.back().number + 1);
  EXPECT_EQ(begun.preload_hint, "p" + std::to_string(next + 1) + ".m4s");
}

TEST(Packager, NothingIsHintedWhileTheFeedIsGone) {
  TemporaryFolder folder;
  Station station(options_in(folder));
  SyntheticFeed feed;
  station->feed_live();
  station->start_era(feed.start, feed.tracks());
  feed.push(*station, 4.4);  // whole parts: nothing is pending
  station.settle();
  const RenditionWindow* window = station.window().find("source");
  const auto hinted =
      std::stoull(lint_playlist(station.playlist("source")).preload_hint->substr(1));
  EXPECT_EQ(window->part_presence(hinted), Presence::coming);
  station->feed_idle();
  station.settle();
  EXPECT_EQ(window->part_presence(hinted), Presence::never);
}

TEST(Packager, ASegmentThatCannotBeWrittenBecomesAGap) {
  TemporaryFolder folder;
  Station station(options_in(folder));
  SyntheticFeed feed;
  station->feed_live();
  station->start_era(feed.start, feed.tracks());
  feed.push(*station, 3);
  station.settle();
  // Something that cannot be unlinked lies where a segment should be created.
  std::filesystem::create_directories(folder.path() / "demo" / "source" / "895000002.m4s");
  feed.push(*station, 9);
  station.settle();
  const LintedPlaylist list = lint_playlist(station.playlist("source"));
  ASSERT_EQ(list.segments.size(), 5U);
  EXPECT_TRUE(list.segments[2].gap);
  EXPECT_FALSE(list.segments[3].gap);
  expect_clean(station, "source");
  EXPECT_EQ(station.window().find("source")->segment_presence({0, 895'000'002}), Presence::empty);
  const auto end = station.kill_and_start();
  ASSERT_TRUE(end);
  expect_clean(station, "source");
}

TEST(Packager, TheWindowMovesAndFilesFollowAWindowLater) {
  TemporaryFolder folder;
  Station station(options_in(folder, seconds(20)));
  SyntheticFeed feed;
  station->feed_live();
  station->start_era(feed.start, feed.tracks());
  LintedPlaylist before;
  for (double now = 2; now < 90; now += 1.7) {
    feed.push(*station, now);
    station.settle();
    const LintedPlaylist list = lint_playlist(station.playlist("source"));
    if (!before.segments.empty()) ASSERT_EQ(lint_reload(before, list), std::vector<std::string>());
    before = list;
  }
  expect_clean(station, "source");
  expect_clean(station, "audio-zh");
  EXPECT_LE(before.segments.size(), 12U);
  EXPECT_GT(before.skipped + lint_playlist(station.playlist("source", PlaylistForm::delta)).skipped,
            0U);
  const RenditionWindow* window = station.window().find("source");
  const std::uint64_t first = before.media_sequence;
  EXPECT_TRUE(window->find_segment({0, first - 9})) << "in its grace";
  EXPECT_FALSE(window->find_segment({0, first - 15}));
  std::size_t files = 0;
  for (const auto& file : std::filesystem::directory_iterator(folder.path() / "demo" / "source"))
    files += file.path().extension() == ".m4s";
  EXPECT_LE(files, 24U);
  EXPECT_GE(files, 20U);
  const auto end = station.kill_and_start();
  ASSERT_TRUE(end);
  EXPECT_EQ(lint_reload(before, lint_playlist(station.playlist("source"))),
            std::vector<std::string>());
  expect_clean(station, "source");
}

TEST(Packager, TheManifestIsTheSameBytesWhileNothingStructuralChanges) {
  TemporaryFolder folder;
  Station station(options_in(folder, seconds(20)));
  SyntheticFeed feed;
  station->feed_live();
  station->start_era(feed.start, feed.tracks());
  feed.push(*station, 5);
  station.settle();
  const Rendered first = station.window().manifest().value();
  const Rendered variants = station.window().multivariant().value();
  feed.push(*station, 60);
  station.settle();
  EXPECT_EQ(station.window().manifest()->text.text(), first.text.text());
  EXPECT_EQ(station.window().multivariant()->text.text(), variants.text.text());
}

TEST(Packager, AnotherShardRendersTheSameBytes) {
  TemporaryFolder folder;
  Station station(options_in(folder, seconds(20)));
  SyntheticFeed feed;
  station->feed_live();
  station->start_era(feed.start, feed.tracks());
  for (double now = 1; now < 50; now += 2.3) {
    feed.push(*station, now);
    station.settle();
    // One renders all the time, the other one only now.
    (void)station.playlist("source");
    (void)station.playlist("audio-zh");
  }
  ChannelWindow other("demo");
  for (const auto& event : station.published.events) other.apply(*event);
  for (const char* id : {"source", "audio-zh"}) {
    const Rendered here = station.window().find(id)->playlist(PlaylistForm::full);
    const Rendered there = other.find(id)->playlist(PlaylistForm::full);
    EXPECT_EQ(here.text.text(), there.text.text());
    EXPECT_EQ(here.generation, there.generation);
  }
  EXPECT_EQ(other.manifest()->text.text(), station.window().manifest()->text.text());
}

TEST(Packager, SoundAloneNeedsNoGop) {
  TemporaryFolder folder;
  Station station(options_in(folder));
  station->feed_live();
  SyntheticFeed feed;
  station->start_era(feed.start, {{"audio-zh", audio_track()}});
  for (int i = 0; i < 300; ++i) ASSERT_TRUE(station->append("audio-zh", feed.sample()));
  station.settle();
  const LintedPlaylist list = lint_playlist(station.playlist("audio-zh"));
  EXPECT_EQ(list.faults, std::vector<std::string>());
  EXPECT_GE(list.segments.size(), 3U);
  const std::string variants(station.window().multivariant()->text.text());
  EXPECT_NE(variants.find("CODECS=\"mp4a.40.2\"\naudio-zh/media.m3u8\n"), std::string::npos)
      << variants;
  station.close();
}

TEST(Packager, AReconnectWithAnotherSampleRateKeepsTheTimescale) {
  TemporaryFolder folder;
  Station station(options_in(folder));
  station->feed_live();
  SyntheticFeed feed;
  station->start_era(feed.start, {{"audio-zh", audio_track()}});
  for (int i = 0; i < 300; ++i) ASSERT_TRUE(station->append("audio-zh", feed.sample()));
  station.settle();
  const LintedPlaylist before = lint_playlist(station.playlist("audio-zh"));
  auto slower = std::make_shared<media::Track>(*audio_track());
  slower->timescale = 44100;
  slower->facts = media::AudioFacts{44100, 2, 1024};
  const UtcTime start = feed.start + seconds(8);
  station->start_era(start, {{"audio-zh", slower}});
  for (int i = 0; i < 300; ++i) {
    media::Packet packet = feed.sample();
    packet.dts = packet.pts =
        media::from_microseconds(start.time_since_epoch(), 44100) + Ticks{i * 1024};
    ASSERT_TRUE(station->append("audio-zh", packet));
  }
  station.settle();
  const LintedPlaylist after = lint_playlist(station.playlist("audio-zh"));
  EXPECT_EQ(after.faults, std::vector<std::string>());
  EXPECT_EQ(lint_reload(before, after), std::vector<std::string>());
  EXPECT_NEAR(after.segments[after.segments.size() - 2].duration, 2, 0.03);
  expect_clean(station, "audio-zh");
  station.close();
}

TEST(Packager, ALateTrackJoinsTheRunningEra) {
  TemporaryFolder folder;
  Station station(options_in(folder));
  station->feed_live();
  SyntheticFeed feed;
  feed.sound = false;
  station->start_era(feed.start, feed.tracks());
  feed.push(*station, 5);
  station->add_track({"audio-zh", audio_track()});
  feed.sound = true;
  feed.next_sound = 5 * 48000 / 1024;
  feed.push(*station, 9);
  station.settle();
  const LintedPlaylist list = lint_playlist(station.playlist("audio-zh"));
  EXPECT_EQ(list.faults, std::vector<std::string>());
  ASSERT_FALSE(list.segments.empty());
  EXPECT_EQ(list.segments.front().number, 895'000'002U);
  EXPECT_FALSE(list.segments.front().gap);
  const std::string variants(station.window().multivariant()->text.text());
  EXPECT_NE(variants.find("audio-zh"), std::string::npos);
  expect_clean(station, "source");
  station.close();
}

TEST(RenditionWindow, AnswersBlockingReloads) {
  TemporaryFolder folder;
  Station station(options_in(folder));
  station->feed_live();
  SyntheticFeed feed;
  station->start_era(feed.start, feed.tracks());
  feed.push(*station, 4.5);
  station.settle();
  const RenditionWindow* window = station.window().find("source");
  const std::uint64_t open = 895'000'002;  // has two parts
  EXPECT_EQ(window->playlist_presence(open - 1, std::nullopt), Presence::here);
  EXPECT_EQ(window->playlist_presence(open, std::nullopt), Presence::coming);
  EXPECT_EQ(window->playlist_presence(open, 0), Presence::here);
  EXPECT_EQ(window->playlist_presence(open, 1), Presence::here);
  EXPECT_EQ(window->playlist_presence(open, 2), Presence::coming);
  EXPECT_EQ(window->playlist_presence(open + 1, 0), Presence::coming);
  EXPECT_EQ(window->playlist_presence(open + 2, 0), Presence::coming);
  EXPECT_EQ(window->playlist_presence(open + 3, 0), Presence::too_far);
  EXPECT_EQ(window->playlist_presence(5, 3), Presence::here);
  station.close();
}

}  // namespace
}  // namespace kapok::packaging
