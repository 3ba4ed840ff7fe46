#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>

#include "server/picture/delivery/http/media_routes.hpp"

namespace kapok::delivery {
namespace {

packaging::ClosedItem film_item() {
  media::Track track;
  track.kind = media::TrackKind::audio;
  track.codec = media::Codec::aac;
  track.timescale = 48'000;
  track.codec_string = "mp4a.40.2";
  track.facts = media::AudioFacts{48'000, 2, 1024};
  auto init = std::make_shared<packaging::InitSegment>();
  init->name = "init-0011.mp4";
  init->bytes = Buffer::copy_of("an init segment");
  init->track = std::make_shared<const media::Track>(track);
  packaging::ClosedRendition rendition;
  rendition.info.id = "audio-1";
  rendition.info.kind = media::TrackKind::audio;
  rendition.info.timescale = 48'000;
  rendition.init = init;
  rendition.segments.push_back({{480'000}, {192'000}, 10, "\"abc\""});
  rendition.segments.push_back({{672'000}, {192'000}, 0, "\"gap\""});
  packaging::ClosedItem item;
  item.id = "film";
  item.folder = "/nowhere";
  item.run = 77;
  item.begin = {10};
  item.renditions.push_back(std::move(rendition));
  return item;
}

std::shared_ptr<const packaging::ClosedWindow> film() {
  return std::make_shared<const packaging::ClosedWindow>(film_item());
}

std::shared_ptr<const packaging::ClosedWindow> film_with_pictures(std::uint32_t height = 180) {
  packaging::ClosedItem item = film_item();
  media::Track picture;
  picture.kind = media::TrackKind::video;
  picture.timescale = 90'000;
  picture.codec_string = "avc1.4d402a";
  media::VideoFacts facts;
  facts.width = 1920;
  facts.height = 1080;
  picture.facts = facts;
  auto init = std::make_shared<packaging::InitSegment>();
  init->track = std::make_shared<const media::Track>(picture);
  packaging::ClosedRendition video;
  video.info.id = "source";
  video.info.kind = media::TrackKind::video;
  video.info.timescale = 90'000;
  video.init = std::move(init);
  video.segments.push_back({{900'000}, {360'000}, 10, "\"v\""});
  item.renditions.push_back(std::move(video));
  auto poster = std::make_shared<packaging::Poster>();
  poster->jpeg = Buffer::copy_of("a poster");
  poster->etag = "\"p\"";
  item.poster = std::move(poster);
  item.thumbnails.push_back({.number = 1, .width = 320, .height = height, .size = 900});
  return std::make_shared<const packaging::ClosedWindow>(std::move(item));
}

class VodDelivery : public testing::Test {
 protected:
  Reply ask(std::string_view path, std::string_view none_match = "", std::string_view range = "") {
    http::RequestHead head;
    head.method = http::Method::get;
    head.if_none_match = none_match;
    head.range = range;
    const auto request = read_media_request(head, path);
    EXPECT_TRUE(request) << path;
    return routes_.answer(*request, boost::asio::ip::make_address("192.0.2.1"), Patience::fresh);
  }
  BytesReply text(std::string_view path) {
    Reply reply = ask(path);
    const auto* bytes = std::get_if<BytesReply>(&reply);
    EXPECT_NE(bytes, nullptr) << path;
    return bytes == nullptr ? BytesReply() : *bytes;
  }

  boost::asio::io_context shard_{1};
  FakeClock clock_;
  LiveStore live_{shard_.get_executor(), clock_};
  AccessRule rule_ = AccessRule::make({}).value();
  MediaRoutes routes_{live_, rule_, nullptr, clock_};
};

TEST_F(VodDelivery, ServesWhatIsOnTheShelf) {
  live_.vod().put("film", film());
  const BytesReply playlist = text("/vod/film/audio-1/media.m3u8");
  EXPECT_EQ(playlist.status, 200U);
  EXPECT_NE(playlist.body.text().find("#EXT-X-ENDLIST"), std::string::npos);
  EXPECT_EQ(playlist.caching.max_age_s, 60U);
  EXPECT_FALSE(playlist.caching.immutable);
  EXPECT_EQ(text("/vod/film/manifest.mpd").type, "application/dash+xml");
  EXPECT_NE(text("/vod/film/master.m3u8").body.text().find("audio-1/media.m3u8"),
            std::string::npos);
  const BytesReply init = text("/vod/film/audio-1/init-0011.mp4");
  EXPECT_EQ(init.body.text(), "an init segment");
  EXPECT_TRUE(init.caching.immutable);
}

TEST_F(VodDelivery, SegmentsAreForEver) {
  live_.vod().put("film", film());
  const Reply reply = ask("/vod/film/audio-1/77-1.m4s");
  const auto* object = std::get_if<ObjectReply>(&reply);
  ASSERT_NE(object, nullptr);
  EXPECT_EQ(object->status, 200U);
  EXPECT_EQ(object->type, "audio/mp4");
  EXPECT_TRUE(object->caching.immutable);
  EXPECT_EQ(object->object.size, 10U);
  const Reply known = ask("/vod/film/audio-1/77-1.m4s", "\"abc\"");
  EXPECT_EQ(std::get<ObjectReply>(known).status, 304U);
  // [RFC 8216bis 4.4.4.7] players do not load a gap; one that does gets a segment without samples.
  EXPECT_EQ(text("/vod/film/audio-1/77-2.m4s").status, 200U);
}

TEST_F(VodDelivery, StillPicturesOfAFilm) {
  live_.vod().put("film", film());
  for (const std::string_view none : {"/vod/film/poster.jpg", "/vod/film/thumbnails/media.m3u8",
                                      "/vod/film/thumbnails/media.vtt"})
    EXPECT_EQ(text(none).status, 404U) << none;
  live_.vod().put("film", film_with_pictures());
  const BytesReply poster = text("/vod/film/poster.jpg");
  EXPECT_EQ(poster.type, "image/jpeg");
  EXPECT_EQ(poster.body.text(), "a poster");
  EXPECT_FALSE(poster.caching.immutable) << "an item may be made again";
  EXPECT_TRUE(text("/vod/film/thumbnails/media.m3u8").body.text().contains("\n77-1.jpg\n"));
  EXPECT_EQ(text("/vod/film/thumbnails/media.vtt").type, "text/vtt; charset=utf-8");
  const Reply reply = ask("/vod/film/thumbnails/77-1.jpg");
  const auto* thumbnail = std::get_if<ObjectReply>(&reply);
  ASSERT_NE(thumbnail, nullptr);
  EXPECT_EQ(thumbnail->type, "image/jpeg");
  EXPECT_EQ(thumbnail->object.size, 900U);
  EXPECT_TRUE(thumbnail->caching.immutable);
  EXPECT_FALSE(thumbnail->credit);
  EXPECT_EQ(text("/vod/film/thumbnails/76-1.jpg").status, 404U);
  EXPECT_EQ(text("/vod/film/thumbnails/1.jpg").status, 404U);
}

TEST_F(VodDelivery, SheetsOfAFilm) {
  live_.vod().put("film", film_with_pictures());
  for (const std::string_view none :
       {"/vod/film/thumbnails/sheets.m3u8", "/vod/film/thumbnails/sheets.vtt",
        "/vod/film/thumbnails/sheet-77-4000000-1.jpg"})
    EXPECT_EQ(text(none).status, 404U) << none << ": its thumbnails are as high as they used to be";
  live_.vod().put("film", film_with_pictures(176));
  EXPECT_TRUE(
      text("/vod/film/thumbnails/sheets.m3u8").body.text().contains("\nsheet-77-4000000-1"));
  EXPECT_EQ(text("/vod/film/thumbnails/sheets.vtt").type, "text/vtt; charset=utf-8");
  constexpr std::string_view kSheet = "/vod/film/thumbnails/sheet-77-4000000-1.jpg";
  const Reply reply = ask(kSheet, "", "bytes=0-1");
  const auto* sheet = std::get_if<SheetReply>(&reply);
  ASSERT_NE(sheet, nullptr);
  EXPECT_EQ(sheet->sheet.tiles.size(), packaging::kSheetTiles);
  EXPECT_TRUE(sheet->found.caching.immutable);
  EXPECT_EQ(sheet->range, "bytes=0-1");
  EXPECT_EQ(sheet->otherwise.status, 404U);
  const Reply known = ask(kSheet, sheet->found.etag);
  EXPECT_EQ(std::get<BytesReply>(known).status, 304U);
  EXPECT_EQ(text("/vod/film/thumbnails/sheet-76-4000000-1.jpg").status, 404U);
  EXPECT_EQ(text("/vod/film/thumbnails/sheet-77-4000000-2.jpg").status, 404U);
}

TEST_F(VodDelivery, WhatIsNotThereIsNeverHeld) {
  live_.vod().put("film", film());
  for (const std::string_view path :
       {"/vod/film/audio-1/76-1.m4s", "/vod/film/audio-1/77-3.m4s", "/vod/film/audio-1/1.m4s",
        "/vod/film/audio-1/p1.m4s", "/vod/film/audio-1/init-22.mp4", "/vod/film/none/media.m3u8",
        "/vod/other/master.m3u8", "/vod/film/", "/live/film/master.m3u8"}) {
    const BytesReply refused = text(path);
    EXPECT_EQ(refused.status, 404U) << path;
    EXPECT_EQ(refused.caching.max_age_s, 1U) << path;
  }
  live_.vod().put("film", nullptr);
  EXPECT_EQ(text("/vod/film/master.m3u8").status, 404U);
}

}  // namespace
}  // namespace kapok::delivery
