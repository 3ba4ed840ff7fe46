// kapok-srt-receive: our SRT receiver alone, without demultiplexer or channel. Takes every caller,
// links of a group together, and writes the payload to a file or nowhere. What libsrt's
// srt-live-transmit is measured against, and what a bonded stream is compared with byte by byte.
#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdio>
#include <memory>
#include <string>
#include <unordered_map>

#include "server/base/crypto.hpp"
#include "server/picture/protocols/srt/group.hpp"
#include "server/picture/protocols/srt/listener.hpp"
#include "server/picture/protocols/srt/packet.hpp"
#include "tests/support/srt_port.hpp"

namespace kapok::support {
namespace {

namespace asio = boost::asio;

constexpr milliseconds kTurn{4};

struct Options {
  std::uint16_t port = 9000;
  std::string file;  // empty: nowhere
  std::string passphrase;
  unsigned latency_ms = 120;
  double seconds = 0;
};

struct Session {
  std::unique_ptr<srt::Connection> connection;
  std::shared_ptr<srt::Group> group;
};

class Receiver {
 public:
  Receiver(asio::io_context& context, const Options& options, SrtPort& port, std::FILE* file)
      : options_(options),
        port_(port),
        timer_(context),
        listener_(random_bytes<32>()),
        file_(file) {}

  void stop() {
    stop_ = true;
    timer_.cancel();
    port_.close();
  }

  // As server/picture/ingest/srt does it: a turn every few milliseconds while there is anybody.
  Task<> run() {
    const MonoTime began = clock_.mono();
    while (!stop_) {
      if (sessions_.empty()) {
        const bool open = co_await port_.wait_readable();
        if (!open) break;
      } else {
        timer_.expires_after(kTurn);
        [[maybe_unused]] auto [waited] = co_await timer_.async_wait(kAsValue);
      }
      bool more = !stop_;
      while (more) {
        datagrams_.clear();
        more = port_.receive(datagrams_);
        const MonoTime now = clock_.mono();
        for (net::ReceivedDatagram& datagram : datagrams_) take(now, datagram);
      }
      advance(clock_.mono());
      if (options_.seconds > 0 &&
          clock_.mono() - began > std::chrono::duration<double>(options_.seconds))
        stop();
    }
    report(std::chrono::duration<double>(clock_.mono() - began).count());
  }

 private:
  void take(MonoTime now, net::ReceivedDatagram& datagram) {
    const srt::PeerAddress from = peer_of(datagram.path.peer);
    const srt::SocketId id = srt::destination_of(datagram.bytes.bytes());
    if (id == 0) {
      if (auto asked = listener_.receive(now, from, datagram.bytes.bytes(), out_))
        accept(now, *asked);
      return;
    }
    const auto found = sessions_.find(id);
    if (found == sessions_.end()) return;
    if (found->second.group)
      found->second.group->receive(now, id, from, std::move(datagram.bytes), out_);
    else
      found->second.connection->receive(now, from, std::move(datagram.bytes), out_);
  }

  void accept(MonoTime now, const srt::Asked& asked) {
    srt::AcceptOptions options;
    options.socket_id = ++last_id_;
    options.link.latency = milliseconds(options_.latency_ms);
    options.link.encryption.passphrase = options_.passphrase;
    Session session;
    if (asked.group) {
      auto& group = groups_[asked.group->group_id];
      if (!group)
        group = std::make_shared<srt::Group>(
            now, srt::GroupOptions{.type = asked.group->type, .group_id = ++last_group_});
      session.group = group;
      options.group = group.get();
    }
    auto accepted = listener_.accept(now, asked.id, options, out_);
    if (!accepted) {
      std::fprintf(stderr, "refused: %s\n", accepted.error().message.c_str());
      return;
    }
    session.connection = std::move(*accepted);
    sessions_[options.socket_id] = std::move(session);
    ++accepted_;
  }

  void advance(MonoTime now) {
    for (const auto& [id, session] : sessions_) {
      if (session.group)
        session.group->advance(now, out_);
      else
        session.connection->advance(now, out_);
      handle(id, session);
    }
    for (const srt::SocketId id : gone_) sessions_.erase(id);
    gone_.clear();
    listener_.advance(now);
    port_.flush(out_);
  }

