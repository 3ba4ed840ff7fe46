// Still pictures beside the window: numbered as segments are, kept as long, there after a kill.
#include <fstream>

#include "server/picture/packaging/image_window.hpp"
#include "server/picture/packaging/packaging_fixture_test.hpp"

namespace kapok::packaging {
namespace {

namespace fs = std::filesystem;

struct PackagerImages : ::testing::Test {
  TemporaryFolder folder;
  std::unique_ptr<Station> station;
  SyntheticFeed feed;

  PackagerOptions options(microseconds window = seconds(60)) const {
    PackagerOptions options;
    options.channel = "demo";
    options.directory = folder.path() / "demo";
    options.window = window;
    return options;
  }
  void begin(microseconds window = seconds(60)) {
    station = std::make_unique<Station>(options(window));
    feed.sound = false;
    (*station)->feed_live();
    (*station)->start_era(feed.start, feed.tracks());
  }
  static media::Image image(media::ImageKind kind, UtcTime at, std::string_view what) {
    return {.kind = kind,
            .pts = media::from_microseconds(at.time_since_epoch(), 90'000),
            .timescale = 90'000,
            .width = 320,
            .height = 180,
            .jpeg = Buffer::copy_of(fmt::format("\xff\xd8\xff{}\xff\xd9", what))};
  }
  UtcTime at(double second) const {
    return feed.start + microseconds(static_cast<std::int64_t>(second * 1e6));
  }
  void thumbnail(double second, std::string_view what = "picture") {
    (*station)->add_image(image(media::ImageKind::thumbnail, at(second), what));
  }
  void poster(double second, std::string_view what) {
    (*station)->add_image(image(media::ImageKind::poster, at(second), what));
  }
  const ImageWindow& images() { return station->window().images(); }
  // The number of the segment that begins there, in the playlist.
  std::uint64_t number_at(double second) const {
    return static_cast<std::uint64_t>(feed.start.time_since_epoch() / seconds(2)) +
           static_cast<std::uint64_t>(second / 2);
  }
  std::string playlist() {
    const auto text = images().playlist();
    return text ? std::string(text->text.text()) : "";
  }
  std::string bytes_of(std::uint64_t number) {
    const auto object = images().thumbnail(number);
    if (!object) return "";
    const auto mapped = object->file->mapped(0, object->size);
    return mapped ? std::string(as_text(*mapped)) : "";
  }
};

TEST_F(PackagerImages, AThumbnailHasTheNumberOfTheSegmentThatItBegins) {
  begin();
  feed.push(**station, 4.5);
  for (const double second : {0.0, 2.0, 4.0}) thumbnail(second, fmt::format("of {}", second));
  station->settle();
  for (const double second : {0.0, 2.0, 4.0}) {
    EXPECT_NE(bytes_of(number_at(second)).find(fmt::format("of {}", second)), std::string::npos);
    EXPECT_TRUE(station->window().find("source")->segment_presence({0, number_at(second)}) ==
                Presence::here);
  }
  const auto object = images().thumbnail(number_at(2));
  EXPECT_FALSE(object->etag.empty());
  EXPECT_FALSE(images().thumbnail(number_at(6)));
}

TEST_F(PackagerImages, WhatComesWhileTheFirstGopIsMeasuredIsNotLost) {
  begin();
  feed.push(**station, 0.5);
  thumbnail(0);
  poster(0, "early");
  feed.push(**station, 2.5);
  station->settle();
  EXPECT_TRUE(images().thumbnail(number_at(0)));
  ASSERT_TRUE(images().poster());
}

TEST_F(PackagerImages, WhatIsOfNoSegmentsFirstFrameIsNoThumbnail) {
  begin();
  feed.push(**station, 4.5);
  for (const double second : {1.0, 0.04, -2.0, 6.0, 100.0, -100.0}) thumbnail(second);
  station->settle();
  EXPECT_FALSE(images().playlist());
}

TEST_F(PackagerImages, TheFirstThumbnailOfANumberStays) {
  begin();
  feed.push(**station, 4.5);
  thumbnail(2, "first");
  thumbnail(2, "second");
  thumbnail(0, "an older one");
  station->settle();
  EXPECT_NE(bytes_of(number_at(2)).find("first"), std::string::npos);
  EXPECT_FALSE(images().thumbnail(number_at(0)));
}

TEST_F(PackagerImages, APosterReplacesTheLastOne) {
  begin();
  feed.push(**station, 4.5);
  EXPECT_FALSE((*station)->poster());
  poster(0, "one");
  station->settle();
  const auto first = images().poster();
  ASSERT_TRUE(first);
  poster(2, "two");
  poster(90, "out of the future");
  station->settle();
  EXPECT_NE(images().poster()->jpeg.text().find("two"), std::string_view::npos);
  EXPECT_NE(images().poster()->etag, first->etag);
  EXPECT_EQ((*station)->poster(), at(2));
}

TEST_F(PackagerImages, ThePlaylistHasTheNumbersOfTheSourceAndGapsWhereThereIsNoPicture) {
  begin();
  feed.push(**station, 8.5);
  thumbnail(0);
  thumbnail(4);
  station->settle();
  const std::string start = format_utc(at(0));
  // The newest complete segment (6 to 8) waits for its thumbnail.
  EXPECT_EQ(playlist(), fmt::format("#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:2\n"
                                    "#EXT-X-MEDIA-SEQUENCE:{0}\n#EXT-X-DISCONTINUITY-SEQUENCE:0\n"
                                    "#EXT-X-IMAGES-ONLY\n"
                                    "#EXT-X-PROGRAM-DATE-TIME:{3}\n"
                                    "#EXT-X-TILES:RESOLUTION=320x180,LAYOUT=1x1,DURATION=2.00000\n"
                                    "#EXTINF:2.00000,\n{0}.jpg\n"
                                    "#EXT-X-PROGRAM-DATE-TIME:{4}\n#EXT-X-GAP\n"
                                    "#EXTINF:2.00000,\n{1}.jpg\n"
                                    "#EXT-X-PROGRAM-DATE-TIME:{5}\n"
                                    "#EXT-X-TILES:RESOLUTION=320x180,LAYOUT=1x1,DURATION=2.00000\n"
                                    "#EXTINF:2.00000,\n{2}.jpg\n",
                                    number_at(0), number_at(2), number_at(4), format_utc(at(0)),
                                    format_utc(at(2)), format_utc(at(4))));
  feed.push(**station, 14.5);
  station->settle();
  // Not for ever.
  EXPECT_NE(playlist().find(fmt::format("#EXT-X-GAP\n#EXTINF:2.00000,\n{}.jpg\n", number_at(6))),
            std::string::npos)
      << playlist();
}

TEST_F(PackagerImages, WebVttTellsChannelTime) {
  begin();
  feed.push(**station, 4.5);
  thumbnail(2);
  station->settle();
  // 1'790'000'000 s are 497'222 hours, 13 minutes and 20 seconds.
  EXPECT_EQ(images().webvtt()->text.text(),
            fmt::format("WEBVTT\n\n497222:13:22.000 --> 497222:13:24.000\n{}.jpg\n", number_at(2)));
}

TEST_F(PackagerImages, ManifestAndMultivariantOfferThem) {
  begin();
  feed.push(**station, 2.5);
  station->settle();
  const auto offered = [&] {
    return station->window().manifest()->text.text().find("image/jpeg") != std::string_view::npos;
  };
  thumbnail(2);
  station->settle();
  EXPECT_FALSE(offered()) << "a playlist without a line ends playback in Shaka";
  feed.push(**station, 4.5);
  station->settle();
  EXPECT_TRUE(offered());
  const std::string manifest(station->window().manifest()->text.text());
  EXPECT_NE(manifest.find("mimeType=\"image/jpeg\""), std::string::npos) << manifest;
  EXPECT_NE(manifest.find("media=\"thumbnails/$Number$.jpg\""), std::string::npos);
  EXPECT_NE(manifest.find("schemeIdUri=\"http://dashif.org/guidelines/thumbnail_tile\" "
                          "value=\"1x1\""),
            std::string::npos);
  EXPECT_NE(station->window().multivariant()->text.text().find(
                "#EXT-X-IMAGE-STREAM-INF:BANDWIDTH=64,RESOLUTION=320x180,CODECS=\"jpeg\","
                "URI=\"thumbnails/media.m3u8\"\n"),
            std::string_view::npos)
      << station->window().multivariant()->text.text();
  // More of the same change nothing in it.
  const auto before = station->window().manifest()->generation;
  feed.push(**station, 6.5);
  thumbnail(4);
  station->settle();
  EXPECT_EQ(station->window().manifest()->generation, before);
}

TEST_F(PackagerImages, ThumbnailsGoWithTheirSegments) {
  begin(seconds(6));
  for (int second = 0; second < 40; second += 2) {
    feed.push(**station, second + 0.5);
    thumbnail(second);
    station->settle();
  }
  EXPECT_FALSE(images().thumbnail(number_at(0)));
  EXPECT_TRUE(images().thumbnail(number_at(36)));
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& file :
       fs::directory_iterator(folder.path() / "demo" / "thumbnails"))
    ++files;
  std::size_t segments = 0;
  for (const auto& file : fs::directory_iterator(folder.path() / "demo" / "source"))
    segments += file.path().extension() == ".m4s";
  EXPECT_EQ(files, segments);
  EXPECT_EQ(playlist().find(fmt::format("{}.jpg", number_at(20))), std::string::npos);
  EXPECT_NE(playlist().find(fmt::format("{}.jpg", number_at(34))), std::string::npos) << playlist();
}

TEST_F(PackagerImages, AKilledServerComesBackWithThem) {
  begin();
  feed.push(**station, 4.5);
  thumbnail(0, "zero");
  thumbnail(2, "two");
  poster(2, "the poster");
  station->settle();
  const auto etag = images().poster()->etag;
  station->kill();
  // What a kill in the middle of writing leaves, and what nobody knows.
  const fs::path thumbnails = folder.path() / "demo" / "thumbnails";
  for (const char* name : {"7-320x180.jpg", "x.jpg", "895-320x180.jpg.new"})
    std::ofstream(thumbnails / name) << "?";
  ASSERT_TRUE(station->start());
  EXPECT_EQ(images().poster()->etag, etag);
  EXPECT_TRUE((*station)->poster());
  EXPECT_NE(bytes_of(number_at(0)).find("zero"), std::string::npos);
  EXPECT_NE(bytes_of(number_at(2)).find("two"), std::string::npos);
  EXPECT_NE(playlist().find("RESOLUTION=320x180"), std::string::npos) << playlist();
  EXPECT_NE(station->window().manifest()->text.text().find("thumbnail_tile"),
            std::string_view::npos);
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& file : fs::directory_iterator(thumbnails)) ++files;
  EXPECT_EQ(files, 2U);
  // The next run goes on with later numbers.
  feed.start += seconds(10);
  feed.next_frame = 0;
  (*station)->start_era(feed.start, feed.tracks());
  feed.push(**station, 0.5);
  thumbnail(0, "of the next run");
  station->settle();
  std::size_t found = 0;
  for (std::uint64_t number = number_at(0) - 5; number < number_at(0) + 5; ++number)
    found += bytes_of(number).find("of the next run") != std::string::npos;
  EXPECT_EQ(found, 1U);
}

}  // namespace
}  // namespace kapok::packaging
