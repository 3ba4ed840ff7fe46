#include "server/picture/delivery/http/media_request.hpp"

#include <gtest/gtest.h>

#include "server/picture/delivery/http/media_routes.hpp"

namespace kapok::delivery {
namespace {

using What = MediaRequest::What;

std::optional<MediaRequest> read(std::string_view path, std::string_view query = "") {
  http::RequestHead head;
  head.method = http::Method::get;
  head.query = query;
  return read_media_request(head, path);
}

TEST(MediaRequest, TakesTheUrlsOfTheDesignApart) {
  EXPECT_EQ(read("/live/demo/master.m3u8")->what, What::multivariant);
  EXPECT_EQ(read("/live/demo/manifest.mpd")->what, What::manifest);
  const auto segment = read("/live/demo/audio-zh/895.m4s");
  EXPECT_EQ(segment->what, What::segment);
  EXPECT_EQ(segment->channel, "demo");
  EXPECT_EQ(segment->rendition, "audio-zh");
  EXPECT_EQ(segment->number, 895U);
  EXPECT_EQ(segment->discontinuity_sequence, 0U);
  const auto later = read("/live/demo/source/12-895.m4s");
  EXPECT_EQ(later->what, What::segment);
  EXPECT_EQ(later->number, 895U);
  EXPECT_EQ(later->discontinuity_sequence, 12U);
  const auto part = read("/live/demo/source/p0.m4s");
  EXPECT_EQ(part->what, What::part);
  EXPECT_EQ(part->number, 0U);
  EXPECT_EQ(read("/live/demo/source/init-1a.mp4")->name, "init-1a.mp4");
  EXPECT_EQ(read("/time")->what, What::time);
  const auto session = read("/s/AbC_-/live/demo/source/media.m3u8");
  EXPECT_TRUE(session->in_session);
  EXPECT_EQ(session->token, "AbC_-");
  EXPECT_EQ(session->what, What::playlist);
}

TEST(MediaRequest, KnowsTheLibraryFromTheLiveWindow) {
  const auto segment = read("/vod/film/720p/1790000000-12.m4s", "_HLS_msn=3");
  EXPECT_TRUE(segment->vod);
  EXPECT_EQ(segment->what, What::segment);
  EXPECT_EQ(segment->channel, "film");
  EXPECT_EQ(segment->discontinuity_sequence, 1'790'000'000U);
  EXPECT_EQ(segment->number, 12U);
  EXPECT_EQ(read("/vod/film/master.m3u8")->what, What::multivariant);
  // Nothing is to come of what is closed.
  EXPECT_FALSE(read("/vod/film/720p/media.m3u8", "_HLS_msn=3")->msn);
  EXPECT_EQ(read("/vod/../master.m3u8")->what, What::unknown);
  EXPECT_FALSE(read("/live/film/master.m3u8")->vod);
}

TEST(MediaRequest, HasOneNameForOneObject) {
  for (const std::string_view path : {"/live/demo/source/0-895.m4s",
                                      "/live/demo/source/01-895.m4s",
                                      "/live/demo/source/1-0895.m4s",
                                      "/live/demo/source/-895.m4s",
                                      "/live/demo/source/1-.m4s",
                                      "/live/demo/source/1-2-895.m4s",
                                      "/live/demo/source/4294967296-895.m4s",
                                      "/live/demo/source/p1-895.m4s",
                                      "/live/demo/source/0895.m4s",
                                      "/live/demo/source/+895.m4s",
                                      "/live/demo/source/p.m4s",
                                      "/live/demo/source/p-1.m4s",
                                      "/live/demo/source/.m4s",
                                      "/live/demo/source/895.m4s/",
                                      "/live/demo/source/99999999999999999999.m4s",
                                      "/live/demo/source/",
                                      "/live/demo/source",
                                      "/live/demo/",
                                      "/live/",
                                      "/live/Demo/master.m3u8",
                                      "/live/demo/source/x/895.m4s",
                                      "/s/token",
                                      "/s/",
                                      "/s/token/other/demo/master.m3u8"}) {
    const auto request = read(path);
    ASSERT_TRUE(request) << path;
    EXPECT_EQ(request->what, What::unknown) << path;
  }
}

TEST(MediaRequest, KnowsTheStillPictures) {
  const auto poster = read("/live/demo/poster.jpg", "t=1790000000");
  EXPECT_EQ(poster->what, What::poster);
  EXPECT_EQ(poster->channel, "demo");
  EXPECT_EQ(read("/s/AbC/live/demo/poster.jpg")->what, What::poster);
  const auto thumbnail = read("/live/demo/thumbnails/895.jpg");
  EXPECT_EQ(thumbnail->what, What::thumbnail);
  EXPECT_EQ(thumbnail->number, 895U);
  EXPECT_EQ(read("/live/demo/thumbnails/media.m3u8")->what, What::thumbnail_playlist);
  EXPECT_EQ(read("/live/demo/thumbnails/media.vtt")->what, What::thumbnail_times);
  const auto closed = read("/vod/film/thumbnails/77-4.jpg");
  EXPECT_EQ(closed->what, What::thumbnail);
  EXPECT_EQ(closed->discontinuity_sequence, 77U);
  EXPECT_EQ(closed->number, 4U);
  for (const std::string_view path :
       {"/live/demo/thumbnails/77-4.jpg", "/vod/film/thumbnails/0-4.jpg",
        "/vod/film/thumbnails/77-.jpg", "/live/demo/thumbnails/0895.jpg",
        "/live/demo/thumbnails/895.m4s", "/live/demo/thumbnails/.jpg", "/live/demo/thumbnails/",
        "/live/demo/thumbnails/p1.jpg", "/live/demo/source/895.jpg", "/live/demo/poster.jpg/",
        "/live/demo/poster.png"})
    EXPECT_EQ(read(path)->what, What::unknown) << path;
}

TEST(MediaRequest, KnowsSheets) {
  EXPECT_EQ(read("/live/demo/thumbnails/sheets.m3u8")->what, What::sheet_playlist);
  EXPECT_EQ(read("/vod/film/thumbnails/sheets.vtt")->what, What::sheet_times);
  const auto live = read("/live/demo/thumbnails/sheet-1790000000000000-2000000-7.jpg");
  EXPECT_EQ(live->what, What::sheet);
  EXPECT_EQ(live->sheet,
            (packaging::SheetName{.grid = 1'790'000'000'000'000, .tile = seconds(2), .number = 7}));
  EXPECT_EQ(packaging::to_string(live->sheet), "sheet-1790000000000000-2000000-7.jpg");
  EXPECT_EQ(read("/s/AbC/live/demo/thumbnails/sheet-1-1-1.jpg")->what, What::sheet);
  for (const std::string_view path :
       {"/live/demo/thumbnails/sheet-1-1-0.jpg", "/live/demo/thumbnails/sheet-1-0-1.jpg",
        "/live/demo/thumbnails/sheet-1-1.jpg", "/live/demo/thumbnails/sheet-1-1-01.jpg",
        "/live/demo/thumbnails/sheet-1-1-1-1.jpg", "/live/demo/thumbnails/sheet--1-1.jpg",
        "/live/demo/thumbnails/sheet-1-3600000001-1.jpg",
        "/live/demo/thumbnails/sheet-1-1-100000001.jpg",
        "/live/demo/thumbnails/sheet-18446744073709551615-1-1.jpg",
        "/live/demo/thumbnails/sheet-.jpg", "/live/demo/thumbnails/sheet-1-1-1.png",
        "/live/demo/source/sheet-1-1-1.jpg"})
    EXPECT_EQ(read(path)->what, What::unknown) << path;
}

TEST(MediaRequest, LeavesOtherPathsToOthers) {
  for (const std::string_view path : {"/", "/live", "/lives/x", "/api/v1/live/", "/time/", "/sx"})
    EXPECT_FALSE(read(path)) << path;
}

TEST(MediaRequest, ReadsDeliveryDirectives) {
  constexpr std::string_view kPath = "/live/demo/source/media.m3u8";
  const auto both = read(kPath, "x=1&_HLS_msn=17&_HLS_part=3&_HLS_skip=YES");
  EXPECT_EQ(both->msn, 17U);
  EXPECT_EQ(both->msn_part, 3U);
  EXPECT_EQ(both->form, packaging::PlaylistForm::delta);
  EXPECT_EQ(read(kPath, "_HLS_skip=NO")->form, packaging::PlaylistForm::full);
  EXPECT_EQ(read(kPath, "_HLS_part=3")->what, What::bad);
  EXPECT_EQ(read(kPath, "_HLS_msn=-1")->what, What::bad);
  EXPECT_EQ(read(kPath, "_HLS_msn=1&_HLS_part=x")->what, What::bad);
  EXPECT_EQ(read(kPath, "_HLS_msn=")->what, What::bad);
}

TEST(AccessRule, LetsOnlyEdgesSeeBareLive) {
  const auto rule = AccessRule::make(
      {.anonymous = Anonymous::edges, .edges = {"192.0.2.0/24", "198.51.100.7", "2001:db8::/32"}});
  ASSERT_TRUE(rule);
  const auto may = [&](const char* peer) {
    return rule->may_see_bare_live(boost::asio::ip::make_address(peer));
  };
  EXPECT_TRUE(may("192.0.2.200"));
  EXPECT_TRUE(may("::ffff:192.0.2.200"));
  EXPECT_TRUE(may("198.51.100.7"));
  EXPECT_TRUE(may("2001:db8:1::1"));
  EXPECT_FALSE(may("192.0.3.1"));
  EXPECT_FALSE(may("198.51.100.8"));
  EXPECT_FALSE(may("2001:db9::1"));
  EXPECT_FALSE(AccessRule::make({.anonymous = Anonymous::edges, .edges = {"edge.example"}}));
}

}  // namespace
}  // namespace kapok::delivery
