#include "server/picture/packaging/closed_window.hpp"

#include <gtest/gtest.h>

#include "server/picture/containers/cmaf/init.hpp"
#include "server/picture/packaging/packaging_fixture_test.hpp"

namespace kapok::packaging {
namespace {

ClosedRendition rendition(const std::string& id, std::shared_ptr<const media::Track> track) {
  ClosedRendition made;
  made.info.id = id;
  made.info.kind = track->kind;
  made.info.timescale = track->timescale;
  made.info.language = track->language;
  made.info.bandwidth = 2'000'000;
  made.info.average_bandwidth = 1'500'000;
  auto init = std::make_shared<InitSegment>();
  init->name = "init-0011.mp4";
  init->bytes = Buffer(cmaf::write_init(*track));
  init->track = std::move(track);
  made.init = std::move(init);
  return made;
}

ClosedItem film() {
  ClosedItem item;
  item.id = "film";
  item.folder = "/nowhere/film";
  item.run = 77;
  item.begin = {10'000};
  item.timescale = 1'000;
  ClosedRendition video = rendition("source", video_track());
  for (int i = 0; i < 3; ++i)
    video.segments.push_back({{900'000 + i * 360'000}, {360'000}, 1'000, "\"a\""});
  video.segments.push_back({{900'000 + 3 * 360'000}, {45'000}, 500, "\"b\""});
  ClosedRendition audio = rendition("audio-zh", audio_track());
  audio.segments.push_back({{480'000}, {192'512}, 100, "\"c\""});
  audio.segments.push_back({{672'512}, {191'488}, 0, "\"d\""});
  item.renditions = {video, audio};
  return item;
}

TEST(ClosedWindow, HasAPlaylistThatEnds) {
  const ClosedWindow window(film());
  EXPECT_EQ(window.playlist("source").text(),
            "#EXTM3U\n#EXT-X-VERSION:8\n#EXT-X-TARGETDURATION:4\n#EXT-X-PLAYLIST-TYPE:VOD\n"
            "#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-INDEPENDENT-SEGMENTS\n"
            "#EXT-X-MAP:URI=\"init-0011.mp4\"\n"
            "#EXTINF:4.00000,\n77-1.m4s\n#EXTINF:4.00000,\n77-2.m4s\n"
            "#EXTINF:4.00000,\n77-3.m4s\n#EXTINF:0.50000,\n77-4.m4s\n#EXT-X-ENDLIST\n");
  EXPECT_NE(window.playlist("audio-zh").text().find("#EXT-X-GAP\n#EXTINF:3.98933,\n77-2.m4s"),
            std::string::npos);
  EXPECT_TRUE(window.playlist("none").empty());
  EXPECT_EQ(window.duration(), milliseconds(12'500));
}

TEST(ClosedWindow, HasAStaticManifestWithEachSegmentsTime) {
  const std::string text(ClosedWindow(film()).manifest().text());
  for (const std::string_view part :
       {"type=\"static\"", "mediaPresentationDuration=\"PT12.5S\"",
        "maxSegmentDuration=\"PT4.010667S\"", "presentationTimeOffset=\"900000\"",
        "media=\"source/77-$Number$.m4s\"", "startNumber=\"1\"",
        "<S t=\"900000\" d=\"360000\" r=\"2\" />", "<S d=\"45000\" />",
        "presentationTimeOffset=\"480000\"", "initialization=\"audio-zh/init-0011.mp4\""})
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  for (const std::string_view live :
       {"UTCTiming", "availability", "Latency", "minimumUpdatePeriod"})
    EXPECT_EQ(text.find(live), std::string::npos) << live;
}

TEST(ClosedWindow, ListsItsRenditions) {
  const std::string text(ClosedWindow(film()).multivariant().text());
  EXPECT_NE(text.find("\nsource/media.m3u8\n"), std::string::npos) << text;
  EXPECT_NE(text.find("URI=\"audio-zh/media.m3u8\""), std::string::npos) << text;
}

// Of the third segment there is none: its worker was killed.
ClosedItem film_with_stills() {
  ClosedItem item = film();
  auto poster = std::make_shared<Poster>();
  poster->jpeg = Buffer::copy_of("a poster");
  item.poster = std::move(poster);
  for (const std::uint64_t number : {1, 2, 4})
    item.thumbnails.push_back(
        {.number = number, .width = 320, .height = 180, .size = 8'000 + number});
  return item;
}

TEST(ClosedWindow, ListsAThumbnailForEachSegmentInHlsDashAndWebVtt) {
  const ClosedWindow window(film_with_stills());
  const std::string playlist(window.images().playlist().text());
  EXPECT_TRUE(playlist.starts_with(
      "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:4\n#EXT-X-PLAYLIST-TYPE:VOD\n"
      "#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-IMAGES-ONLY\n"
      "#EXT-X-TILES:RESOLUTION=320x180,LAYOUT=1x1,DURATION=4.00000\n#EXTINF:4.00000,\n"
      "77-1.jpg\n"))
      << playlist;
  EXPECT_TRUE(playlist.ends_with("#EXTINF:0.50000,\n77-4.jpg\n#EXT-X-ENDLIST\n")) << playlist;
  EXPECT_TRUE(playlist.contains("\n77-3.jpg\n")) << "no hole";
  const std::string times(window.images().webvtt().text());
  EXPECT_TRUE(times.starts_with("WEBVTT\n\n00:00:00.000 --> 00:00:04.000\n77-1.jpg\n")) << times;
  EXPECT_TRUE(times.ends_with("\n00:00:12.000 --> 00:00:12.500\n77-4.jpg\n")) << times;
  const std::string manifest(window.manifest().text());
  const std::size_t at = manifest.find("contentType=\"image\"");
  ASSERT_NE(at, std::string::npos) << manifest;
  for (const std::string_view part :
       {"media=\"thumbnails/77-$Number$.jpg\"", "timescale=\"90000\" startNumber=\"1\"",
        "<S t=\"900000\" d=\"360000\" r=\"2\" />", "<S d=\"45000\" />", "width=\"320\"",
        "http://dashif.org/guidelines/thumbnail_tile"})
    EXPECT_NE(manifest.find(part, at), std::string::npos) << part << "\n" << manifest;
  // [RFC 8216bis 4.4.6.2] the peak: 8004 bytes for half a second.
  EXPECT_TRUE(std::string(window.multivariant().text())
                  .contains("#EXT-X-IMAGE-STREAM-INF:BANDWIDTH=128064,RESOLUTION=320x180,"
                            "CODECS=\"jpeg\",URI=\"thumbnails/media.m3u8\"\n"));
}

TEST(ClosedWindow, AThumbnailThatIsMissingIsTheOneBefore) {
  const ClosedWindow window(film_with_stills());
  const auto size_of = [&](std::uint64_t number) {
    const auto found = window.images().thumbnail({77, number});
    return found ? found->size : 0;
  };
  EXPECT_EQ(size_of(2), 8'002U);
  EXPECT_EQ(size_of(3), 8'002U);
  EXPECT_EQ(size_of(4), 8'004U);
  EXPECT_EQ(size_of(5), 0U);
  EXPECT_FALSE(window.images().thumbnail({76, 2}));
  const ClosedWindow without(film());
  EXPECT_FALSE(without.images().thumbnail({77, 1}));
  EXPECT_FALSE(without.images().listing());
  EXPECT_EQ(without.images().poster(), nullptr);
  EXPECT_FALSE(std::string(without.manifest().text()).contains("image"));
}

TEST(ClosedWindow, FindsSegmentsByTheNamesOfTheirRunAlone) {
  const ClosedWindow window(film());
  const auto segment = window.find_segment("source", {77, 4});
  ASSERT_TRUE(segment);
  EXPECT_EQ(segment->size, 500U);
  EXPECT_EQ(segment->etag, "\"b\"");
  EXPECT_TRUE(segment->file);
  EXPECT_FALSE(window.find_segment("source", {76, 4}));
  EXPECT_FALSE(window.find_segment("source", {77, 0}));
  EXPECT_FALSE(window.find_segment("source", {77, 5}));
  EXPECT_FALSE(window.find_segment("none", {77, 1}));
  const auto gap = window.find_segment("audio-zh", {77, 2});
  ASSERT_TRUE(gap);
  EXPECT_FALSE(gap->file);
}

}  // namespace
}  // namespace kapok::packaging
