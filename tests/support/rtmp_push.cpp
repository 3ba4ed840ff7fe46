// Load generator: pushes N copies of an FLV file over RTMP, in real time and in a loop, for as
// little CPU as possible (the file is chunked once, a tick is one write). Prints what it did and
// what CPU it took; exits 1 when a publish was refused or lost.
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <cstdio>
#include <string>

#include "server/base/clock.hpp"
#include "server/base/task.hpp"
#include "server/picture/protocols/rtmp/client_session.hpp"
#include "tests/support/push_script.hpp"

namespace kapok::support {
namespace {

namespace asio = boost::asio;
using Tcp = asio::ip::tcp;

struct Options {
  std::string file;
  std::string url = "rtmp://127.0.0.1:1935/live";
  std::string prefix = "bench";
  std::string key;
  unsigned count = 1;
  unsigned first = 0;
  double speed = 1;
  double seconds = 0;
  double stagger_ms = 0;
  unsigned pulse_ms = 0;
  std::uint32_t chunk_bytes = 60'000;
  bool once = false;
  bool numbered = true;
};

struct Totals {
  bool stop = false;  // asked to, by a signal
  unsigned publishing = 0;
  unsigned failed = 0;
  std::uint64_t bytes = 0;
  double worst_lateness_ms = 0;
  double connect_to_publish_ms = 0;  // the slowest
  double first_publish_at_s = 0;     // since 1970: when the first was accepted
};

struct Target {
  std::string host = "127.0.0.1";
  std::string port = "1935";
  std::string app = "live";
};

Result<Target> parse_url(std::string_view url) {
  if (!url.starts_with("rtmp://")) return fail(Errc::config, "the URL must begin with rtmp://");
  url.remove_prefix(7);
  const std::size_t slash = url.find('/');
  if (slash == std::string_view::npos) return fail(Errc::config, "the URL names no application");
  Target target;
  target.app = url.substr(slash + 1);
  std::string_view host = url.substr(0, slash);
  if (const std::size_t colon = host.rfind(':'); colon != std::string_view::npos) {
    target.port = host.substr(colon + 1);
    host = host.substr(0, colon);
  }
  target.host = host;
  return target;
}

class Pusher {
 public:
  Pusher(asio::io_context& context, const Options& options, const PushScript& script,
         Totals& totals)
      : context_(context), options_(options), script_(script), totals_(totals) {}

  Task<> run(Target target, unsigned number) {
    asio::steady_timer timer(context_);
    if (options_.stagger_ms > 0) {
      timer.expires_after(microseconds(static_cast<int>(number * options_.stagger_ms * 1000)));
      [[maybe_unused]] auto [waited] = co_await timer.async_wait(kAsValue);
    }
    Tcp::socket socket(context_);
    const auto began = std::chrono::steady_clock::now();
    auto outcome = co_await publish(socket, target, number);
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - began;
    if (outcome) {
      totals_.connect_to_publish_ms = std::max(totals_.connect_to_publish_ms, took.count());
      if (++totals_.publishing == 1)
        totals_.first_publish_at_s =
            std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch())
                .count();
      outcome = co_await stream(socket, timer);
    }
    if (!outcome) {
      ++totals_.failed;
      std::fprintf(stderr, "copy %u: %s\n", number, outcome.error().message.c_str());
    }
  }

 private:
  Task<Result<void>> publish(Tcp::socket& socket, const Target& target, unsigned number) {
    Tcp::resolver resolver(context_);
    auto [unresolved, endpoints] =
        co_await resolver.async_resolve(target.host, target.port, kAsValue);
    if (unresolved) co_return fail(Errc::io, "{}: {}", target.host, unresolved.message());
    auto [refused, endpoint] = co_await asio::async_connect(socket, endpoints, kAsValue);
    if (refused) co_return fail(Errc::io, "connect: {}", refused.message());
    socket.set_option(Tcp::no_delay(true));
    std::string name = options_.prefix;
    if (options_.numbered) name += std::to_string(options_.first + number);
    if (!options_.key.empty()) name += "?key=" + options_.key;
    rtmp::ClientOptions client;
    client.chunk_bytes = options_.chunk_bytes;
    session_.emplace(
        rtmp::ClientTarget{target.app,
                           "rtmp://" + target.host + ":" + target.port + "/" + target.app, name},
        client);
    while (!session_->publishing()) {
      const Bytes output = session_->take_output();
      auto [unsent, sent] = co_await asio::async_write(socket, asio::buffer(output), kAsValue);
      if (unsent) co_return fail(Errc::io, "write: {}", unsent.message());
      auto answered = co_await read_some(socket);
      KAPOK_CO_TRY(std::move(answered));
    }
    co_return Result<void>();
  }

