// Every route with fake ports, called as the router would call it.
#include "server/api/api.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <set>

#include "server/api/api_doubles_test.hpp"
#include "server/api/openapi.hpp"

namespace kapok::api {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
namespace json = boost::json;

ChannelView demo_view() {
  ChannelView view;
  view.facts.id = "demo";
  view.facts.title = "Demo \"4K\"";
  view.facts.live = true;
  view.facts.live_since = UtcTime(seconds(1'790'000'000));
  view.renditions = {{.id = "source",
                      .codec_string = "hvc1.2.4.L153.B0",
                      .language = "",
                      .width = 3840,
                      .height = 2160,
                      .frame_rate = 50,
                      .range = media::DynamicRange::hlg,
                      .bandwidth = 25'000'000},
                     {.id = "audio-zh",
                      .kind = media::TrackKind::audio,
                      .codec_string = "mp4a.40.2",
                      .language = "zh"}};
  view.programme = ProgrammeView{"p", "Programme", UtcTime(seconds(1)), std::nullopt, true};
  channel::TrackFacts video;
  video.kind = media::TrackKind::video;
  video.codec = media::Codec::hevc;
  video.video = media::VideoFacts{};
  video.video->width = 3840;
  video.video->colour = {9, 18, 9, false};
  video.video->mastering = media::MasteringDisplay{};
  video.video->light = media::ContentLight{1000, 400};
  video.frames_per_second = 49.99951;
  video.gop_frames = 100;
  video.gop = seconds(2);
  channel::TrackFacts audio;
  audio.kind = media::TrackKind::audio;
  audio.codec = media::Codec::aac;
  audio.audio = media::AudioFacts{48'000, 2, 1024};
  channel::FeedFacts feed;
  feed.name = "main";
  feed.connected = true;
  feed.on_air = true;
  feed.peer = "192.0.2.9:1234";
  feed.tracks = {video, audio};
  feed.drift_ppm = 12.5;
  feed.last_packet_age = milliseconds(20);
  channel::FeedFacts idle;
  idle.name = "backup";
  idle.last_end = media::FeedEnd::silent;
  view.facts.feeds = {feed, idle};
  return view;
}

class ApiTest : public testing::Test {
 protected:
  ApiTest() { channels.views.push_back(demo_view()); }

  struct Asked {
    http::Method method = http::Method::get;
    std::string path{};
    std::string query{};
    std::string token{};  // "admin", "regulator"
    std::string body{};
    std::vector<http::Header> headers{};
    std::string peer = "192.0.2.1";
  };
  http::Response ask(Asked asked) {
    delivery::Router router;
    api.register_on(router);
    auto match = router.match(asked.method, asked.path);
    if (match.handler == nullptr) return http::Response{.status = 404, .headers = {}, .body = {}};
    auto request = std::make_shared<http::Request>();
    request->method = asked.method;
    request->path = asked.path;
    request->query = asked.query;
    request->headers = asked.headers;
    if (!asked.token.empty())
      request->headers.push_back({"authorization", "Bearer " + asked.token});
    request->body = Buffer::copy_of(std::string_view(asked.body));
    request->peer = asked.peer;
    boost::asio::io_context shard;
    TaskGroup tasks(shard.get_executor());
    http::Response response;
    const auto run = [](const delivery::Handler& handler, std::shared_ptr<const http::Request> req,
                        delivery::PathParameters params, http::Response& out) -> Task<> {
      auto answered = co_await handler(std::move(req), std::move(params));
      out = std::move(answered);
    };
    tasks.spawn(run(*match.handler, request, match.parameters, response));
    shard.run();
    return response;
  }
  static std::string header(const http::Response& response, std::string_view name) {
    for (const auto& field : response.headers)
      if (http::equal_without_case(field.name, name)) return field.value;
    return "";
  }
  static json::value body(const http::Response& response) {
    const auto text = response.body.text();
    return json::parse({text.data(), text.size()});
  }

  FakeChannels channels;
  FakeSessions sessions;
  FakeReports reports;
  FakeLedger ledger;
  FakeKeys keys;
  FakeLadders ladders;
  FakeVod vod;
  FakeAuthoriser authoriser;
  FakeOperations operations;
  FakeClock clock;
  NullMetrics metrics;
  std::shared_ptr<RecordingLog> log = std::make_shared<RecordingLog>();
  Api api{{channels, sessions, reports, ledger, keys, ladders, vod, authoriser, operations, clock,
           Log(log), metrics},
          {.sessions_per_address_per_minute = 3}};
  static constexpr auto kPost = http::Method::post;
  static constexpr auto kDelete = http::Method::del;
};

TEST_F(ApiTest, ListsChannelsWithoutPeersOrKeys) {
  const auto response = ask({.path = "/api/v1/channels"});
  EXPECT_EQ(response.status, 200u);
  EXPECT_EQ(header(response, "Cache-Control"), "no-store");
  EXPECT_EQ(header(response, "X-Content-Type-Options"), "nosniff");
  const json::value channel = body(response).at("channels").at(0);
  EXPECT_EQ(channel.at("id").as_string(), "demo");
  EXPECT_EQ(channel.at("title").as_string(), "Demo \"4K\"");
  EXPECT_EQ(channel.at("since").as_string(), "2026-09-21T14:13:20.000Z");
  EXPECT_EQ(channel.at("height").as_int64(), 2160);
  EXPECT_EQ(channel.at("range").as_string(), "HLG");
  EXPECT_EQ(channel.at("hls").as_string(), "/live/demo/master.m3u8");
}

TEST_F(ApiTest, ShowsLiveFactsToEverybodyButThePeerToAdministratorsOnly) {
  const auto everybody = ask({.path = "/api/v1/channels/demo"});
  EXPECT_EQ(everybody.status, 200u);
  EXPECT_THAT(std::string(everybody.body.text()), Not(HasSubstr("192.0.2.9")));
  const json::value track = body(everybody).at("feeds").at(0).at("tracks").at(0);
  EXPECT_EQ(track.at("codec").as_string(), "hevc");
  EXPECT_DOUBLE_EQ(track.at("frames_per_second").as_double(), 50.0);
  EXPECT_EQ(track.at("video").at("transfer").as_int64(), 18);
  const auto admin = ask({.path = "/api/v1/channels/demo/feeds", .token = "admin"});
  EXPECT_EQ(body(admin).at("feeds").at(0).at("peer").as_string(), "192.0.2.9:1234");
  EXPECT_EQ(body(admin).at("feeds").at(1).at("last_end").as_string(), "silent");
}

TEST_F(ApiTest, EverybodySeesWhatCanBeWatchedAndAdministratorsHowFarTheRestIs) {
  vod::ItemFacts done;
  done.id = "film";
  done.title = "A film";
  done.file = "films/a.mxf";
  done.state = vod::ItemState::done;
  done.duration = milliseconds(90'500);
  vod::ItemFacts running;
  running.id = "next";
  running.state = vod::ItemState::running;
  running.duration = seconds(100);
  running.made = seconds(25);
  running.speed = 2.5;
  running.frames_per_second = 62.5;
  running.left = seconds(30);
  vod.items = {running, done};
  const auto list = ask({.path = "/api/v1/vod"});
  ASSERT_EQ(list.status, 200U);
  const json::value items = body(list).at("items");
  ASSERT_EQ(items.as_array().size(), 1U);
  EXPECT_EQ(items.at(0).at("id").as_string(), "film");
  EXPECT_EQ(items.at(0).at("hls").as_string(), "/vod/film/master.m3u8");
  EXPECT_DOUBLE_EQ(items.at(0).at("duration_s").as_double(), 90.5);
  EXPECT_EQ(items.at(0).as_object().if_contains("file"), nullptr);

  EXPECT_EQ(ask({.path = "/api/v1/vod-jobs"}).status, 401U);
  EXPECT_EQ(ask({.path = "/api/v1/vod/next"}).status, 401U);
  const json::value next = body(ask({.path = "/api/v1/vod/next", .token = "admin"}));
  EXPECT_DOUBLE_EQ(next.at("percent").as_double(), 25);
  EXPECT_DOUBLE_EQ(next.at("fps").as_double(), 62.5);
  EXPECT_DOUBLE_EQ(next.at("eta_s").as_double(), 30);
  EXPECT_TRUE(next.at("hls").is_null());
  EXPECT_TRUE(next.at("error").is_null());
  EXPECT_EQ(ask({.path = "/api/v1/vod/gone", .token = "admin"}).status, 404U);
  EXPECT_EQ(body(ask({.path = "/api/v1/vod-jobs", .token = "admin"})).at("items").as_array().size(),
            2U);
}

TEST_F(ApiTest, AnAdministratorAddsAndRemovesFilms) {
  const std::string request = R"({"id": "film", "file": "films/a.mxf", "ladder": "low-power"})";
  EXPECT_EQ(ask({.method = kPost, .path = "/api/v1/vod", .body = request}).status, 401U);
  const auto added =
      ask({.method = kPost, .path = "/api/v1/vod", .token = "admin", .body = request});
  EXPECT_EQ(added.status, 201U);
  ASSERT_EQ(vod.added.size(), 1U);
  EXPECT_EQ(vod.added[0].title, "film");
  EXPECT_EQ(vod.added[0].ladder, "low-power");
  EXPECT_TRUE(vod.added[0].publish_source);
  for (const std::string_view bad :
       {R"({"id": "../x", "file": "a", "ladder": "b"})", R"({"id": "x", "ladder": "b"})",
        R"({"id": "x", "file": "../a", "ladder": "b"})", "[]"})
    EXPECT_EQ(
        ask({.method = kPost, .path = "/api/v1/vod", .token = "admin", .body = std::string(bad)})
            .status,
        400U)
        << bad;
  EXPECT_EQ(ask({.method = kDelete, .path = "/api/v1/vod/film"}).status, 401U);
  EXPECT_EQ(ask({.method = kDelete, .path = "/api/v1/vod/film", .token = "admin"}).status, 204U);
  EXPECT_THAT(vod.removed, ElementsAre("film"));
}

TEST_F(ApiTest, ShowsTheLadderAndItsWorker) {
  const json::value none = body(ask({.path = "/api/v1/channels/demo"})).at("ladder");
  EXPECT_TRUE(none.is_null());
  EXPECT_TRUE(body(ask({.path = "/api/v1/channels/demo"})).at("picture_events").is_null());
  channel::LadderFacts ladder;
  ladder.name = "4k-sdr-museum";
  ladder.worker.state = channel::WorkerState::running;
  ladder.worker.device = "software";
  ladder.worker.restarts = 3;
  ladder.worker.queue = milliseconds(40);
  channel::RungFacts rung;
  rung.track.kind = media::TrackKind::video;
  rung.track.rendition = "720p";
  rung.track.video = media::VideoFacts{};
  rung.track.frames_per_second = 25;
  rung.lag = milliseconds(350);
  ladder.rungs.push_back(rung);
  ladder.left_out.push_back({"2160p", "2160 lines are more than the source's 1080"});
  channels.views.at(0).facts.ladder = ladder;
  channels.views.at(0).ladder_origin = LadderOrigin::api;
  const json::value seen = body(ask({.path = "/api/v1/channels/demo"})).at("ladder");
  EXPECT_EQ(seen.at("set_by").as_string(), "api");
  EXPECT_EQ(seen.at("worker").at("state").as_string(), "running");
  EXPECT_EQ(seen.at("worker").at("restarts").as_int64(), 3);
  EXPECT_DOUBLE_EQ(seen.at("worker").at("queue_ms").as_double(), 40);
  EXPECT_EQ(seen.at("rungs").at(0).at("rendition").as_string(), "720p");
  EXPECT_DOUBLE_EQ(seen.at("rungs").at(0).at("frames_per_second").as_double(), 25);
  EXPECT_DOUBLE_EQ(seen.at("rungs").at(0).at("lag_ms").as_double(), 350);
  EXPECT_EQ(seen.at("left_out").at(0).at("rung").as_string(), "2160p");
}

TEST_F(ApiTest, ShowsWhatTheTranscoderFoundInThePictures) {
  channel::ChannelFacts& facts = channels.views.at(0).facts;
  facts.ladder = channel::LadderFacts{};
  facts.anomalies = {{media::Anomaly::silence, UtcTime(milliseconds(1'790'000'100'250)),
                      UtcTime(milliseconds(1'790'000'105'750)), true},
                     {media::Anomaly::bars, UtcTime(seconds(1'790'000'000)),
                      UtcTime(seconds(1'790'000'004)), false}};
  const json::value events = body(ask({.path = "/api/v1/channels/demo"})).at("picture_events");
  ASSERT_EQ(events.as_array().size(), 2U);
  EXPECT_EQ(events.at(0).at("kind").as_string(), "silence");
  EXPECT_EQ(events.at(0).at("from").as_string(), "2026-09-21T14:15:00.250Z");
  EXPECT_EQ(events.at(0).at("to").as_string(), "2026-09-21T14:15:05.750Z");
  EXPECT_TRUE(events.at(0).at("goes_on").as_bool());
  EXPECT_EQ(events.at(1).at("kind").as_string(), "bars");
  EXPECT_FALSE(events.at(1).at("goes_on").as_bool());
}

TEST_F(ApiTest, AnAdministratorSeesHowAnSrtFeedTravelsLinkByLink) {
  srt::GroupLinkStats link;
  link.state = srt::LinkState::stable;
  link.link.rtt = milliseconds(37);
  link.link.packets_lost = 5;
  link.link.packets_contributed = 75;
  srt::GroupStats transport;
  transport.packets_delivered = 100;
  transport.packets_dropped = 2;
  transport.links.push_back(link);
  const std::string feed = channels.views.at(0).facts.feeds.at(0).name;
  channels.srt.push_back({feed, true, transport, {"192.0.2.9:1234"}, 0});
  const auto admin = ask({.path = "/api/v1/channels/demo/feeds", .token = "admin"});
  const json::value seen = body(admin).at("feeds").at(0).at("srt");
  EXPECT_TRUE(seen.at("bonded").as_bool());
  EXPECT_EQ(seen.at("dropped").as_int64(), 2);
  EXPECT_DOUBLE_EQ(seen.at("links").at(0).at("rtt_ms").as_double(), 37.0);
  EXPECT_DOUBLE_EQ(seen.at("links").at(0).at("share").as_double(), 0.75);
  const auto everybody = ask({.path = "/api/v1/channels/demo"});
  EXPECT_THAT(std::string(everybody.body.text()), Not(HasSubstr("rtt_ms")));
}

TEST_F(ApiTest, UnknownAndImpossibleChannelsAreProblemsWithARemedy) {
  for (const char* path :
       {"/api/v1/channels/nope", "/api/v1/channels/..%2f", "/api/v1/channels/A"}) {
    const auto response = ask({.path = path});
    EXPECT_EQ(response.status, 404u) << path;
    EXPECT_EQ(header(response, "Content-Type"), "application/problem+json");
    EXPECT_FALSE(body(response).at("remedy").as_string().empty());
  }
}

TEST_F(ApiTest, UnknownPathsAndMethodsAreProblemsToo) {
  delivery::Router router;
  api.register_on(router);
  for (const unsigned status : {404U, 405U}) {
    const auto response = router.refuse("/api/v1/nothing", status);
    EXPECT_EQ(response.status, status);
    EXPECT_EQ(header(response, "Content-Type"), "application/problem+json");
    EXPECT_EQ(body(response).at("status").as_int64(), status);
  }
}

TEST_F(ApiTest, WhatIsForAdministratorsNeedsTheirToken) {
  const std::string path = "/api/v1/channels/demo/feeds";
  const auto missing = ask({.path = path});
  EXPECT_EQ(missing.status, 401u);
  EXPECT_THAT(header(missing, "WWW-Authenticate"), HasSubstr("Bearer"));
  EXPECT_EQ(ask({.path = path, .token = "wrong"}).status, 401u);
  EXPECT_EQ(ask({.path = path, .token = "regulator"}).status, 403u);
  EXPECT_EQ(ask({.path = path, .token = "admin"}).status, 200u);
  EXPECT_THAT(log->lines, testing::Contains(HasSubstr("api.audit operation=listFeeds role=admin")));
}

TEST_F(ApiTest, GuessingTokensIsSlowedDownByAddress) {
  const std::string path = "/api/v1/sessions";
  for (int i = 0; i < 5; ++i) EXPECT_EQ(ask({.path = path, .token = "wrong"}).status, 401u);
  const auto refused = ask({.path = path, .token = "admin"});
  EXPECT_EQ(refused.status, 429u);
  EXPECT_EQ(header(refused, "Retry-After"), "60");
  EXPECT_EQ(ask({.path = path, .token = "admin", .peer = "192.0.2.2"}).status, 200u);
  clock.advance(std::chrono::minutes(11));
  EXPECT_EQ(ask({.path = path, .token = "admin"}).status, 200u);
}

TEST_F(ApiTest, OpensASessionAsThePlayerExpectsIt) {
  const auto response =
      ask({.method = kPost, .path = "/api/v1/sessions", .body = R"({"channel":"demo"})"});
  EXPECT_EQ(response.status, 201u);
  const auto session = body(response);
  EXPECT_EQ(session.at("session").as_string(), "00112233445566778899aabbccddeeff");
  EXPECT_EQ(session.at("base").as_string(), "/s/AbC/");
  EXPECT_EQ(session.at("expires").as_string(), "1970-01-01T00:00:01.000Z");
  EXPECT_EQ(session.at("beacon_interval_s").as_int64(), 10);
  ASSERT_EQ(sessions.opened.size(), 1u);
  EXPECT_EQ(sessions.opened[0].channel, "demo");
}

TEST_F(ApiTest, WrongSessionRequestsSayWhatIsWrong) {
  const auto status = [&](std::string text) {
    return ask({.method = kPost, .path = "/api/v1/sessions", .body = std::move(text)}).status;
  };
  EXPECT_EQ(status(""), 400u);
  EXPECT_EQ(status("[]"), 400u);
  EXPECT_EQ(status("{\"channel\":1}"), 400u);
  EXPECT_EQ(status("{\"channel\":\"../x\"}"), 404u);
  EXPECT_EQ(status(std::string(5000, ' ')), 400u);
  EXPECT_EQ(status(R"({"channel":"demo","x":)" + std::string(200, '[')), 400u);
}

TEST_F(ApiTest, SessionsFromOneAddressAreLimited) {
  const Asked asked{.method = kPost, .path = "/api/v1/sessions", .body = R"({"channel":"demo"})"};
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ask(asked).status, 201u);
  const auto refused = ask(asked);
  EXPECT_EQ(refused.status, 429u);
  EXPECT_EQ(header(refused, "Retry-After"), "10");
  Asked other = asked;
  other.peer = "192.0.2.77";
  EXPECT_EQ(ask(other).status, 201u);
  clock.advance(seconds(20));
  EXPECT_EQ(ask(asked).status, 201u);
}

TEST_F(ApiTest, RequestsFromAnotherSitesPageChangeNothing) {
  Asked asked{.method = kPost, .path = "/api/v1/sessions", .body = R"({"channel":"demo"})"};
  asked.headers.push_back({"Sec-Fetch-Site", "cross-site"});
  EXPECT_EQ(ask(asked).status, 403u);
  EXPECT_TRUE(sessions.opened.empty());
  EXPECT_EQ(ask({.path = "/api/v1/channels", .headers = asked.headers}).status, 200u);
}

constexpr std::string_view kSession = "00112233445566778899aabbccddeeff";

TEST_F(ApiTest, TakesABeaconAlsoAsPlainText) {
  const std::string path = "/api/v1/sessions/" + std::string(kSession) + "/beacon";
  const std::string text = R"({"token":"AbC","seq":1,"sent_ms":5,"state":"playing","rate":1,)"
                           R"("played":[{"from_ms":1,"to_ms":9}],"wall_ms":10,"visible":true})";
  const auto response = ask({.method = kPost,
                             .path = path,
                             .body = text,
                             .headers = {{"Content-Type", "text/plain;charset=UTF-8"}}});
  EXPECT_EQ(response.status, 204u);
  EXPECT_TRUE(response.body.empty());
  ASSERT_EQ(sessions.beacons.size(), 1u);
  EXPECT_THAT(sessions.beacons[0].played, ElementsAre(rules::Span{1, 9}));
  EXPECT_EQ(ask({.method = kPost, .path = "/api/v1/sessions/xyz/beacon", .body = text}).status,
            404u);
  EXPECT_EQ(ask({.method = kPost, .path = path, .body = "{}"}).status, 400u);
}

TEST_F(ApiTest, WhatPortsRefuseBecomesAStatusThatPlayersUnderstand) {
  const std::string path = "/api/v1/sessions/" + std::string(kSession) + "/beacon";
  const std::string text = R"({"token":"AbC","seq":1,"sent_ms":5,"state":"ended","wall_ms":10})";
  const std::pair<Errc, unsigned> expected[] = {
      {Errc::denied, 403}, {Errc::timeout, 410}, {Errc::not_found, 404}, {Errc::limit, 429},
      {Errc::full, 503},   {Errc::closed, 503},  {Errc::conflict, 409},  {Errc::io, 500}};
  for (const auto& [code, status] : expected) {
    sessions.refuse = Error{code, "because /secret/path"};
    const auto response = ask({.method = kPost, .path = path, .body = text});
    EXPECT_EQ(response.status, status);
    // A fault of the server's own is not explained to strangers.
    EXPECT_EQ(response.body.text().find("/secret") == std::string_view::npos, status == 500);
  }
}

TEST_F(ApiTest, APortThatThrowsFailsOneRequestOnly) {
  sessions.throws = true;
  const auto response =
      ask({.method = kPost, .path = "/api/v1/sessions", .body = R"({"channel":"demo"})"});
  EXPECT_EQ(response.status, 500u);
  EXPECT_THAT(log->lines, testing::Contains(HasSubstr("api.failed operation=openSession")));
}

TEST_F(ApiTest, ClosesASessionForWhoeverHasItsToken) {
  const std::string path = "/api/v1/sessions/" + std::string(kSession);
  EXPECT_EQ(ask({.method = kDelete, .path = path}).status, 401u);
  EXPECT_EQ(ask({.method = kDelete, .path = path, .token = "AbC"}).status, 204u);
  EXPECT_THAT(sessions.closed, ElementsAre(std::string(kSession) + ":AbC"));
}

TEST_F(ApiTest, MakesAndRevokesPublishKeys) {
  const std::string path = "/api/v1/channels/demo/feeds/main/key";
  EXPECT_EQ(ask({.method = kPost, .path = path}).status, 401u);
  const auto made = ask({.method = kPost, .path = path, .token = "admin"});
  EXPECT_EQ(made.status, 201u);
  EXPECT_EQ(body(made).at("publish_path").as_string(), "/live/demo?key=s3cr3t");
  EXPECT_EQ(header(made, "Cache-Control"), "no-store");
  EXPECT_EQ(ask({.method = kDelete, .path = path, .token = "admin"}).status, 204u);
  EXPECT_THAT(keys.done, ElementsAre("make demo/main", "revoke demo/main"));
  const auto fixed =
      ask({.method = kPost, .path = "/api/v1/channels/demo/feeds/fixed/key", .token = "admin"});
  EXPECT_EQ(fixed.status, 409u);
  for (const std::string& line : log->lines) EXPECT_THAT(line, Not(HasSubstr("s3cr3t")));
}

TEST_F(ApiTest, AnAdministratorGivesAChannelAnotherLadder) {
  const std::string path = "/api/v1/channels/demo/ladder";
  const std::string wish = R"({"preset":"low-power"})";
  EXPECT_EQ(ask({.method = http::Method::put, .path = path, .body = wish}).status, 401u);
  const auto set = ask({.method = http::Method::put, .path = path, .token = "admin", .body = wish});
  EXPECT_EQ(set.status, 200u);
  EXPECT_EQ(body(set).at("video").at(0).at("rate").as_string(), "full");
  EXPECT_EQ(body(set).at("audio").at(0).at("loudness").as_int64(), -23);
  const auto wrong =
      ask({.method = http::Method::put, .path = path, .token = "admin", .body = "{}"});
  EXPECT_EQ(wrong.status, 422u);
  EXPECT_EQ(body(wrong).at("detail").as_string(), "video[0].height: 721 is odd");
  EXPECT_EQ(body(wrong).at("remedy").as_string(), "write an even number");
  const std::string large(40'000, ' ');
  EXPECT_EQ(
      ask({.method = http::Method::put, .path = path, .token = "admin", .body = large}).status,
      413u);
  EXPECT_EQ(ask({.method = kDelete, .path = path, .token = "admin"}).status, 204u);
  EXPECT_EQ(ask({.method = kDelete, .path = path, .token = "admin"}).status, 404u);
  EXPECT_THAT(ladders.done, ElementsAre("set demo " + wish, "reset"));
  EXPECT_EQ(ask({.path = "/api/v1/ladders"}).status, 401u);
  const json::value all = body(ask({.path = "/api/v1/ladders", .token = "admin"}));
  EXPECT_EQ(all.at("ladders").at(0).at("name").as_string(), "low-power");
}

TEST_F(ApiTest, ReportsForRegulatorsInBothFormats) {
  const std::string path = "/api/v1/reports/hours";
  EXPECT_EQ(ask({.path = path}).status, 401u);
  const auto response = ask({.path = path,
                             .query = "from=2026-11-01&to=2026-11-23T20:00:00%2B08:00&channel=demo",
                             .token = "regulator"});
  EXPECT_EQ(response.status, 200u);
  ASSERT_EQ(reports.asked.size(), 1u);
  EXPECT_EQ(format_utc(*reports.asked[0].from), "2026-10-31T16:00:00.000Z");
  EXPECT_EQ(format_utc(*reports.asked[0].to), "2026-11-23T12:00:00.000Z");
  EXPECT_EQ(reports.asked[0].channel, "demo");
  const auto csv = ask({.path = path, .query = "format=csv", .token = "admin"});
  EXPECT_EQ(header(csv, "Content-Type"), "text/csv; charset=utf-8");
  EXPECT_THAT(header(csv, "Content-Disposition"), HasSubstr("kapok-hours.csv"));
  EXPECT_FALSE(reports.asked[1].from.has_value());
}

TEST_F(ApiTest, AnOffsetsPlusMayArriveAsASpace) {
  ask({.path = "/api/v1/reports/hours",
       .query = "from=2026-11-23T20:00:00%2008:00",
       .token = "regulator"});
  ASSERT_EQ(reports.asked.size(), 1u);
  EXPECT_EQ(format_utc(*reports.asked[0].from), "2026-11-23T12:00:00.000Z");
}

TEST_F(ApiTest, WrongReportQueriesNameTheParameter) {
  for (const char* query : {"from=yesterday", "from=2026-11-23T20:00:00", "format=xls",
                            "from=2026-11-02&to=2026-11-01", "channel=..", "from=2026-02-30"}) {
    const auto response =
        ask({.path = "/api/v1/reports/hours", .query = query, .token = "regulator"});
    EXPECT_EQ(response.status, 400u) << query;
    const std::string name = std::string(query).substr(0, std::string(query).find('='));
    EXPECT_THAT(std::string(body(response).at("detail").as_string()),
                testing::AnyOf(HasSubstr(name + ":"), HasSubstr("to:")));
  }
  EXPECT_TRUE(reports.asked.empty());
}

TEST_F(ApiTest, TheLogIsPublicButItsEntriesAreForRegulators) {
  EXPECT_EQ(ask({.path = "/log/checkpoint"}).body.text(), "origin\n1\n");
  const auto tile = ask({.path = "/log/tile/0/000.p/17"});
  EXPECT_EQ(tile.status, 200u);
  EXPECT_THAT(header(tile, "Cache-Control"), HasSubstr("immutable"));
  ASSERT_EQ(ledger.asked.size(), 1u);
  EXPECT_EQ(ledger.asked[0].width, 17u);

  const std::string entries = "/log/tile/entries/000";
  EXPECT_EQ(ask({.path = entries}).status, 401u);
  EXPECT_EQ(ask({.path = entries, .token = "admin"}).status, 403u);
  EXPECT_EQ(ledger.asked.size(), 1u);
  const auto read = ask({.path = entries, .token = "regulator"});
  EXPECT_EQ(read.status, 200u);
  EXPECT_EQ(header(read, "Cache-Control"), "no-store");
  EXPECT_THAT(log->lines,
              testing::Contains(HasSubstr("api.audit operation=readEntries role=regulator "
                                          "path=/log/tile/entries/000")));
}

TEST_F(ApiTest, TilesThatAreNoneAreNotFound) {
  for (const char* path :
       {"/log/tile/x", "/log/tile/0/1", "/log/tile/0/000.p/0", "/log/tile/0/000.p/256",
        "/log/tile/99/000", "/log/tile/0/x000/001", "/log/tile/0/010"})
    EXPECT_EQ(ask({.path = path}).status, 404u) << path;
}

TEST_F(ApiTest, ReadinessGivesItsReasons) {
  EXPECT_EQ(ask({.path = "/readyz"}).status, 200u);
  operations.reasons.push_back({"ledger", "the disk is full", "make room on /var/lib"});
  const auto response = ask({.path = "/readyz"});
  EXPECT_EQ(response.status, 503u);
  EXPECT_EQ(body(response).at("reasons").at(0).at("cause").as_string(), "the disk is full");
  EXPECT_EQ(ask({.path = "/healthz"}).status, 200u);
}

TEST_F(ApiTest, MetricsAreTextForPrometheus) {
  const auto response = ask({.path = "/metrics"});
  EXPECT_EQ(header(response, "Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_EQ(response.body.text(), "kapok_x 1\n");
}

TEST_F(ApiTest, HeadIsAnsweredLikeGet) {
  EXPECT_EQ(ask({.method = http::Method::head, .path = "/healthz"}).status, 200u);
}

// --- answers against their schemas -----------------------------------------------------------

// As much of JSON Schema as the document uses. Returns what does not fit.
std::string mismatch(const json::value& value, const json::object& schema,
                     const json::object& schemas, const std::string& at) {
  if (const auto* ref = schema.if_contains("$ref")) {
    const std::string name(ref->as_string().subview(std::strlen("#/components/schemas/")));
    return mismatch(value, schemas.at(name).as_object(), schemas, at);
  }
  const auto is = [&](std::string_view type) {
    if (type == "object") return value.is_object();
    if (type == "array") return value.is_array();
    if (type == "string") return value.is_string();
    if (type == "boolean") return value.is_bool();
    if (type == "integer") return value.is_int64() || value.is_uint64();
    if (type == "number") return value.is_number();
    return type == "null" && value.is_null();
  };
  bool fits = false;
  const auto& type = schema.at("type");
  if (type.is_string()) fits = is(type.as_string());
  if (type.is_array())
    for (const auto& one : type.as_array()) fits = fits || is(one.as_string());
  if (!fits) return at + ": wrong type";
  if (const auto* options = schema.if_contains("enum")) {
    const auto& list = options->as_array();
    if (std::find(list.begin(), list.end(), value) == list.end()) return at + ": not in enum";
  }
  if (value.is_array())
    for (const auto& item : value.as_array()) {
      auto wrong = mismatch(item, schema.at("items").as_object(), schemas, at + "[]");
      if (!wrong.empty()) return wrong;
    }
  if (!value.is_object()) return {};
  if (const auto* required = schema.if_contains("required"))
    for (const auto& name : required->as_array())
      if (!value.as_object().contains(name.as_string()))
        return at + "." + std::string(name.as_string()) + ": missing";
  if (!schema.contains("properties")) return {};
  const auto& properties = schema.at("properties").as_object();
  for (const auto& [name, member] : value.as_object()) {
    const std::string inner = at + "." + std::string(name);
    if (!properties.contains(name)) {
      if (schema.contains("additionalProperties")) return inner + ": not described";
      continue;
    }
    auto wrong = mismatch(member, properties.at(name).as_object(), schemas, inner);
    if (!wrong.empty()) return wrong;
  }
  return {};
}

TEST_F(ApiTest, AnswersAreWhatTheDocumentPromises) {
  const auto document = json::parse(openapi_document());
  const auto& schemas = document.at("components").at("schemas").as_object();
  operations.reasons.push_back({"a", "b", "c"});
  vod.items.emplace_back().id = "film";
  const std::string session = "/api/v1/sessions/" + std::string(kSession);
  const std::vector<Asked> all = {
      {.path = "/api/v1/channels"},
      {.path = "/api/v1/channels/demo"},
      {.path = "/api/v1/channels/demo/feeds", .token = "admin"},
      {.method = kPost, .path = "/api/v1/channels/demo/feeds/main/key", .token = "admin"},
      {.method = kDelete, .path = "/api/v1/channels/demo/feeds/main/key", .token = "admin"},
      {.path = "/api/v1/ladders", .token = "admin"},
      {.method = http::Method::put,
       .path = "/api/v1/channels/demo/ladder",
       .token = "admin",
       .body = R"({"preset":"low-power"})"},
      {.method = kDelete, .path = "/api/v1/channels/demo/ladder", .token = "admin"},
      {.method = kPost, .path = "/api/v1/sessions", .body = R"({"channel":"demo"})"},
      {.method = kPost,
       .path = session + "/beacon",
       .body = R"({"token":"t","seq":1,"sent_ms":0,"state":"hidden","wall_ms":0})"},
      {.method = kDelete, .path = session, .token = "t"},
      {.path = "/api/v1/sessions", .token = "admin"},
      {.path = "/api/v1/vod"},
      {.method = kPost,
       .path = "/api/v1/vod",
       .token = "admin",
       .body = R"({"id":"film","file":"a.mxf","ladder":"low-power"})"},
      {.path = "/api/v1/vod-jobs", .token = "admin"},
      {.path = "/api/v1/vod/film", .token = "admin"},
      {.method = kDelete, .path = "/api/v1/vod/film", .token = "admin"},
      {.path = "/api/v1/reports/hours", .token = "admin"},
      {.path = "/log/checkpoint"},
      {.path = "/log/tile/entries/000", .token = "regulator"},
      {.path = "/log/tile/0/000"},
      {.path = "/healthz"},
      {.path = "/readyz"},
      {.path = "/metrics"},
      {.path = "/api/v1/version"},
      {.path = "/api/v1/openapi.json"}};
  const auto table = routes();
  ASSERT_EQ(all.size(), table.size()) << "a route is not tried here";
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Route& route = table[i];
    const auto response = ask(all[i]);
    const auto outcome = std::ranges::find(route.outcomes, response.status, &Outcome::status);
    ASSERT_NE(outcome, route.outcomes.end()) << route.name << " " << response.status;
    EXPECT_EQ(outcome->content_type.empty(), response.body.empty()) << route.name;
    if (!outcome->content_type.empty())
      EXPECT_THAT(header(response, "Content-Type"),
                  testing::StartsWith(std::string(outcome->content_type)));
    if (!outcome->schema.empty())
      EXPECT_EQ(mismatch(body(response), schemas.at(outcome->schema).as_object(), schemas,
                         std::string(route.name)),
                "");
    // Problems too.
    const auto problem = to_response(Problem(404, "not_found", "cause", "remedy"));
    EXPECT_EQ(mismatch(body(problem), schemas.at("Problem").as_object(), schemas, "problem"), "");
  }
}

}  // namespace
}  // namespace kapok::api
