// Sheets of a live window and of a film: which moments they show, when they are there, and that
// what they are made of does not change.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <fstream>

#include "server/media/jpeg_test.hpp"
#include "server/picture/packaging/closed_window.hpp"
#include "server/picture/packaging/disk_file.hpp"
#include "server/picture/packaging/image_files.hpp"
#include "server/picture/packaging/image_window.hpp"
#include "server/picture/packaging/packaging_fixture_test.hpp"

namespace kapok::packaging {
namespace {

constexpr UtcTime kStart{seconds(1'790'000'000)};
constexpr std::uint64_t kGrid = 1'790'000'000'000'000;

// What a thumbnail's scan says, and what a sheet's intervals say, from the top.
std::string said_by(std::uint64_t number) {
  return fmt::format("<{}>", number);
}
std::string said(const std::optional<Sheet>& sheet) {
  if (!sheet) return "none";
  const auto joined = join(*sheet);
  if (!joined) return joined.error().message;
  std::string text;
  const std::string_view bytes = joined->text();
  for (std::size_t at = bytes.find('<'); at != bytes.npos; at = bytes.find('<', at + 1))
    text += bytes.substr(at, bytes.find('>', at) + 1 - at);
  return text;
}
std::string rows(std::initializer_list<std::uint64_t> numbers) {
  std::string text;
  for (const std::uint64_t number : numbers) text += said_by(number);
  return text;
}

// An ImageWindow that is told of segments by their starts alone.
struct LiveSheets : ::testing::Test {
  TemporaryFolder folder;
  ImageWindow images;
  std::uint32_t era = 0;
  std::uint32_t sequence = 0;
  bool changed = false;

  template <class Event>
  void tell(const Event& event) {
    if constexpr (std::is_same_v<decltype(images.on(event)), bool>)
      changed = images.on(event);
    else
      images.on(event);
  }
  void begin_era(double at, std::uint64_t base, bool seamless = false,
                 microseconds window = seconds(1800)) {
    ++era;
    sequence += !seamless;
    tell(EraOpened{{.id = era,
                    .start_utc = time(at),
                    .base = base,
                    .segment_duration = seconds(2),
                    .discontinuity_sequence = sequence,
                    .window = window}});
    RenditionInfo info;
    info.id = "source";
    info.timescale = 1000;
    info.target_duration_s = 2;
    tell(RenditionOpened{.era = era, .info = info, .init = nullptr});
  }
  static UtcTime time(double at) {
    return kStart + microseconds(static_cast<std::int64_t>(at * 1e6));
  }
  void close(std::uint64_t number, double from, double to) {
    Segment segment;
    segment.number = number;
    segment.era = era;
    segment.complete = true;
    segment.duration = {static_cast<std::int64_t>((to - from) * 1000)};
    segment.start_utc = time(from);
    tell(SegmentClosed{.rendition = "source", .segment = segment});
  }
  void thumbnail(std::uint64_t number, std::uint32_t height = 176, char table = 'q') {
    const auto path = folder.path() / fmt::format("{}-{}.jpg", number, height);
    const Buffer jpeg = media::baseline_jpeg(312, height, said_by(number), table);
    std::ofstream(path, std::ios::binary) << jpeg.text();
    tell(ThumbnailAdded{{.number = number,
                         .era = era,
                         .width = 312,
                         .height = height,
                         .size = jpeg.size(),
                         .file = std::make_shared<DiskFile>(path)}});
  }
  // Segments of 2 s and their thumbnails.
  void run(std::uint64_t first, std::uint64_t end, double at) {
    for (std::uint64_t number = first; number < end; ++number, at += 2) {
      thumbnail(number);
      close(number, at, at + 2);
    }
  }
  SheetName name(std::uint64_t number, std::uint64_t grid = kGrid) const {
    return {.grid = grid, .tile = seconds(2), .number = number};
  }
  std::string sheet(std::uint64_t number) { return said(images.sheet(name(number))); }
  std::string playlist() {
    const auto text = images.sheet_playlist();
    return text ? std::string(text->text.text()) : "";
  }
};

TEST_F(LiveSheets, OneIsThereWhenTheLastOfItsSegmentsIs) {
  begin_era(0, 100);
  run(100, 109, 0);
  thumbnail(109);
  EXPECT_EQ(sheet(1), "none");
  EXPECT_EQ(playlist(), "");
  EXPECT_EQ(images.listing(1)->sheet_tile, microseconds(0));
  close(109, 18, 20);
  EXPECT_TRUE(changed);
  EXPECT_EQ(sheet(1), rows({100, 101, 102, 103, 104, 105, 106, 107, 108, 109}));
  EXPECT_EQ(images.listing(1)->sheet_tile, seconds(2));
  const Sheet first = *images.sheet(name(1));
  EXPECT_EQ(first.tiles.size(), kSheetTiles);
  EXPECT_EQ(sheet(2), "none");
  run(110, 130, 20);
  EXPECT_FALSE(changed);
  EXPECT_EQ(images.sheet(name(1))->etag, first.etag);
  EXPECT_EQ(playlist(),
            fmt::format("#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:25\n"
                        "#EXT-X-MEDIA-SEQUENCE:1790000001\n#EXT-X-DISCONTINUITY-SEQUENCE:1\n"
                        "#EXT-X-IMAGES-ONLY\n"
                        "#EXT-X-PROGRAM-DATE-TIME:{0}\n"
                        "#EXT-X-TILES:RESOLUTION=312x176,LAYOUT=1x10,DURATION=2.00000\n"
                        "#EXTINF:20.00000,\nsheet-1790000000000000-2000000-1.jpg\n"
                        "#EXT-X-PROGRAM-DATE-TIME:{1}\n"
                        "#EXT-X-TILES:RESOLUTION=312x176,LAYOUT=1x10,DURATION=2.00000\n"
                        "#EXTINF:20.00000,\nsheet-1790000000000000-2000000-2.jpg\n"
                        "#EXT-X-PROGRAM-DATE-TIME:{2}\n"
                        "#EXT-X-TILES:RESOLUTION=312x176,LAYOUT=1x10,DURATION=2.00000\n"
                        "#EXTINF:20.00000,\nsheet-1790000000000000-2000000-3.jpg\n",
                        format_utc(time(0)), format_utc(time(20)), format_utc(time(40))));
  const std::string times(images.sheet_webvtt()->text.text());
  EXPECT_TRUE(
      times.starts_with("WEBVTT\n\n497222:13:20.000 --> 497222:13:22.000\n"
                        "sheet-1790000000000000-2000000-1.jpg#xywh=0,0,312,176\n\n"
                        "497222:13:22.000 --> 497222:13:24.000\n"
                        "sheet-1790000000000000-2000000-1.jpg#xywh=0,176,312,176\n"))
      << times;
}

TEST_F(LiveSheets, OtherNamesAreNone) {
  begin_era(0, 100);
  run(100, 121, 0);
  EXPECT_TRUE(images.sheet(name(2)));
  EXPECT_FALSE(images.sheet(name(3)));
  EXPECT_FALSE(images.sheet(name(2, kGrid + 1)));
  EXPECT_FALSE(images.sheet(name(1, kGrid + 20'000'000)));
  EXPECT_FALSE(images.sheet({.grid = kGrid, .tile = seconds(4), .number = 1}));
}

TEST_F(LiveSheets, ATileShowsTheSegmentThatItsMiddleLiesIn) {
  begin_era(0, 100);
  // GOPs of another length than the grid's step; the middles are 1, 3, 5 ... 19.
  const double starts[] = {0, 2.5, 5, 7.5, 10, 12.5, 15, 17.5, 18.9, 20};
  std::uint64_t number = 100;
  for (std::size_t i = 0; i + 1 < std::size(starts); ++i) {
    thumbnail(number);
    EXPECT_EQ(sheet(1), "none");
    close(number++, starts[i], starts[i + 1]);
  }
  EXPECT_EQ(sheet(1), rows({100, 101, 102, 102, 103, 104, 105, 106, 106, 108}));
}

TEST_F(LiveSheets, OneWaitsForWhatMayStillBeginBeforeItsLastMiddle) {
  begin_era(0, 100);
  run(100, 109, 0);
  thumbnail(109);
  close(109, 18, 18.9);
  EXPECT_EQ(sheet(1), "none");
  thumbnail(110);
  close(110, 18.9, 21);
  EXPECT_EQ(sheet(1), rows({100, 101, 102, 103, 104, 105, 106, 107, 108, 110}));
}

TEST_F(LiveSheets, AHoleShowsWhatIsBeforeItOnceNothingCanFillIt) {
  begin_era(0, 100);
  for (std::uint64_t number = 100; number < 110; ++number) {
    if (number != 104) thumbnail(number);
    close(number, 2.0 * static_cast<double>(number - 100), 2.0 * static_cast<double>(number - 99));
  }
  EXPECT_EQ(sheet(1), "none");
  run(110, 135, 20);
  EXPECT_EQ(sheet(1), "none") << "its thumbnail may be a minute late";
  run(135, 136, 70);
  EXPECT_EQ(sheet(1), rows({100, 101, 102, 103, 103, 105, 106, 107, 108, 109}));
  EXPECT_TRUE(images.sheet(name(3)));
}

TEST_F(LiveSheets, AHoleAtItsBeginShowsWhatIsBehind) {
  begin_era(0, 100);
  for (std::uint64_t number = 100; number < 150; ++number) {
    if (number > 101) thumbnail(number);
    close(number, 2.0 * static_cast<double>(number - 100), 2.0 * static_cast<double>(number - 99));
  }
  EXPECT_EQ(sheet(1), rows({102, 102, 102, 103, 104, 105, 106, 107, 108, 109}));
}

TEST_F(LiveSheets, WithoutAnyPictureItIsAGapAndTheOthersKeepTheirNumbers) {
  begin_era(0, 100);
  run(100, 110, 0);
  for (std::uint64_t number = 110; number < 120; ++number)
    close(number, 2.0 * static_cast<double>(number - 100), 2.0 * static_cast<double>(number - 99));
  run(120, 160, 40);
  EXPECT_EQ(sheet(2), "none");
  EXPECT_EQ(sheet(3), rows({120, 121, 122, 123, 124, 125, 126, 127, 128, 129}));
  EXPECT_TRUE(playlist().contains(
      fmt::format("#EXT-X-GAP\n#EXT-X-PROGRAM-DATE-TIME:{}\n"
                  "#EXT-X-TILES:RESOLUTION=312x176,LAYOUT=1x10,DURATION=2.00000\n"
                  "#EXTINF:20.00000,\nsheet-1790000000000000-2000000-2.jpg\n",
                  format_utc(time(20)))))
      << playlist();
  EXPECT_FALSE(images.sheet_webvtt()->text.text().contains("-2.jpg#"));
}

TEST_F(LiveSheets, TheLastOneOfAnEraRepeatsItsLastPicture) {
  begin_era(0, 100);
  run(100, 113, 0);
  EXPECT_EQ(sheet(2), "none");
  tell(EraEnded{era});
  EXPECT_EQ(sheet(2), rows({110, 111, 112, 112, 112, 112, 112, 112, 112, 112}));
  EXPECT_TRUE(playlist().ends_with("#EXTINF:6.00000,\nsheet-1790000000000000-2000000-2.jpg\n"));
  EXPECT_TRUE(images.sheet_webvtt()->text.text().ends_with("-2.jpg#xywh=0,352,312,176\n"));
  begin_era(100, 113);
  run(113, 123, 100);
  EXPECT_EQ(sheet(3), "none");
  EXPECT_EQ(said(images.sheet(name(1, kGrid + 100'000'000))),
            rows({113, 114, 115, 116, 117, 118, 119, 120, 121, 122}));
  EXPECT_TRUE(playlist().contains("2000000-2.jpg\n#EXT-X-DISCONTINUITY\n#EXT-X-PROGRAM"));
}

TEST_F(LiveSheets, AGridThatMovesEndsTheOneBeforeWithoutADiscontinuity) {
  begin_era(0, 100);
  run(100, 112, 0);
  begin_era(25, 112, true);  // told before its first segment is there
  EXPECT_EQ(sheet(2), "none");
  thumbnail(112);
  close(112, 25, 27);
  EXPECT_EQ(sheet(2), rows({110, 111, 111, 111, 111, 111, 111, 111, 111, 111}));
  EXPECT_TRUE(playlist().ends_with("#EXTINF:5.00000,\nsheet-1790000000000000-2000000-2.jpg\n"))
      << playlist();
  run(113, 122, 27);
  EXPECT_EQ(said(images.sheet(name(1, kGrid + 25'000'000))),
            rows({112, 113, 114, 115, 116, 117, 118, 119, 120, 121}));
  EXPECT_FALSE(playlist().contains("DISCONTINUITY\n"));
}

TEST_F(LiveSheets, OneIsListedWhileAllOfItsSegmentsAreAndServedWhileTheyCanBeFetched) {
  begin_era(0, 100);
  run(100, 140, 0);
  tell(SegmentsExpired{.rendition = "source", .before = 101});
  EXPECT_FALSE(playlist().contains("-1.jpg\n"));
  EXPECT_TRUE(playlist().contains("#EXT-X-MEDIA-SEQUENCE:1790000002\n")) << playlist();
  EXPECT_TRUE(images.sheet(name(1)));
  tell(SegmentsUnlinked{.rendition = "source", .before = 101});
  EXPECT_FALSE(images.sheet(name(1)));
  EXPECT_TRUE(images.sheet(name(2)));
  tell(SegmentsExpired{.rendition = "source", .before = 140});
  EXPECT_TRUE(changed);
  EXPECT_EQ(playlist(), "");
}

TEST_F(LiveSheets, AWindowThatBeginsInTheMiddleHasTheWholeOnesOnly) {
  begin_era(0, 100);
  run(127, 152, 54);
  EXPECT_EQ(sheet(3), "none");
  EXPECT_EQ(sheet(4), rows({130, 131, 132, 133, 134, 135, 136, 137, 138, 139}));
  EXPECT_TRUE(images.sheet(name(5)));
}

TEST_F(LiveSheets, ThumbnailsOfTwoSizesAreNotJoined) {
  begin_era(0, 100);
  run(100, 105, 0);
  for (std::uint64_t number = 105; number < 120; ++number) {
    thumbnail(number, 160);
    close(number, 2.0 * static_cast<double>(number - 100), 2.0 * static_cast<double>(number - 99));
  }
  EXPECT_EQ(sheet(1), "none");
  EXPECT_EQ(sheet(2), rows({110, 111, 112, 113, 114, 115, 116, 117, 118, 119}));
  EXPECT_EQ(images.listing(1)->height, 160U);
}

TEST_F(LiveSheets, ThereAreNoneOfAnOlderVersionsThumbnails) {
  begin_era(0, 100);
  for (std::uint64_t number = 100; number < 120; ++number) {
    thumbnail(number, 180);
    close(number, 2.0 * static_cast<double>(number - 100), 2.0 * static_cast<double>(number - 99));
  }
  EXPECT_EQ(sheet(1), "none");
  EXPECT_EQ(playlist(), "");
  EXPECT_TRUE(images.listing(1));
  EXPECT_EQ(images.listing(1)->sheet_tile, microseconds(0));
}

TEST_F(LiveSheets, OtherTablesAreFoundWhenItIsAskedFor) {
  begin_era(0, 100);
  for (std::uint64_t number = 100; number < 110; ++number) {
    thumbnail(number, 176, number == 107 ? 'Q' : 'q');
    close(number, 2.0 * static_cast<double>(number - 100), 2.0 * static_cast<double>(number - 99));
  }
  EXPECT_EQ(sheet(1), "JPEG: other tables");
}

TEST_F(LiveSheets, AShortWindowHasNone) {
  begin_era(0, 100, false, seconds(59));
  run(100, 120, 0);
  EXPECT_EQ(playlist(), "");
  EXPECT_EQ(images.listing(1)->sheet_tile, microseconds(0));
}

// With a packager and its files.
struct PackagerSheets : ::testing::Test {
  TemporaryFolder folder;
  std::unique_ptr<Station> station;
  SyntheticFeed feed;
  std::int64_t origin = feed.start.time_since_epoch().count();

  void SetUp() override {
    PackagerOptions options;
    options.channel = "demo";
    options.directory = folder.path() / "demo";
    options.window = seconds(600);
    station = std::make_unique<Station>(options);
    feed.sound = false;
    (*station)->feed_live();
    (*station)->start_era(feed.start, feed.tracks());
  }
  void thumbnail(int second) {
    const Buffer jpeg = media::baseline_jpeg(312, 176, said_by(static_cast<std::uint64_t>(second)));
    (*station)->add_image(
        {.kind = media::ImageKind::thumbnail,
         .pts = media::from_microseconds((feed.start + seconds(second)).time_since_epoch(), 90'000),
         .timescale = 90'000,
         .width = 312,
         .height = 176,
         .jpeg = jpeg});
  }
  void run(int from, int to) {
    for (int second = from; second < to; second += 2) {
      feed.push(**station, second + 0.5);
      thumbnail(second);
      station->settle();
    }
  }
  std::optional<Sheet> sheet(std::uint64_t number) {
    return station->window().images().sheet(
        {.grid = static_cast<std::uint64_t>(origin), .tile = seconds(2), .number = number});
  }
};

TEST_F(PackagerSheets, ManifestAndMultivariantOfferThemAndStayAsTheyAre) {
  run(0, 19);
  station->settle();
  const auto manifest = [&] { return std::string(station->window().manifest()->text.text()); };
  EXPECT_FALSE(manifest().contains("1x10"));
  run(20, 23);
  const std::string first = manifest();
  EXPECT_TRUE(first.contains(
      "<Representation id=\"sheets\" bandwidth=\"256\" codecs=\"jpeg\" width=\"312\" "
      "height=\"1760\">"))
      << first;
  EXPECT_TRUE(first.contains("thumbnail_tile\" value=\"1x10\""));
  EXPECT_TRUE(first.contains(
      "<SegmentTemplate timescale=\"1000000\" duration=\"20000000\" startNumber=\"1\" "
      "presentationTimeOffset=\"1790000000000000\" "
      "media=\"thumbnails/sheet-1790000000000000-2000000-$Number$.jpg\" />"))
      << first;
  EXPECT_TRUE(station->window().multivariant()->text.text().contains(
      "#EXT-X-IMAGE-STREAM-INF:BANDWIDTH=256,RESOLUTION=312x176,CODECS=\"jpeg\","
      "URI=\"thumbnails/media.m3u8\"\n"
      "#EXT-X-IMAGE-STREAM-INF:BANDWIDTH=256,RESOLUTION=312x176,CODECS=\"jpeg\","
      "URI=\"thumbnails/sheets.m3u8\"\n"))
      << station->window().multivariant()->text.text();
  run(24, 70);
  EXPECT_EQ(manifest(), first);
}

TEST_F(PackagerSheets, AreTheSameAfterAKill) {
  run(0, 33);
  const auto before = sheet(1);
  ASSERT_TRUE(before);
  EXPECT_EQ(said(before), rows({0, 2, 4, 6, 8, 10, 12, 14, 16, 18}));
  station->kill();
  ASSERT_TRUE(station->start());
  const auto after = sheet(1);
  ASSERT_TRUE(after);
  EXPECT_EQ(after->etag, before->etag);
  EXPECT_EQ(join(*after)->text(), join(*before)->text());
  // The encoder is gone, and so is what would have filled the second.
  EXPECT_EQ(said(sheet(2)), rows({20, 22, 24, 26, 28, 30, 30, 30, 30, 30}));
}

TEST_F(PackagerSheets, AThumbnailThatIsTooLateIsTakenNeitherThenNorAfterAKill) {
  feed.push(**station, 0.5);
  thumbnail(0);
  feed.push(**station, 4.5);
  thumbnail(4);
  for (int second = 6; second < 66; second += 2) {
    feed.push(**station, second + 0.5);
    thumbnail(second);
  }
  station->settle();
  EXPECT_EQ(said(sheet(1)), "none");
  thumbnail(2);  // an older one than those that are there
  run(66, 80);
  EXPECT_EQ(said(sheet(1)), rows({0, 0, 4, 6, 8, 10, 12, 14, 16, 18}));
  station->kill();
  ASSERT_TRUE(station->start());
  EXPECT_EQ(said(sheet(1)), rows({0, 0, 4, 6, 8, 10, 12, 14, 16, 18}));
}

// A film of segments so long, in seconds; `holes` have no thumbnail.
ClosedItem film_of(const std::filesystem::path& folder, const std::vector<double>& lengths,
                   const std::vector<std::uint64_t>& holes = {}) {
  ClosedRendition video;
  video.info.id = "source";
  video.info.kind = media::TrackKind::video;
  video.info.timescale = 1000;
  auto init = std::make_shared<InitSegment>();
  init->name = "init-1.mp4";
  init->track = video_track(1000);
  video.init = std::move(init);
  ClosedItem item;
  item.id = "film";
  item.folder = folder;
  item.run = 77;
  item.begin = {10};
  std::filesystem::create_directories(folder / "thumbnails");
  Ticks at{10'000};
  for (const double length : lengths) {
    const Ticks duration{static_cast<std::int64_t>(length * 1000)};
    video.segments.push_back({at, duration, 1000, "\"e\""});
    at += duration;
    const std::uint64_t number = video.segments.size();
    if (std::ranges::find(holes, number) != holes.end()) continue;
    const Buffer jpeg = media::baseline_jpeg(312, 176, said_by(number));
    Thumbnail thumbnail{.number = number, .width = 312, .height = 176, .size = jpeg.size()};
    std::ofstream(path_below(folder, thumbnail), std::ios::binary) << jpeg.text();
    item.thumbnails.push_back(thumbnail);
  }
  item.renditions.push_back(std::move(video));
  return item;
}

TEST(FilmSheets, GoWithEqualSegmentsToTheEndWhereTheLastPictureIsRepeated) {
  const TemporaryFolder folder;
  std::vector<double> lengths(23, 4.0);
  lengths.back() = 1.5;
  const ClosedWindow window(film_of(folder.path(), lengths));
  const ClosedImages& images = window.images();
  EXPECT_EQ(images.listing()->sheet_tile, seconds(4));
  const auto sheet = [&](std::uint64_t number) {
    return said(images.sheet({.grid = 77, .tile = seconds(4), .number = number}));
  };
  EXPECT_EQ(sheet(1), rows({1, 2, 3, 4, 5, 6, 7, 8, 9, 10}));
  EXPECT_EQ(sheet(3), rows({21, 22, 22, 22, 22, 22, 22, 22, 22, 22}))
      << "of the last segment the middle of no tile is";
  EXPECT_EQ(sheet(4), "none");
  EXPECT_EQ(sheet(0), "none");
  EXPECT_FALSE(images.sheet({.grid = 76, .tile = seconds(4), .number = 1}));
  EXPECT_FALSE(images.sheet({.grid = 77, .tile = seconds(2), .number = 1}));
  EXPECT_EQ(images.sheet_playlist().text(),
            "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:40\n#EXT-X-PLAYLIST-TYPE:VOD\n"
            "#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-IMAGES-ONLY\n"
            "#EXT-X-TILES:RESOLUTION=312x176,LAYOUT=1x10,DURATION=4.00000\n#EXTINF:40.00000,\n"
            "sheet-77-4000000-1.jpg\n"
            "#EXT-X-TILES:RESOLUTION=312x176,LAYOUT=1x10,DURATION=4.00000\n#EXTINF:40.00000,\n"
            "sheet-77-4000000-2.jpg\n"
            "#EXT-X-TILES:RESOLUTION=312x176,LAYOUT=1x10,DURATION=4.00000\n#EXTINF:9.50000,\n"
            "sheet-77-4000000-3.jpg\n#EXT-X-ENDLIST\n");
  const std::string times(images.sheet_webvtt().text());
  EXPECT_TRUE(
      times.ends_with("\n00:01:28.000 --> 00:01:29.500\n"
                      "sheet-77-4000000-3.jpg#xywh=0,352,312,176\n"))
      << times;
  const std::string manifest(window.manifest().text());
  EXPECT_TRUE(manifest.contains(
      "<SegmentTemplate timescale=\"1000000\" duration=\"40000000\" startNumber=\"1\" "
      "presentationTimeOffset=\"0\" media=\"thumbnails/sheet-77-4000000-$Number$.jpg\" />"))
      << manifest;
  EXPECT_TRUE(window.multivariant().text().contains("URI=\"thumbnails/sheets.m3u8\"\n"));
}

TEST(FilmSheets, OfUnequalSegmentsShowWhatTheirMiddlesLieIn) {
  const TemporaryFolder folder;
  // 40 s: the mean is 4 s and the median 2 s.
  const ClosedWindow window(film_of(folder.path(), {2, 2, 14, 2, 2, 10, 2, 2, 2, 2}, {5}));
  EXPECT_EQ(window.images().listing()->sheet_tile, seconds(4));
  // Middles at 2, 6, 10 ... 38 s; of the fifth segment (20 to 22 s) there is none.
  EXPECT_EQ(said(window.images().sheet({.grid = 77, .tile = seconds(4), .number = 1})),
            rows({2, 3, 3, 3, 4, 6, 6, 6, 8, 10}));
}

TEST(FilmSheets, ThereAreNoneWhereThumbnailsDiffer) {
  const TemporaryFolder folder;
  ClosedItem item = film_of(folder.path(), {4, 4});
  item.thumbnails[1].height = 160;
  EXPECT_EQ(ClosedWindow(item).images().listing()->sheet_tile, microseconds(0));
  item.thumbnails[0].height = item.thumbnails[1].height = 180;
  const ClosedWindow old(item);
  EXPECT_EQ(old.images().listing()->sheet_tile, microseconds(0));
  EXPECT_TRUE(old.images().sheet_playlist().empty());
  EXPECT_FALSE(old.images().sheet({.grid = 77, .tile = seconds(4), .number = 1}));
  EXPECT_FALSE(old.multivariant().text().contains("sheets"));
}

// Not a test: what one costs here, files opened, read and joined. Run with
// --gtest_also_run_disabled_tests.
TEST(Cost, DISABLED_OfASheet) {
  const TemporaryFolder folder;
  ClosedItem item = film_of(folder.path(), std::vector<double>(10, 2.0));
  std::uint32_t noise = 1;
  for (Thumbnail& thumbnail : item.thumbnails) {
    std::string coded;
    while (coded.size() < 8'000) {
      noise = noise * 1'664'525 + 1'013'904'223;
      coded += static_cast<char>(noise >> 24);
      if (coded.back() == '\xff') coded += '\0';
    }
    const Buffer jpeg = media::baseline_jpeg(312, 176, coded);
    thumbnail.size = jpeg.size();
    std::ofstream(path_below(folder.path(), thumbnail), std::ios::binary) << jpeg.text();
  }
  const ClosedWindow window(item);
  constexpr int kSheets = 5'000;
  std::size_t bytes = 0;
  const std::clock_t before = std::clock();
  for (int i = 0; i < kSheets; ++i) {
    const auto sheet = window.images().sheet({.grid = 77, .tile = seconds(2), .number = 1});
    bytes = join(*sheet).value().size();
  }
  const double seconds_of_cpu = static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC;
  std::printf("%zu bytes, %.0f us of CPU a sheet\n", bytes, seconds_of_cpu / kSheets * 1e6);
}

}  // namespace
}  // namespace kapok::packaging