  Task<Result<void>> read_some(Tcp::socket& socket) {
    std::array<std::byte, 8192> bytes;
    auto [error, size] = co_await socket.async_read_some(asio::buffer(bytes), kAsValue);
    if (error) co_return fail(Errc::closed, "the server ended the connection");
    KAPOK_CO_TRY(session_->receive(ByteSpan(bytes).first(size)));
    for (const auto& event : session_->take_events())
      if (const auto* refusal = std::get_if<rtmp::PublishRefused>(&event))
        co_return fail(Errc::denied, "{}: {}", refusal->code, refusal->description);
    co_return Result<void>();
  }

  // Takes what the server says (acknowledgements) without waiting for it.
  Result<void> read_pending(Tcp::socket& socket) {
    boost::system::error_code error;
    while (socket.available(error) > 0) {
      std::array<std::byte, 8192> bytes;
      const std::size_t size = socket.read_some(asio::buffer(bytes), error);
      if (error) return fail(Errc::closed, "the server ended the connection");
      KAPOK_TRY(session_->receive(ByteSpan(bytes).first(size)));
      for (const auto& event : session_->take_events())
        if (const auto* refusal = std::get_if<rtmp::PublishRefused>(&event))
          return fail(Errc::denied, "{}: {}", refusal->code, refusal->description);
    }
    return {};
  }

