// kapok-srt-push: load generator. Sends N copies of a TS file over SRT from one UDP port, in real
// time and without end. Prints what it did as one line of JSON; exits 1 when a connection was
// refused or lost.
#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/picture/protocols/srt/caller.hpp"
#include "server/picture/protocols/srt/packet.hpp"
#include "server/picture/protocols/srt/stream_id.hpp"
#include "tests/support/srt_port.hpp"
#include "tests/support/ts_loop.hpp"

namespace kapok::support {
namespace {

namespace asio = boost::asio;

// Sending and timers, for all connections at once.
constexpr milliseconds kTick{2};
constexpr srt::SocketId kFirstId = 0x10'0000;

struct Options {
  std::string file;
  std::string host = "127.0.0.1";
  std::uint16_t port = 9000;
  std::string prefix = "c";
  std::string key;
  std::string stream_id;  // as it stands; else made of prefix, number and key
  std::string passphrase;
  std::size_t key_bytes = 16;
  bool gcm = false;
  std::uint32_t refresh_packets = 0;  // 0: as kapok-send does it
  std::string filter;
  unsigned count = 1;
  unsigned first = 1;
  unsigned latency_ms = 300;
  double stagger_ms = 0;
  double seconds = 0;
};

struct Copy {
  Copy(std::shared_ptr<const TsFile> file, MonoTime starts) : loop(std::move(file)), at(starts) {}
  TsLoop loop;
  MonoTime at;  // when it calls; then when its first message is due
  std::unique_ptr<srt::Caller> caller;
  std::unique_ptr<srt::Connection> connection;
  bool over = false;
};

class Pusher {
 public:
  Pusher(asio::io_context& context, const Options& options, std::shared_ptr<const TsFile> file,
         SrtPort& port)
      : options_(options), port_(port), timer_(context) {
    const MonoTime now = clock_.mono();
    for (unsigned i = 0; i < options.count; ++i)
      copies_.emplace_back(
          file, now + nanoseconds(static_cast<std::int64_t>(i * options.stagger_ms * 1e6)));
    target_ = peer_of({asio::ip::make_address(options.host), options.port});
  }

  void stop() { stop_ = true; }

  Task<> run() {
    const MonoTime began = clock_.mono();
    std::optional<MonoTime> ends;  // nothing new is sent, but what was lost on the way still is
    while (over_ < copies_.size()) {
      const MonoTime now = clock_.mono();
      if (options_.seconds > 0 && now - began > std::chrono::duration<double>(options_.seconds))
        stop_ = true;
      if (stop_ && !ends) ends = now + milliseconds(options_.latency_ms);
      if (ends && now >= *ends) break;
      receive(now);
      for (std::size_t i = 0; i < copies_.size(); ++i) turn(now, i);
      port_.flush(out_);
      timer_.expires_after(kTick);
      [[maybe_unused]] auto [waited] = co_await timer_.async_wait(kAsValue);
    }
    for (std::size_t i = 0; i < copies_.size(); ++i) {
      if (!copies_[i].connection || copies_[i].over) continue;
      totals(copies_[i]);
      copies_[i].connection->shutdown(clock_.mono(), out_);
    }
    port_.flush(out_);
    port_.close();
    report(std::chrono::duration<double>(clock_.mono() - began).count());
  }
  bool all_well() const { return failed_ == 0; }

 private:
  void receive(MonoTime now) {
    do {
      datagrams_.clear();
      more_ = port_.receive(datagrams_);
      for (const net::ReceivedDatagram& datagram : datagrams_) {
        const std::size_t i = srt::destination_of(datagram.bytes.bytes()) - kFirstId;
        if (i >= copies_.size() || copies_[i].over) continue;
        const srt::PeerAddress from = peer_of(datagram.path.peer);
        if (copies_[i].connection)
          copies_[i].connection->receive(now, from, datagram.bytes, out_);
        else if (copies_[i].caller)
          copies_[i].caller->receive(now, from, datagram.bytes.bytes(), out_);
      }
    } while (more_);
  }

  void turn(MonoTime now, std::size_t i) {
    Copy& copy = copies_[i];
    if (copy.over || now < copy.at) return;
    if (!copy.caller && !copy.connection) {
      if (stop_) return;
      call(now, i);
    }
    if (copy.caller) {
      copy.caller->advance(now, out_);
      if (!copy.caller->done()) return;
      auto connected = copy.caller->take(now);
      copy.caller.reset();
      if (!connected) return end(copy, connected.error().message);
      copy.connection = std::move(*connected);
      copy.at = now;
    }
    while (!stop_ && copy.at + copy.loop.due() <= now) {
      const MonoTime due = copy.at + copy.loop.due();
      if (const auto sent = copy.connection->send(now, copy.loop.next(), due); !sent) ++not_taken_;
    }
    copy.connection->advance(now, out_);
    for (const srt::Event& event : out_.events)
      if (const auto* closed = std::get_if<srt::Closed>(&event); closed && !copy.over)
        end(copy, std::string(srt::name_of(closed->reason)));
    out_.events.clear();
  }

