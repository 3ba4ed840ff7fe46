#include <filesystem>
#include <future>

#include "server/picture/delivery/http/http_server_fixture_test.hpp"

namespace kapok::delivery {
namespace {

class HttpsServerTest : public HttpServerTest {
 protected:
  void SetUp() override {
    std::string name = "/tmp/kapok-https-XXXXXX";
    folder_ = ::mkdtemp(name.data());
    files_ = {folder_ / "cert.pem", folder_ / "key.pem"};
    ASSERT_TRUE(net::make_self_signed(files_, {"old.example"}));
    tls_ = net::TlsContext::load(files_, {"http/1.1"}).value();
    HttpServerOptions options;
    options.https =
        net::ListenOptions{.address = "127.0.0.1", .port = 0, .what = "HTTPS", .remedy = ""};
    start(options, tls_);
  }
  void TearDown() override {
    HttpServerTest::TearDown();
    std::filesystem::remove_all(folder_);
  }
  std::filesystem::path folder_;
  net::TlsFiles files_;
  std::shared_ptr<net::TlsContext> tls_;
};

TEST_F(HttpsServerTest, ServesSegmentsGrowingOnesAndPipelines) {
  auto demo = channel();
  demo.open();
  demo.add_segments(2);
  Client client(server_->https_port());
  ASSERT_TRUE(client.start_tls());
  for (int i = 0; i < 3; ++i)
    EXPECT_TRUE(client.get("/live/demo/source/1001.m4s").body == TestChannel::segment_bytes(1001));
  demo.add_part();
  client.ask("/live/demo/source/1002.m4s");
  wait_for_waiters(1);
  for (int i = 1; i < 10; ++i) demo.add_part();
  EXPECT_TRUE(client.receive().body == TestChannel::segment_bytes(1002));
  client.send("GET /time HTTP/1.1\r\nHost: x\r\n\r\nGET /nothing HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(client.receive().status, 200U);
  EXPECT_EQ(client.receive().status, 404U);
}

TEST_F(HttpsServerTest, SendsOnToAReaderThatPauses) {
  auto demo = channel();
  demo.open();
  demo.add_segments(30);
  Client client(server_->https_port(), 4096);
  ASSERT_TRUE(client.start_tls());
  for (int i = 0; i < 30; ++i) client.ask(fmt::format("/live/demo/source/{}.m4s", 1000 + i));
  Client other(server_->https_port());
  ASSERT_TRUE(other.start_tls());
  EXPECT_EQ(other.get("/time").status, 200U);
  for (std::uint64_t i = 0; i < 30; ++i)
    ASSERT_TRUE(client.receive().body == TestChannel::segment_bytes(1000 + i)) << i;
}

TEST_F(HttpsServerTest, ChangesTheCertificateUnderLoadWithoutAFailedRequest) {
  auto demo = channel();
  demo.open();
  demo.add_segments(2);
  std::atomic<bool> stopping{false};
  std::atomic<int> failed{0};
  std::atomic<int> served{0};
  std::thread load([&] {
    Client kept(server_->https_port());
    if (!kept.start_tls()) ++failed;
    while (!stopping) {
      Client fresh(server_->https_port());
      if (!fresh.start_tls() || fresh.get("/live/demo/source/p3.m4s").status != 200) ++failed;
      if (kept.get("/live/demo/source/1001.m4s").body != TestChannel::segment_bytes(1001)) ++failed;
      ++served;
    }
  });
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(net::make_self_signed(files_, {fmt::format("new{}.example", i)}));
    ASSERT_TRUE(tls_->reload());
    const int before = served;
    while (served < before + 2) std::this_thread::yield();
  }
  stopping = true;
  load.join();
  EXPECT_EQ(failed, 0);
  Client last(server_->https_port());
  ASSERT_TRUE(last.start_tls());
  EXPECT_EQ(last.certificate_name(), "new4.example");
}

TEST_F(HttpsServerTest, ClosesOnesThatDoNotShakeHands) {
  Client client(server_->https_port());
  client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  while (client.read_more()) {
  }
  EXPECT_FALSE(client.raw().starts_with("HTTP"));
}

}  // namespace
}  // namespace kapok::delivery