  Task<Result<void>> stream(Tcp::socket& socket, asio::steady_timer& timer) {
    constexpr microseconds kTogether{2'000};  // sound and picture of one moment: one write
    const auto began = std::chrono::steady_clock::now();
    const auto& steps = script_.steps();
    std::vector<asio::const_buffer> due;
    for (std::uint64_t loop = 0;; ++loop) {
      std::size_t next = 0;
      while (next < steps.size()) {
        const auto when = on_pulse(began + at(loop, steps[next].due_ms));
        auto now = std::chrono::steady_clock::now();
        if (totals_.stop ||
            (options_.seconds > 0 && now - began > std::chrono::duration<double>(options_.seconds)))
          co_return Result<void>();
        if (when > now) {
          timer.expires_at(when);
          [[maybe_unused]] auto [waited] = co_await timer.async_wait(kAsValue);
          now = std::chrono::steady_clock::now();
        }
        const std::chrono::duration<double, std::milli> late = now - when;
        if (options_.speed > 0)
          totals_.worst_lateness_ms = std::max(totals_.worst_lateness_ms, late.count());
        KAPOK_CO_TRY(read_pending(socket));
        due.clear();
        const Bytes answers = session_->take_output();
        if (!answers.empty()) due.emplace_back(answers.data(), answers.size());
        const auto until = now + kTogether;
        while (next < steps.size() && due.size() < 32 &&
               began + at(loop, steps[next].due_ms) <= until) {
          const ByteSpan bytes = loop == 0 ? steps[next].first : steps[next].again;
          const auto* end =
              due.empty() ? nullptr
                          : static_cast<const std::byte*>(due.back().data()) + due.back().size();
          if (end == bytes.data())
            due.back() = asio::const_buffer(due.back().data(), due.back().size() + bytes.size());
          else
            due.emplace_back(bytes.data(), bytes.size());
          ++next;
        }
        auto [unsent, sent] = co_await asio::async_write(socket, due, kAsValue);
        if (unsent) co_return fail(Errc::io, "write: {}", unsent.message());
        totals_.bytes += sent;
      }
      if (options_.once) break;
    }
    session_->unpublish();
    const Bytes goodbye = session_->take_output();
    [[maybe_unused]] auto [unsent, sent] =
        co_await asio::async_write(socket, asio::buffer(goodbye), kAsValue);
    co_return Result<void>();
  }

  // All copies wake together: one wake-up sends what is due for many.
  std::chrono::steady_clock::time_point on_pulse(std::chrono::steady_clock::time_point when) const {
    const nanoseconds pulse = milliseconds(options_.pulse_ms);
    if (pulse == nanoseconds(0)) return when;
    const nanoseconds past = when.time_since_epoch() % pulse;
    return past == nanoseconds(0) ? when : when + (pulse - past);
  }

  nanoseconds at(std::uint64_t loop, std::uint32_t due_ms) const {
    if (options_.speed <= 0) return nanoseconds(0);
    const double ms = static_cast<double>(loop * script_.loop_ms() + due_ms) / options_.speed;
    return nanoseconds(static_cast<std::int64_t>(ms * 1e6));
  }

  asio::io_context& context_;
  const Options& options_;
  const PushScript& script_;
  Totals& totals_;
  std::optional<rtmp::RtmpClientSession> session_;
};

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto of = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

int push(const Options& options) {
  const auto target = parse_url(options.url);
  if (!target) return std::fprintf(stderr, "%s\n", target.error().message.c_str()), 2;
  const auto script = PushScript::load(options.file, options.chunk_bytes);
  if (!script) return std::fprintf(stderr, "%s\n", script.error().message.c_str()), 2;

  asio::io_context context(1);
  Totals totals;
  const double cpu_before = cpu_seconds();
  const auto began = std::chrono::steady_clock::now();
  std::vector<std::unique_ptr<Pusher>> pushers;
  TaskGroup tasks(context.get_executor());
  for (unsigned i = 0; i < options.count; ++i) {
    pushers.push_back(std::make_unique<Pusher>(context, options, *script, totals));
    tasks.spawn(pushers.back()->run(*target, i));
  }
  asio::signal_set signals(context, SIGINT, SIGTERM);
  signals.async_wait([&](const boost::system::error_code& error, int) { totals.stop = !error; });
  auto finish = [](TaskGroup& all, asio::signal_set& listening) -> Task<> {
    co_await all.drain();
    listening.cancel();
  };
  TaskGroup last(context.get_executor());
  last.spawn(finish(tasks, signals));
  context.run();
  const std::chrono::duration<double> lasted = std::chrono::steady_clock::now() - began;
  const double cpu = cpu_seconds() - cpu_before;
  std::printf(
      "{\"copies\": %u, \"published\": %u, \"failed\": %u, \"seconds\": %.3f, \"bytes\": %llu, "
      "\"mbit_per_s\": %.1f, \"cpu_seconds\": %.3f, \"worst_lateness_ms\": %.1f, "
      "\"connect_to_publish_ms\": %.2f, \"first_publish_at_s\": %.3f}\n",
      options.count, totals.publishing, totals.failed, lasted.count(),
      static_cast<unsigned long long>(totals.bytes),
      static_cast<double>(totals.bytes) * 8 / 1e6 / lasted.count(), cpu, totals.worst_lateness_ms,
      totals.connect_to_publish_ms, totals.first_publish_at_s);
  return totals.failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace kapok::support

int main(int argc, char** argv) {
  kapok::support::Options options;
  CLI::App app("Pushes copies of an FLV file over RTMP, in real time and in a loop");
  app.add_option("file", options.file, "FLV file")->required();
  app.add_option("--url", options.url, "rtmp://host:port/app")->capture_default_str();
  app.add_option("--prefix", options.prefix, "channel names are <prefix><n>")
      ->capture_default_str();
  app.add_flag("!--no-number", options.numbered, "the prefix is the whole name");
  app.add_option("--key", options.key, "publish key");
  app.add_option("--count", options.count, "copies")->capture_default_str();
  app.add_option("--first", options.first, "number of the first copy")->capture_default_str();
  app.add_option("--speed", options.speed, "1 is real time, 0 as fast as it goes")
      ->capture_default_str();
  app.add_option("--seconds", options.seconds, "stop after so long; 0: never");
  app.add_option("--stagger-ms", options.stagger_ms, "start copies this far apart");
  app.add_option(
      "--pulse-ms", options.pulse_ms,
      "send at multiples of this only: many copies for less CPU; 0: each at its own time");
  app.add_option("--chunk", options.chunk_bytes, "chunk size, bytes")
      ->capture_default_str()
      ->check(CLI::Range(1, 1024 * 1024));
  app.add_flag("--once", options.once, "one pass over the file, then unpublish");
  CLI11_PARSE(app, argc, argv);
  return kapok::support::push(options);
}