  void call(MonoTime now, std::size_t i) {
    srt::CallOptions call;
    call.peer = target_;
    call.socket_id = kFirstId + static_cast<srt::SocketId>(i);
    call.link.latency = milliseconds(options_.latency_ms);
    call.link.encryption.passphrase = options_.passphrase;
    call.link.encryption.key_bytes = options_.key_bytes;
    if (options_.gcm) call.link.encryption.mode = srt::CipherMode::gcm;
    if (options_.refresh_packets > 0) {
      call.link.encryption.refresh_packets = options_.refresh_packets;
      call.link.encryption.announce_packets = options_.refresh_packets / 3;
    }
    call.link.filter = options_.filter;
    call.stream_id = options_.stream_id;
    if (call.stream_id.empty())
      call.stream_id =
          srt::format_stream_id({.mode = srt::StreamMode::publish,
                                 .channel = options_.prefix + std::to_string(options_.first + i),
                                 .key = options_.key,
                                 .session = {},
                                 .host = {}});
    copies_[i].caller =
        std::make_unique<srt::Caller>(now, srt::Caller::Mode::caller, std::move(call));
  }

  void end(Copy& copy, const std::string& why) {
    if (copy.connection) totals(copy);
    copy.over = true;
    ++over_;
    ++failed_;
    std::fprintf(stderr, "copy %zu: %s\n", static_cast<std::size_t>(&copy - copies_.data()),
                 why.c_str());
  }
  void totals(const Copy& copy) {
    const srt::LinkStats stats = copy.connection->stats(clock_.mono());
    ++connected_;
    packets_ += stats.packets_sent;
    bytes_ += stats.bytes_sent;
    retransmitted_ += stats.packets_retransmitted;
    dropped_ += stats.packets_send_dropped;
  }
  void report(double lasted) const {
    std::printf(
        "{\"copies\": %zu, \"connected\": %u, \"failed\": %u, \"seconds\": %.3f, \"packets\": "
        "%llu, "
        "\"mbit_per_s\": %.2f, \"retransmitted\": %llu, \"dropped\": %llu, \"not_taken\": %llu, "
        "\"cpu_seconds\": %.3f}\n",
        copies_.size(), connected_, failed_, lasted, static_cast<unsigned long long>(packets_),
        static_cast<double>(bytes_) * 8 / 1e6 / lasted,
        static_cast<unsigned long long>(retransmitted_), static_cast<unsigned long long>(dropped_),
        static_cast<unsigned long long>(not_taken_), cpu_seconds());
  }

  SystemClock clock_;
  const Options& options_;
  SrtPort& port_;
  asio::steady_timer timer_;
  srt::PeerAddress target_;
  std::vector<Copy> copies_;
  std::vector<net::ReceivedDatagram> datagrams_;
  srt::Output out_;
  bool more_ = false;
  bool stop_ = false;
  std::size_t over_ = 0;
  unsigned connected_ = 0;
  unsigned failed_ = 0;
  std::uint64_t packets_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t retransmitted_ = 0;
  std::uint64_t dropped_ = 0;
  std::uint64_t not_taken_ = 0;
};

int push(const Options& options) {
  auto file = TsFile::load(options.file);
  if (!file) return std::fprintf(stderr, "%s\n", file.error().message.c_str()), 2;
  asio::io_context context(1);
  auto port = SrtPort::open(context.get_executor(), 0);
  if (!port) return std::fprintf(stderr, "%s\n", port.error().message.c_str()), 2;
  Pusher pusher(context, options, std::move(*file), **port);
  asio::signal_set signals(context, SIGINT, SIGTERM);
  signals.async_wait([&](const boost::system::error_code& error, int) {
    if (!error) pusher.stop();
  });
  auto all = [](Pusher& work, asio::signal_set& listening) -> Task<> {
    co_await work.run();
    listening.cancel();
  };
  TaskGroup tasks(context.get_executor());
  tasks.spawn(all(pusher, signals));
  context.run();
  return pusher.all_well() ? 0 : 1;
}

}  // namespace
}  // namespace kapok::support

int main(int argc, char** argv) {
  kapok::support::Options options;
  CLI::App app("Sends copies of a TS file over SRT from one UDP port, in real time, without end");
  app.add_option("file", options.file, "MPEG-TS file")->required();
  app.add_option("--host", options.host, "IP address")->capture_default_str();
  app.add_option("--port", options.port, "UDP port")->capture_default_str();
  app.add_option("--prefix", options.prefix, "channels are <prefix><n>")->capture_default_str();
  app.add_option("--key", options.key, "publish key");
  app.add_option("--stream-id", options.stream_id, "as it stands, instead of channel and key");
  app.add_option("--passphrase", options.passphrase, "encrypts");
  app.add_option("--key-bytes", options.key_bytes, "16, 24 or 32")->capture_default_str();
  app.add_flag("--gcm", options.gcm, "AES-GCM instead of counter mode");
  app.add_option("--refresh", options.refresh_packets, "a new key after so many packets")
      ->check(CLI::Range(10U, 0x100'0000U));
  app.add_option("--filter", options.filter, "packet filter, like fec,cols:10,rows:5");
  app.add_option("--count", options.count, "copies")->capture_default_str();
  app.add_option("--first", options.first, "number of the first copy")->capture_default_str();
  app.add_option("--latency", options.latency_ms, "milliseconds")->capture_default_str();
  app.add_option("--stagger-ms", options.stagger_ms, "start copies this far apart");
  app.add_option("--seconds", options.seconds, "stop after so long; 0: never");
  CLI11_PARSE(app, argc, argv);
  return kapok::support::push(options);
}
