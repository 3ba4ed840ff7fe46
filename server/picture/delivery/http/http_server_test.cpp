#include <filesystem>
#include <future>

#include "server/media/jpeg_sheet.hpp"
#include "server/media/jpeg_test.hpp"
#include "server/picture/delivery/http/http_server_fixture_test.hpp"

namespace kapok::delivery {
namespace {

constexpr std::string_view kImmutable = "public, max-age=31536000, immutable";
constexpr std::string_view kSecond = "public, max-age=1";

TEST_F(HttpServerTest, ServesALiveChannelWithTheHeadersOfTheDesign) {
  start();
  auto demo = channel();
  demo.open();
  demo.add_segments(3);
  Client client(server_->http_port());
  const Received master = client.get("/live/demo/master.m3u8");
  EXPECT_EQ(master.status, 200);
  EXPECT_EQ(master.header("content-type"), "application/vnd.apple.mpegurl");
  EXPECT_EQ(master.header("cache-control"), "public, max-age=2");
  EXPECT_EQ(master.header("access-control-allow-origin"), "*");
  EXPECT_EQ(master.header("vary"), "Accept-Encoding");
  EXPECT_FALSE(master.header("date").empty());
  EXPECT_NE(master.body.find("source/media.m3u8"), std::string::npos);

  const Received playlist = client.get("/live/demo/source/media.m3u8?unknown=1");
  EXPECT_EQ(playlist.header("cache-control"), kSecond);
  EXPECT_NE(playlist.body.find("1002.m4s"), std::string::npos);

  const Received manifest = client.get("/live/demo/manifest.mpd");
  EXPECT_EQ(manifest.status, 200);
  EXPECT_EQ(manifest.header("content-type"), "application/dash+xml");

  const Received init = client.get("/live/demo/source/init-abc.mp4");
  EXPECT_EQ(init.body, "the init segment");
  EXPECT_EQ(init.header("cache-control"), kImmutable);
  EXPECT_EQ(init.header("content-type"), "video/mp4");

  const Received segment = client.get("/live/demo/source/1001.m4s");
  EXPECT_EQ(segment.status, 200);
  EXPECT_TRUE(segment.body == TestChannel::segment_bytes(1001));
  EXPECT_EQ(segment.header("cache-control"), kImmutable);
  EXPECT_FALSE(segment.header("etag").empty());
  EXPECT_EQ(segment.header("accept-ranges"), "bytes");

  const Received part = client.get("/live/demo/source/p17.m4s");
  EXPECT_TRUE(part.body == TestChannel::part_bytes(17));
  EXPECT_EQ(part.header("cache-control"), kImmutable);
}

TEST_F(HttpServerTest, ServesStillPictures) {
  start();
  auto demo = channel();
  demo.open();
  demo.add_segments(3);
  Client client(server_->http_port());
  const Received none = client.get("/live/demo/poster.jpg");
  EXPECT_EQ(none.status, 404);
  EXPECT_EQ(none.header("cache-control"), kSecond);
  EXPECT_EQ(client.get("/live/demo/thumbnails/media.m3u8").status, 404);
  EXPECT_EQ(client.get("/live/nobody/poster.jpg").status, 404);

  demo.show_poster("a poster", "\"one\"");
  demo.add_thumbnail(1001, "a thumbnail");
  const Received poster = client.get("/live/demo/poster.jpg?t=7");
  EXPECT_EQ(poster.status, 200);
  EXPECT_EQ(poster.body, "a poster");
  EXPECT_EQ(poster.header("content-type"), "image/jpeg");
  EXPECT_EQ(poster.header("cache-control"), "public, max-age=5");
  EXPECT_EQ(poster.header("etag"), "\"one\"");
  EXPECT_EQ(client.get("/live/demo/poster.jpg", "If-None-Match: \"one\"\r\n").status, 304);
  demo.show_poster("another", "\"two\"");
  const Received later = client.get("/live/demo/poster.jpg", "If-None-Match: \"one\"\r\n");
  EXPECT_EQ(later.status, 200);
  EXPECT_EQ(later.body, "another");

  const Received thumbnail = client.get("/live/demo/thumbnails/1001.jpg");
  EXPECT_EQ(thumbnail.status, 200);
  EXPECT_EQ(thumbnail.body, "a thumbnail");
  EXPECT_EQ(thumbnail.header("content-type"), "image/jpeg");
  EXPECT_EQ(thumbnail.header("cache-control"), kImmutable);
  EXPECT_FALSE(thumbnail.header("etag").empty());
  EXPECT_EQ(client.get("/live/demo/thumbnails/1002.jpg").status, 404);
  const Received list = client.get("/live/demo/thumbnails/media.m3u8");
  EXPECT_EQ(list.header("content-type"), "application/vnd.apple.mpegurl");
  EXPECT_EQ(list.header("cache-control"), kSecond);
  EXPECT_NE(list.body.find("\n1001.jpg\n"), std::string::npos) << list.body;
  const Received times = client.get("/live/demo/thumbnails/media.vtt");
  EXPECT_EQ(times.header("content-type"), "text/vtt; charset=utf-8");
  EXPECT_NE(times.body.find("\n1001.jpg\n"), std::string::npos) << times.body;
}

TEST_F(HttpServerTest, PutsSheetsOfThumbnailsTogether) {
  start();
  auto demo = channel();
  demo.open();
  std::vector<Buffer> jpegs;
  for (std::uint64_t number = 1000; number < 1020; ++number) {
    // One of the second ten has other tables.
    const Buffer jpeg =
        media::baseline_jpeg(312, 176, fmt::format("<{}>", number), number == 1014 ? 'Q' : 'q');
    demo.add_thumbnail(number, jpeg.text(), 312, 176);
    if (number < 1010) jpegs.push_back(jpeg);
  }
  Client client(server_->http_port());
  demo.add_segments(9);
  constexpr std::string_view kFirst = "/live/demo/thumbnails/sheet-1790000000000000-2000000-1.jpg";
  constexpr std::string_view kOther = "/live/demo/thumbnails/sheet-1790000000000000-2000000-2.jpg";
  EXPECT_EQ(client.get(kFirst).status, 404);
  EXPECT_EQ(client.get("/live/demo/thumbnails/sheets.m3u8").status, 404);
  demo.add_segments(11);
  const Received sheet = client.get(kFirst);
  EXPECT_EQ(sheet.status, 200);
  EXPECT_TRUE(sheet.body == media::join_jpegs(jpegs)->text());
  EXPECT_EQ(sheet.header("content-type"), "image/jpeg");
  EXPECT_EQ(sheet.header("cache-control"), kImmutable);
  EXPECT_EQ(sheet.header("access-control-allow-origin"), "*");
  const std::string etag(sheet.header("etag"));
  EXPECT_FALSE(etag.empty());
  EXPECT_EQ(client.get(kFirst, fmt::format("If-None-Match: {}\r\n", etag)).status, 304);
  const Received piece = client.get(kFirst, "Range: bytes=2-5\r\n");
  EXPECT_EQ(piece.status, 206);
  EXPECT_EQ(piece.body, sheet.body.substr(2, 4));
  client.ask(kFirst, "", "HEAD");
  const Received head = client.receive(Client::Expects::nothing);
  EXPECT_EQ(head.header("content-length"), fmt::format("{}", sheet.body.size()));
  const Received torn = client.get(kOther);
  EXPECT_EQ(torn.status, 404) << "of other tables";
  EXPECT_EQ(torn.header("cache-control"), kSecond);
  EXPECT_EQ(client.get("/live/nobody/thumbnails/sheet-1-2000000-1.jpg").status, 404);
  const Received list = client.get("/live/demo/thumbnails/sheets.m3u8");
  EXPECT_EQ(list.header("content-type"), "application/vnd.apple.mpegurl");
  EXPECT_NE(list.body.find("\nsheet-1790000000000000-2000000-1.jpg\n"), std::string::npos);
  const Received times = client.get("/live/demo/thumbnails/sheets.vtt");
  EXPECT_EQ(times.header("content-type"), "text/vtt; charset=utf-8");
  EXPECT_NE(times.body.find("-1.jpg#xywh=0,1584,312,176\n"), std::string::npos) << times.body;
}

TEST_F(HttpServerTest, RefusalsOfMediaAreCacheableForASecond) {
  start();
  auto demo = channel();
  demo.open();
  demo.add_segments(2);
  Client client(server_->http_port());
  const std::pair<std::string_view, unsigned> cases[] = {
      {"/live/nobody/master.m3u8", 404},
      {"/live/demo/source/1.m4s", 404},
      {"/live/demo/source/1009.m4s", 404},
      {"/live/demo/source/01001.m4s", 404},
      {"/live/demo/source/p999.m4s", 404},
      {"/live/demo/source/init-x.mp4", 404},
      {"/live/demo/nothing/media.m3u8", 404},
      {"/live/demo/source/media.m3u8?_HLS_part=1", 400},
      {"/live/demo/source/media.m3u8?_HLS_msn=1005", 400},
      {"/live/demo/source/media.m3u8?_HLS_msn=x", 400},
      {"/live/DEMO/master.m3u8", 404},
  };
  EXPECT_TRUE(client.get("/live/nobody/manifest.mpd").body.contains("nobody publishes"));
  for (const auto& [path, status] : cases) {
    const Received got = client.get(path);
    EXPECT_EQ(got.status, status) << path;
    EXPECT_EQ(got.header("cache-control"), kSecond) << path;
    EXPECT_EQ(got.header("access-control-allow-origin"), "*") << path;
  }
}

TEST_F(HttpServerTest, AnswersPipelinedRequestsInOrder) {
  start();
  auto demo = channel();
  demo.open();
  demo.add_segments(4);
  Client client(server_->http_port());
  std::string all;
  for (int i = 0; i < 60; ++i)
    all += fmt::format("GET /live/demo/source/p{}.m4s HTTP/1.1\r\nHost: x\r\n\r\n", i % 40);
  client.send(all);
  for (std::uint64_t i = 0; i < 60; ++i) {
    const Received got = client.receive();
    ASSERT_EQ(got.status, 200U);
    ASSERT_TRUE(got.body == TestChannel::part_bytes(i % 40)) << i;
  }
}

TEST_F(HttpServerTest, ReadsRequestsThatArriveByteByByte) {
  start();
  Client client(server_->http_port());
  for (int round = 0; round < 2; ++round) {
    const std::string request =
        "\r\nPOST /echo/a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello";
    for (const char c : request) client.send({&c, 1});
    EXPECT_EQ(client.receive().body, "a:hello");
  }
}

TEST_F(HttpServerTest, ReadsChunkedBodiesAndSaysContinue) {
  start();
  Client client(server_->http_port());
  client.send(
      "POST /echo/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
      "Expect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.receive(Client::Expects::nothing).status, 100U);
  client.send("5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\nGET /time HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(client.receive().body, "a:hello world");
  EXPECT_EQ(client.receive().header("cache-control"), "no-store");
}

TEST_F(HttpServerTest, RefusesBodiesOverTheLimitAndClosesWithTheAnswerRead) {
  start();
  Client client(server_->http_port());
  client.send("POST /echo/a HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n" +
              std::string(100'000, 'x'));
  const Received got = client.receive();
  EXPECT_EQ(got.status, 413U);
  EXPECT_EQ(got.header("connection"), "close");
  EXPECT_TRUE(client.at_end());
}

TEST_F(HttpServerTest, ClosesAfterWhateverCouldBeSmuggled) {
  start();
  for (const std::string_view bad :
       {"POST /echo/a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: "
        "chunked\r\n\r\n"
        "0\r\n\r\nGET /time HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST /echo/a HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 44\r\n\r\n"
        "GET /time HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /time HTTP/1.1\nHost: x\r\n\r\nGET /time HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /time HTTP/1.1\r\nHost: x\r\n bad\r\n\r\nGET /time HTTP/1.1\r\nHost: x\r\n\r\n"}) {
    Client client(server_->http_port());
    client.send(bad);
    EXPECT_EQ(client.receive().status, 400U) << bad;
    EXPECT_TRUE(client.at_end()) << bad;
  }
  // A body on a GET of media is not taken for the next request either.
  Client client(server_->http_port());
  client.send(
      "GET /time HTTP/1.1\r\nHost: x\r\nContent-Length: 38\r\n\r\n"
      "GET /live/x HTTP/1.1\r\nHost: smuggled\r\n\r\n");
  EXPECT_EQ(client.receive().status, 200U);
  EXPECT_TRUE(client.at_end());
}

TEST_F(HttpServerTest, RefusesEveryWayToWalkOutOfThePath) {
  start();
  for (const std::string_view path :
       {"/../etc/passwd", "/live/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/live/%2e%2e/x",
        "/live/demo%2fsource", "/live/demo%00/master.m3u8", "/live\\..\\x", "//etc/passwd",
        "/live/demo/%c0%ae%c0%ae/x", "/live/%252e%252e/x"}) {
    Client client(server_->http_port());
    EXPECT_EQ(client.get(path).status, 400U) << path;
  }
  Client client(server_->http_port());
  EXPECT_EQ(client.get("/" + std::string(9000, 'a')).status, 414U);
}

TEST_F(HttpServerTest, AnswersRangesConditionsAndHead) {
  start();
  auto demo = channel();
  demo.open();
  demo.add_segments(1);
  Client client(server_->http_port());
  constexpr std::string_view kPath = "/live/demo/source/1000.m4s";
  const std::string whole = TestChannel::segment_bytes(1000);
  const Received middle = client.get(kPath, "Range: bytes=19990-20009\r\n");
  EXPECT_EQ(middle.status, 206U);
  EXPECT_EQ(middle.header("content-range"), "bytes 19990-20009/200000");
  EXPECT_TRUE(middle.body == whole.substr(19'990, 20));
  EXPECT_TRUE(client.get(kPath, "Range: bytes=-99999999999999\r\n").body == whole);
  const Received beyond = client.get(kPath, "Range: bytes=200000-\r\n");
  EXPECT_EQ(beyond.status, 416U);
  EXPECT_EQ(beyond.header("content-range"), "bytes */200000");
  EXPECT_EQ(client.get(kPath, "Range: bytes=0-1,5-6\r\n").status, 200U);

  const std::string etag(client.get(kPath).header("etag"));
  const Received same = client.get(kPath, "If-None-Match: " + etag + "\r\n");
  EXPECT_EQ(same.status, 304U);
  EXPECT_EQ(same.header("etag"), etag);
  EXPECT_EQ(client.get(kPath, "Range: bytes=0-1\r\nIf-Range: " + etag + "\r\n").status, 206U);
  EXPECT_EQ(client.get(kPath, "Range: bytes=0-1\r\nIf-Range: \"other\"\r\n").status, 200U);

  client.ask(kPath, "", "HEAD");
  const Received head = client.receive(Client::Expects::nothing);
  EXPECT_EQ(head.status, 200U);
  EXPECT_EQ(head.header("content-length"), "200000");
  EXPECT_EQ(client.get("/time").status, 200U);  // the connection is still in step
}

TEST_F(HttpServerTest, HoldsAReloadUntilThePartIsThere) {
  start();
  auto demo = channel();
  demo.open();
  demo.add_segments(2);
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(std::make_unique<Client>(server_->http_port()));
    clients.back()->ask("/live/demo/source/media.m3u8?_HLS_msn=1002&_HLS_part=1");
  }
  wait_for_waiters(20);
  demo.add_part();  // part 0: not yet
  wait_for_waiters(20);
  for (const auto& client : clients) EXPECT_FALSE(client->has_something_to_read());
  demo.add_part();
  std::string first;
  for (const auto& client : clients) {
    const Received got = client->receive();
    EXPECT_EQ(got.status, 200U);
    EXPECT_EQ(got.header("cache-control"), "public, max-age=12");
    EXPECT_NE(got.body.find("p21.m4s"), std::string::npos);
    if (first.empty()) first = got.body;
    EXPECT_EQ(got.body, first);
  }
}

TEST_F(HttpServerTest, AnswersAHeldReloadWithTheUnchangedPlaylistWhenItGivesUp) {
  start();
  auto demo = channel();
  demo.open();
  demo.add_segments(2);
  Client client(server_->http_port());
  client.ask("/live/demo/source/media.m3u8?_HLS_msn=1002");
  wait_for_waiters(1);
  on_shard([&] { live_.stop(); });  // as after three target durations
  const Received got = client.receive();
  EXPECT_EQ(got.status, 200U);
  EXPECT_EQ(got.header("cache-control"), kSecond);
}

TEST_F(HttpServerTest, HoldsAHintedPartAndSays404OnceItWillNotCome) {
  start();
  auto demo = channel();
  demo.open();
  demo.add_segments(1);
  demo.add_part();
  Client client(server_->http_port());
  client.ask("/live/demo/source/p11.m4s");
  wait_for_waiters(1);
  demo.add_part();
  EXPECT_TRUE(client.receive().body == TestChannel::part_bytes(11));
  client.ask("/live/demo/source/p12.m4s");
  wait_for_waiters(1);
  demo.go_idle();
  const Received gone = client.receive();
  EXPECT_EQ(gone.status, 404U);
  EXPECT_EQ(gone.header("cache-control"), kSecond);
}

TEST_F(HttpServerTest, SendsAGrowingSegmentPartByPart) {
  start();
  auto demo = channel();
  demo.open();
  demo.add_segments(1);
  demo.add_part();
  Client client(server_->http_port());
  client.ask("/live/demo/source/1001.m4s");
  while (client.raw().size() < TestChannel::kPartBytes) ASSERT_TRUE(client.read_more());
  EXPECT_NE(client.raw().find("Transfer-Encoding: chunked"), std::string::npos);
  EXPECT_NE(client.raw().find(std::string(kImmutable)), std::string::npos);
  wait_for_waiters(1);
  for (std::size_t i = 1; i < TestChannel::kParts; ++i) demo.add_part();
  const Received got = client.receive();
  EXPECT_TRUE(got.complete);
  EXPECT_TRUE(got.body == TestChannel::segment_bytes(1001));
  EXPECT_EQ(client.get("/time").status, 200U);
}

TEST_F(HttpServerTest, CutsAGrowingSegmentThatIsNotFinished) {
  start();
  auto demo = channel();
  demo.open();
  demo.add_segments(1);
  demo.add_part();
  Client client(server_->http_port());
  client.ask("/live/demo/source/1001.m4s");
  wait_for_waiters(1);
  on_shard([&] { live_.stop(); });  // as after three target durations without a part
  const Received got = client.receive();
  EXPECT_EQ(got.status, 200U);
  EXPECT_FALSE(got.complete);
  EXPECT_TRUE(got.body == TestChannel::part_bytes(10));
}

TEST_F(HttpServerTest, HoldsASegmentThatIsAskedForOnePartEarly) {
  start();
  auto demo = channel();
  demo.open();
  demo.add_segments(1);
  Client client(server_->http_port());
  client.ask("/live/demo/source/1001.m4s");
  wait_for_waiters(1);
  demo.add_segments(1);
  const Received got = client.receive();
  EXPECT_TRUE(got.complete);
  EXPECT_TRUE(got.body == TestChannel::segment_bytes(1001));
}

TEST_F(HttpServerTest, CreditsWhatASessionWasHandedWhole) {
  start();
  auto demo = channel();
  demo.open();
  demo.add_segments(2);
  const std::string base = "/s/" + token_for("demo") + "/live/demo/source/";
  Client client(server_->http_port());
  const Received playlist = client.get(base + "media.m3u8");
  EXPECT_EQ(playlist.status, 200U);
  EXPECT_EQ(playlist.header("cache-control"), "private, max-age=1");
  const Received segment = client.get(base + "1001.m4s");
  EXPECT_EQ(segment.header("cache-control"), "private, max-age=31536000, immutable");
  client.get(base + "1000.m4s", "Range: bytes=0-99\r\n");
  client.ask(base + "1000.m4s", "", "HEAD");
  client.receive(Client::Expects::nothing);
  client.get("/live/demo/source/1000.m4s");
  client.get(base + "p3.m4s");
  client.get("/time");  // a fact is reported before the next request is read
  const auto facts = evidence_.facts();
  ASSERT_EQ(facts.size(), 2U);
  EXPECT_EQ(facts[0].channel, "demo");
  EXPECT_EQ(facts[0].rendition, "source");
  EXPECT_TRUE(facts[0].video);
  EXPECT_EQ(facts[0].session[0], std::byte{7});
  EXPECT_EQ(facts[0].bytes, 200'000U);
  EXPECT_EQ(facts[0].interval,
            (evidence::Interval{TestChannel::start_of(1001), TestChannel::start_of(1002)}));
  EXPECT_EQ(facts[1].interval.length(), milliseconds(200));
}

TEST_F(HttpServerTest, CreditsAGrowingSegmentPartByPart) {
  start();
  auto demo = channel();
  demo.open();
  demo.add_segments(1);
  demo.add_part();
  Client client(server_->http_port());
  client.ask("/s/" + token_for("demo") + "/live/demo/source/1001.m4s");
  wait_for_waiters(1);
  EXPECT_EQ(evidence_.facts().size(), 1U);
  demo.add_part();
  wait_for_waiters(1);
  for (int i = 2; i < 10; ++i) demo.add_part();
  EXPECT_TRUE(client.receive().complete);
  microseconds total{0};
  UtcTime at = TestChannel::start_of(1001);
  for (const auto& fact : evidence_.facts()) {
    EXPECT_EQ(fact.interval.from, at);
    at = fact.interval.to;
    total += fact.interval.length();
  }
  EXPECT_EQ(total, seconds(2));
}

TEST_F(HttpServerTest, RefusesTokensThatAreNotForThisChannel) {
  start();
  auto demo = channel();
  demo.open();
  demo.add_segments(2);
  Client client(server_->http_port());
  for (const std::string& token : {token_for("other"), std::string("x"), std::string(250, 'a')}) {
    const Received got = client.get("/s/" + token + "/live/demo/master.m3u8");
    EXPECT_EQ(got.status, 403U);
    EXPECT_EQ(got.header("cache-control"), "private, max-age=1");
  }
}

TEST_F(HttpServerTest, ShutsBareLiveForAllButEdges) {
  HttpServerOptions options;
  options.access = {.anonymous = Anonymous::edges, .edges = {"192.0.2.0/24"}};
  start(options);
  auto demo = channel();
  demo.open();
  demo.add_segments(2);
  Client client(server_->http_port());
  EXPECT_EQ(client.get("/live/demo/master.m3u8").status, 403U);
  EXPECT_EQ(client.get("/s/" + token_for("demo") + "/live/demo/master.m3u8").status, 200U);
}

TEST_F(HttpServerTest, OverTheLimitOfConnectionsSays503AndWhenToComeBack) {
  HttpServerOptions options;
  options.addresses = {.half_open = 1, .open = 1, .loopback = net::Loopback::counted};
  start(options);
  Client first(server_->http_port());
  EXPECT_EQ(first.get("/time").status, 200U);
  Client second(server_->http_port());
  const Received refused = second.get("/time");
  EXPECT_EQ(refused.status, 503U);
  EXPECT_EQ(refused.header("retry-after"), "5");
  EXPECT_EQ(refused.header("connection"), "close");
  EXPECT_EQ(metrics_.value("kapok_http_connections_refused_total"), 1);
  EXPECT_EQ(first.get("/time").status, 200U);
}

TEST_F(HttpServerTest, RefusesBelowAPrefixInItsOwnWords) {
  router_.refuse_below("/echo/", [](unsigned status) {
    return http::Response::text(status, "application/problem+json", "{}");
  });
  start();
  Client client(server_->http_port());
  const Received wrong = client.get("/echo/a");
  EXPECT_EQ(wrong.status, 405U);
  EXPECT_EQ(wrong.header("content-type"), "application/problem+json");
  EXPECT_EQ(wrong.header("allow"), "POST");
  const Received missing = client.get("/echo/a/b");
  EXPECT_EQ(missing.status, 404U);
  EXPECT_EQ(missing.header("content-type"), "application/problem+json");
  EXPECT_EQ(client.get("/echo").header("content-type"), "text/plain; charset=utf-8");
}

// ADR 005: a DASH player goes on counting in a Period that has ended.
TEST_F(HttpServerTest, ANumberBehindItsErasEndIsASegmentWithoutSamples) {
  start();
  auto demo = channel();
  demo.open();
  demo.add_segments(2);
  demo.discontinue();
  demo.add_segments(1);
  Client client(server_->http_port());
  const Received empty = client.get("/live/demo/source/1002.m4s");
  EXPECT_EQ(empty.status, 200U);
  EXPECT_EQ(empty.header("content-type"), "video/mp4");
  EXPECT_EQ(empty.header("cache-control"), "public, max-age=1");
  ASSERT_EQ(empty.body.size(), 32U);
  EXPECT_EQ(empty.body.substr(4, 8), "stypmsdh");
  EXPECT_EQ(client.get("/live/demo/source/1-1002.m4s").status, 200U);
}

TEST_F(HttpServerTest, AnswersHandlersPreflightsAndWrongMethods) {
  start();
  Client client(server_->http_port());
  client.ask("/live/demo/master.m3u8", "Origin: https://x\r\n", "OPTIONS");
  const Received preflight = client.receive();
  EXPECT_EQ(preflight.status, 204U);
  EXPECT_EQ(preflight.header("access-control-allow-methods"), "GET, HEAD, OPTIONS");
  client.ask("/echo/a", "", "GET");
  const Received wrong = client.receive();
  EXPECT_EQ(wrong.status, 405U);
  EXPECT_EQ(wrong.header("allow"), "POST");
  client.ask("/live/demo/master.m3u8", "", "DELETE");
  EXPECT_EQ(client.receive().status, 405U);
  EXPECT_EQ(client.get("/fails").status, 500U);
  EXPECT_EQ(client.get("/nothing").status, 404U);
  EXPECT_EQ(client.get("/time").header("content-type"), "text/plain; charset=utf-8");
}

TEST_F(HttpServerTest, CutsASlowReaderWhileOthersGoOn) {
  HttpServerOptions options;
  options.limits.stall = seconds(1);
  start(options);
  auto demo = channel();
  demo.open();
  demo.add_segments(30);
  Client slow(server_->http_port(), 4096);
  for (int i = 0; i < 100; ++i) slow.ask(fmt::format("/live/demo/source/{}.m4s", 1000 + i % 30));
  Client quick(server_->http_port());
  while (metrics_.value("kapok_http_slow_clients_cut_total") < 1) {
    const Received got = quick.get("/live/demo/source/1005.m4s");
    ASSERT_TRUE(got.body == TestChannel::segment_bytes(1005));
  }
  EXPECT_EQ(quick.get("/time").status, 200U);
}

TEST_F(HttpServerTest, ReadsPagesThatAreNotInMemoryOnTheDiskThread) {
  start();
  auto demo = channel();
  demo.open();
  demo.add_segments(2);
  demo.forget_newest();
  Client client(server_->http_port());
  EXPECT_TRUE(client.get("/live/demo/source/1001.m4s").body == TestChannel::segment_bytes(1001));
  if (metrics_.value("kapok_http_cold_reads_total") == 0)
    GTEST_SKIP() << "/tmp lies in memory here: nothing can be cold";
}

TEST_F(HttpServerTest, SplitsNothingBetweenManyConnectionsAtOnce) {
  start();
  auto demo = channel();
  demo.open();
  demo.add_segments(4);
  std::atomic<int> wrong{0};
  std::vector<std::thread> viewers;
  for (int v = 0; v < 8; ++v)
    viewers.emplace_back([&, v] {
      Client client(server_->http_port());
      for (int i = 0; i < 40; ++i) {
        const std::uint64_t number = 1000 + static_cast<std::uint64_t>(v + i) % 4;
        const Received got = client.get(fmt::format("/live/demo/source/{}.m4s", number));
        if (got.body != TestChannel::segment_bytes(number)) ++wrong;
      }
    });
  for (std::thread& viewer : viewers) viewer.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(HttpServerTest, ClosesOnesThatNeverFinishTheirRequest) {
  HttpServerOptions options;
  options.limits.header = seconds(1);
  start(options);
  Client client(server_->http_port());
  client.send("GET /time HTTP/1.1\r\nHost:");
  EXPECT_TRUE(client.at_end());
}

// A folder with a certificate in it.
TEST_F(HttpServerTest, SatisfiesCurl) {
  start();
  auto demo = channel();
  demo.open();
  demo.add_segments(30);
  const auto curl = [&](const std::string& arguments) {
    const std::string command = fmt::format("curl -s -S --max-time 10 {} 2>&1", arguments);
    FILE* pipe = ::popen(command.c_str(), "r");
    std::string out;
    char bytes[4096];
    while (const std::size_t got = std::fread(bytes, 1, sizeof bytes, pipe)) out.append(bytes, got);
    EXPECT_EQ(::pclose(pipe), 0) << out;
    return out;
  };
  const std::string base =
      fmt::format("http://127.0.0.1:{}/live/demo/source/", server_->http_port());
  EXPECT_TRUE(curl(base + "1001.m4s") == TestChannel::segment_bytes(1001));
  EXPECT_TRUE(curl("-r 5-10 " + base + "1001.m4s") ==
              TestChannel::segment_bytes(1001).substr(5, 6));
  EXPECT_NE(curl("--compressed " + base + "media.m3u8").find("#EXT-X-PART"), std::string::npos);
  EXPECT_NE(curl("-D - -o /dev/null -H 'Accept-Encoding: gzip' " + base + "media.m3u8")
                .find("Content-Encoding: gzip"),
            std::string::npos);
  EXPECT_NE(curl("-I " + base + "1001.m4s").find("Content-Length: 200000"), std::string::npos);
  // Two requests on one connection, the second over HTTP/1.0.
  EXPECT_EQ(curl("-o /dev/null -o /dev/null -w '%{num_connects} ' " + base + "p290.m4s " + base +
                 "p291.m4s"),
            "1 0 ");
  EXPECT_TRUE(curl("--http1.0 " + base + "p290.m4s") == TestChannel::part_bytes(290));
}

TEST_F(HttpServerTest, DrainsByFinishingWhatRuns) {
  start();
  auto demo = channel();
  demo.open();
  demo.add_segments(2);
  Client idle(server_->http_port());
  EXPECT_EQ(idle.get("/time").status, 200U);
  Client held(server_->http_port());
  held.ask("/live/demo/source/media.m3u8?_HLS_msn=1002");
  wait_for_waiters(1);
  stop();
  const Received last = held.receive();
  EXPECT_EQ(last.status, 200U);
  EXPECT_EQ(last.header("connection"), "close");
  EXPECT_TRUE(held.at_end());
  EXPECT_TRUE(idle.at_end());
  EXPECT_EQ(metrics_.value("kapok_http_connections"), 0);
}

}  // namespace
}  // namespace kapok::delivery
