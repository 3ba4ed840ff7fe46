// A server with one shard on a thread of its own, a real port and real sockets, and a channel that
// it serves.
#pragma once

#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>
#include <filesystem>
#include <future>
#include <mutex>
#include <thread>
#include "server/base/counted_metrics_test.hpp"
#include "server/media/feed_doubles_test.hpp"
#include "server/picture/delivery/http/http_server.hpp"
#include "server/picture/delivery/http/test_channel.hpp"

namespace kapok::delivery {

using testing::Client;
using testing::Received;
using testing::TestChannel;

class RecordedEvidence final : public evidence::EvidenceSink {
 public:
  void report(evidence::Fact fact) override {
    const std::lock_guard lock(mutex_);
    facts_.push_back(std::get<evidence::Delivered>(std::move(fact)));
  }
  std::vector<evidence::Delivered> facts() const {
    const std::lock_guard lock(mutex_);
    return facts_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<evidence::Delivered> facts_;
};

// One shard on a thread of its own, a real port, real sockets.
class HttpServerTest : public ::testing::Test {
 protected:
  void start(HttpServerOptions options = {}, std::shared_ptr<net::TlsContext> tls = nullptr) {
    if (!options.http)
      options.http =
          net::ListenOptions{.address = "127.0.0.1", .port = 0, .what = "HTTP", .remedy = ""};
    add_routes();
    server_ = std::make_unique<HttpServer>(
        std::move(options), HttpServerServices{.shards = {{shard_.get_executor(), &live_}},
                                               .router = router_,
                                               .pages = nullptr,
                                               .signer = &signer_,
                                               .evidence = evidence_,
                                               .clock = clock_,
                                               .log = Log(log_),
                                               .metrics = metrics_,
                                               .disk = disk_,
                                               .tls = std::move(tls)});
    const auto started = server_->start();
    ASSERT_TRUE(started) << started.error().message;
    thread_ = std::thread([this] { shard_.run(); });
  }
  void TearDown() override { stop(); }
  void stop() {
    if (!thread_.joinable()) return;
    boost::asio::co_spawn(shard_, server_->drain(seconds(2)), boost::asio::use_future).get();
    guard_.reset();
    thread_.join();
  }
  void add_routes() {
    router_.add(http::Method::post, "/echo/{name}",
                [](std::shared_ptr<const http::Request> request,
                   PathParameters parameters) -> Task<http::Response> {
                  co_return http::Response::text(
                      200, "text/plain",
                      parameters.at("name") + ":" + std::string(request->body.text()));
                });
    router_.add(http::Method::get, "/fails",
                [](std::shared_ptr<const http::Request>, PathParameters) -> Task<http::Response> {
                  throw std::runtime_error("a bug");
                  co_return http::Response();
                });
  }
  template <class Do>
  void on_shard(Do what) {
    std::promise<void> done;
    boost::asio::post(shard_, [&] {
      what();
      done.set_value();
    });
    done.get_future().get();
  }
  TestChannel channel(std::string name = "demo") {
    return TestChannel(std::move(name),
                       [this](auto event) { on_shard([&] { live_.apply(event); }); });
  }
  // Until so many requests are held.
  void wait_for_waiters(std::size_t count) {
    std::size_t now = 0;
    while (now != count) {
      on_shard([&] { now = live_.waiting(); });
      std::this_thread::yield();
    }
  }
  std::string token_for(const std::string& name) {
    access::SessionToken token;
    token.session[0] = std::byte{7};
    token.channel = name;
    token.issued = clock_.utc();
    token.expires = clock_.utc() + seconds(3600);
    return signer_.issue(token);
  }

  SystemClock clock_;
  boost::asio::io_context shard_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_{
      shard_.get_executor()};
  LiveStore live_{shard_.get_executor(), clock_};
  Router router_;
  access::TokenSigner signer_{{access::TokenKey{.id = 1, .secret = Bytes(32, std::byte{5})}}};
  RecordedEvidence evidence_;
  std::shared_ptr<media::test::RecordingLog> log_ = std::make_shared<media::test::RecordingLog>();
  CountedMetrics metrics_;
  WorkerThread disk_{"cold", 16};
  std::unique_ptr<HttpServer> server_;
  std::thread thread_;
};

}  // namespace kapok::delivery