  void handle(srt::SocketId id, const Session& session) {
    for (const srt::Event& event : out_.events) {
      if (const auto* message = std::get_if<srt::Message>(&event)) {
        bytes_ += message->payload.size();
        ++messages_;
        if (file_ != nullptr)
          std::fwrite(message->payload.data(), 1, message->payload.size(), file_);
      } else if (const auto* gap = std::get_if<srt::Gap>(&event)) {
        dropped_ += gap->packets;
      } else if (const auto* closed = std::get_if<srt::Closed>(&event)) {
        count(session, closed->link);
        gone_.push_back(closed->link != 0 ? closed->link : id);
      }
    }
    out_.events.clear();
  }
  void count(const Session& session, srt::SocketId) {
    if (!session.connection) return;
    const srt::LinkStats stats = session.connection->stats(clock_.mono());
    lost_ += stats.packets_lost;
    recovered_by_fec_ += stats.packets_recovered_by_fec;
  }

  void report(double lasted) {
    for (const auto& [id, session] : sessions_) count(session, 0);
    if (file_ != nullptr) std::fflush(file_);
    std::printf(
        "{\"accepted\": %u, \"seconds\": %.3f, \"messages\": %llu, \"bytes\": %llu, "
        "\"lost_on_the_way\": %llu, \"recovered_by_fec\": %llu, \"dropped\": %llu, "
        "\"no_memory\": %llu, \"cpu_seconds\": %.3f}\n",
        accepted_, lasted, static_cast<unsigned long long>(messages_),
        static_cast<unsigned long long>(bytes_), static_cast<unsigned long long>(lost_),
        static_cast<unsigned long long>(recovered_by_fec_),
        static_cast<unsigned long long>(dropped_),
        static_cast<unsigned long long>(port_.counts().no_memory), cpu_seconds());
  }

  SystemClock clock_;
  const Options& options_;
  SrtPort& port_;
  asio::steady_timer timer_;
  srt::Listener listener_;
  std::FILE* file_;
  std::unordered_map<srt::SocketId, Session> sessions_;
  std::unordered_map<srt::SocketId, std::shared_ptr<srt::Group>> groups_;
  std::vector<srt::SocketId> gone_;
  std::vector<net::ReceivedDatagram> datagrams_;
  srt::Output out_;
  srt::SocketId last_id_ = 0x20'0000;
  srt::SocketId last_group_ = 0x4000'0000;
  bool stop_ = false;
  unsigned accepted_ = 0;
  std::uint64_t messages_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t lost_ = 0;
  std::uint64_t recovered_by_fec_ = 0;
  std::uint64_t dropped_ = 0;
};

int receive(const Options& options) {
  asio::io_context context(1);
  auto port = SrtPort::open(context.get_executor(), options.port);
  if (!port) return std::fprintf(stderr, "%s\n", port.error().message.c_str()), 2;
  std::FILE* file = options.file.empty() ? nullptr : std::fopen(options.file.c_str(), "wb");
  if (!options.file.empty() && file == nullptr)
    return std::fprintf(stderr, "%s cannot be written\n", options.file.c_str()), 2;
  Receiver receiver(context, options, **port, file);
  asio::signal_set signals(context, SIGINT, SIGTERM);
  signals.async_wait([&](const boost::system::error_code& error, int) {
    if (!error) receiver.stop();
  });
  auto all = [](Receiver& work, asio::signal_set& listening) -> Task<> {
    co_await work.run();
    listening.cancel();
  };
  TaskGroup tasks(context.get_executor());
  tasks.spawn(all(receiver, signals));
  context.run();
  if (file != nullptr) std::fclose(file);
  return 0;
}

}  // namespace
}  // namespace kapok::support

int main(int argc, char** argv) {
  kapok::support::Options options;
  CLI::App app("Receives SRT from any caller into a file or nowhere");
  app.add_option("--port", options.port, "UDP port")->capture_default_str();
  app.add_option("--file", options.file, "where the payload goes; none: nowhere");
  app.add_option("--passphrase", options.passphrase, "demands it");
  app.add_option("--latency", options.latency_ms, "milliseconds")->capture_default_str();
  app.add_option("--seconds", options.seconds, "stop after so long; 0: never");
  CLI11_PARSE(app, argc, argv);
  return kapok::support::receive(options);
}
