// Kapok's HTTP delivery alone, with a channel made by hand: what tests/bench/http measures.
//
//   kapok-http-bench-server <http port> <https port> <segments> <part bytes> <ms between parts, 0:
//   none>
//
// Ends on SIGTERM. One shard.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include "server/picture/delivery/http/http_server.hpp"
#include "server/picture/delivery/http/test_channel.hpp"

namespace {

using namespace kapok;

class NoEvidence final : public evidence::EvidenceSink {
 public:
  void report(evidence::Fact) override {}
};

Task<> feed(delivery::testing::TestChannel& channel, milliseconds every, const bool& stopping) {
  boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor);
  timer.expires_after(every);
  while (!stopping) {
    [[maybe_unused]] auto [error] = co_await timer.async_wait(kAsValue);
    channel.add_part();
    timer.expires_at(timer.expiry() + every);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) return std::fputs("see the head of bench_server.cpp\n", stderr), 2;
  const auto number = [&](int i) { return static_cast<unsigned>(std::atoi(argv[i])); };
  boost::asio::io_context shard(1);
  SystemClock clock;
  delivery::LiveStore live(shard.get_executor(), clock);
  delivery::testing::TestChannel channel("demo", [&](auto event) { live.apply(event); }, number(4));
  channel.open();
  channel.add_segments(number(3));
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / fmt::format("kapok-http-bench-{}", number(1));
  std::filesystem::create_directories(folder);
  const net::TlsFiles files{folder / "cert.pem", folder / "key.pem"};
  if (!net::make_self_signed(files, {"localhost"})) return 1;
  auto tls = net::TlsContext::load(files, {"http/1.1"});
  if (!tls) return 1;
  delivery::Router router;
  NoEvidence evidence;
  NullMetrics metrics;
  WorkerThread disk("cold", 64);
  delivery::HttpServerOptions options;
  const auto port = [&](int i) {
    return net::ListenOptions{.address = "127.0.0.1",
                              .port = static_cast<std::uint16_t>(number(i)),
                              .what = "HTTP",
                              .remedy = "choose another"};
  };
  options.http = port(1);
  options.https = port(2);
  delivery::HttpServer server(std::move(options), {.shards = {{shard.get_executor(), &live}},
                                                   .router = router,
                                                   .pages = nullptr,
                                                   .signer = nullptr,
                                                   .evidence = evidence,
                                                   .clock = clock,
                                                   .log = Log(),
                                                   .metrics = metrics,
                                                   .disk = disk,
                                                   .tls = *tls});
  if (const auto started = server.start(); !started)
    return std::fprintf(stderr, "%s\n", started.error().message.c_str()), 1;
  bool stopping = false;
  TaskGroup tasks(shard.get_executor());
  if (number(5) > 0) tasks.spawn(feed(channel, milliseconds(number(5)), stopping));
  boost::asio::signal_set signals(shard, SIGTERM, SIGINT);
  signals.async_wait([&](auto, int) {
    stopping = true;
    tasks.spawn(server.drain(milliseconds(500)));
  });
  shard.run();
  std::filesystem::remove_all(folder);
  return 0;
}
