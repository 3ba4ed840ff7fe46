// What clients send that is no HTTP or TLS, as bytes on real sockets, and the one line about it.
#include <filesystem>

#include "server/picture/delivery/http/http_server_fixture_test.hpp"

namespace kapok::delivery {
namespace {

constexpr std::string_view kGood = "GET /time HTTP/1.1\r\nHost: x\r\n\r\n";
constexpr std::string_view kPost = "POST /echo/x HTTP/1.1\r\nHost: x\r\n";

class HttpRefusedTest : public HttpServerTest {
 protected:
  // What the log says of a client that sends this and reads until the server closes.
  std::string line_about(std::string_view bytes) {
    Client client(server_->http_port());
    client.send(bytes);
    while (client.read_more()) {
    }
    return log_->wait_for("http.refused", lines_++);
  }
  static std::string about(std::string_view state, std::size_t offset, std::string_view reason) {
    return fmt::format("protocol=http state={} offset={} reason={}", state, offset, reason);
  }
  std::size_t lines_ = 0;
};

TEST_F(HttpRefusedTest, TheLineSaysPeerStateOffsetAndReason) {
  start();
  const std::size_t good = kGood.size();
  const std::string first = line_about("\x16\x03\x01 no HTTP\r\n\r\n");
  EXPECT_TRUE(first.starts_with("http.refused peer=127.0.0.1:")) << first;
  EXPECT_TRUE(first.ends_with(about("request line", 0, "malformed method"))) << first;
  struct Case {
    std::string bytes;
    std::string line;
  };
  const std::string broken = "GET /time HTTP/1.1\r\nHost: x\r\n";
  const std::string chunked = std::string(kPost) + "Transfer-Encoding: chunked\r\n\r\n";
  const std::vector<Case> cases = {
      {std::string(kGood) + std::string(kGood) + "GET /../x HTTP/1.1\r\nHost: x\r\n\r\n",
       about("request line", 2 * good, "malformed path")},
      {std::string(kGood) + broken + "bad field\r\n\r\n",
       about("headers", good + broken.size(), "malformed header field")},
      {"GET /" + std::string(9000, 'a') + " HTTP/1.1\r\n\r\n",
       about("request line", 0, "request line too long")},
      {std::string(kPost) + "Content-Length: 65537\r\n\r\n",
       about("body", kPost.size() + 25, "body too large")},
      {chunked + "3\r\nabc\r\n-1\r\n", about("body", chunked.size() + 12, "malformed chunk size")},
  };
  for (const Case& each : cases) {
    const std::string line = line_about(each.bytes);
    EXPECT_TRUE(line.ends_with(each.line)) << line << "\n" << each.line;
  }
  EXPECT_EQ(metrics_.value("kapok_http_protocol_errors_total"), 6);
}

TEST_F(HttpRefusedTest, WhatStopsHalfWayIsTold) {
  HttpServerOptions options;
  options.limits.header = seconds(1);
  options.limits.body = seconds(1);
  start(options);
  const std::string_view half = "GET /time HTTP/1.1\r\nHost:";
  EXPECT_TRUE(line_about(half).ends_with(about("headers", half.size(), "not finished in time")));
  const std::string body = std::string(kPost) + "Content-Length: 5\r\n\r\nabc";
  EXPECT_TRUE(line_about(body).ends_with(about("body", body.size(), "not finished in time")));
  Client(server_->http_port()).send("GET /ti");
  EXPECT_TRUE(log_->wait_for("http.refused", lines_++)
                  .ends_with(about("request line", 7, "closed before its end")));
}

TEST_F(HttpRefusedTest, NothingIsToldOfClientsThatKeepToHttp) {
  HttpServerOptions options;
  options.limits.idle = seconds(1);
  start(options);
  {
    const Client says_nothing(server_->http_port());
  }
  Client client(server_->http_port());
  EXPECT_EQ(client.get("/nothing").status, 404U);
  EXPECT_EQ(client.get("/time").status, 200U);
  EXPECT_TRUE(client.at_end());  // idle for too long
  stop();
  EXPECT_FALSE(log_->mentions("http.refused"));
}

TEST_F(HttpRefusedTest, AScanIsCountedAndDoesNotFillTheLog) {
  start();
  constexpr std::uint32_t kScan = HttpShard::kRefusalsToldPerMinute + 5;
  for (std::uint32_t i = 0; i < kScan; ++i) EXPECT_NE(line_about("rubbish\r\n\r\n"), "");
  EXPECT_EQ(metrics_.value("kapok_http_protocol_errors_total"), kScan);
  // A slow test may have earned another.
  EXPECT_GE(log_->written(LogLevel::info, "http.refused"), HttpShard::kRefusalsToldPerMinute);
  EXPECT_LT(log_->written(LogLevel::info, "http.refused"), kScan);
}

TEST_F(HttpRefusedTest, WhatIsNoTlsIsToldInTheWordsOfOpenSsl) {
  std::string name = "/tmp/kapok-refused-XXXXXX";
  const std::filesystem::path folder = ::mkdtemp(name.data());
  const net::TlsFiles files{folder / "cert.pem", folder / "key.pem"};
  ASSERT_TRUE(net::make_self_signed(files, {"x.example"}));
  HttpServerOptions options;
  options.https =
      net::ListenOptions{.address = "127.0.0.1", .port = 0, .what = "HTTPS", .remedy = ""};
  start(options, net::TlsContext::load(files, {"http/1.1"}).value());
  std::filesystem::remove_all(folder);
  {
    Client plain(server_->https_port());
    plain.send(kGood);
    while (plain.read_more()) {
    }
  }
  const std::string plain = log_->wait_for("http.refused", 0);
  EXPECT_TRUE(plain.contains(" protocol=https state=tls handshake offset=")) << plain;
  EXPECT_TRUE(plain.ends_with(" reason=http request")) << plain;
  {
    // A handshake record's header, and no record.
    Client half(server_->https_port());
    half.send({"\x16\x03\x01\x02\x00\x01", 6});
  }
  const std::string half = log_->wait_for("http.refused", 1);
  EXPECT_TRUE(half.ends_with("state=tls handshake offset=6 reason=closed before its end")) << half;
  Client secret(server_->https_port());
  ASSERT_TRUE(secret.start_tls());
  EXPECT_EQ(secret.get("/time").status, 200U);
  // A record of application data that no key of this connection has sealed.
  EXPECT_TRUE(secret.send_unsealed({"\x17\x03\x03\x00\x20zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz", 37}));
  const std::string forged = log_->wait_for("http.refused", 2);
  EXPECT_TRUE(forged.contains(" protocol=https state=tls offset=")) << forged;
  EXPECT_TRUE(forged.contains("mac")) << forged;
}

}  // namespace
}  // namespace kapok::delivery
