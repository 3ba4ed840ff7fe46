// kapok-relay: a bad network between two UDP programs, for tests on machines whose kernel cannot
// play one. Each client address gets an upstream socket of its own. SIGUSR1 turns the line dark,
// SIGUSR2 light again; SIGINT and SIGTERM end it with its counts as one line of JSON.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstring>
#include <map>
#include <memory>
#include <queue>
#include <string>
#include <vector>

#include "server/base/clock.hpp"
#include "tests/support/relay/impairment.hpp"

namespace kapok::support {
namespace {

constexpr std::size_t kDatagramBytes = 2'048;
constexpr unsigned kBatch = 64;
constexpr std::size_t kMaxClients = 4'096;
constexpr std::size_t kMaxQueued = 200'000;  // datagrams on their way, both directions
constexpr int kSocketBuffer = 8 << 20;

enum class Directions : std::uint8_t { both, up, down };

struct Options {
  std::string listen = "127.0.0.1:9100";
  std::string to = "127.0.0.1:9000";
  ImpairmentOptions network;
  Directions directions = Directions::both;
  std::uint64_t seed = 1;
};

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "kapok-relay: %s\n", what.c_str());
  std::exit(1);
}

// "5%" or "0.05" -> 0.05
double share_of(const std::string& text) {
  std::size_t used = 0;
  const double value = std::stod(text, &used);
  const double share = text.substr(used) == "%" ? value / 100 : value;
  if (share < 0 || share > 1) throw CLI::ValidationError(text, "a share is 0..1 or 0%..100%");
  return share;
}
// "20ms", "1.5s"
nanoseconds time_of(const std::string& text) {
  std::size_t used = 0;
  const double value = std::stod(text, &used);
  const std::string unit = text.substr(used);
  const double scale = unit == "ms" ? 1e6 : unit == "s" ? 1e9 : 0;
  if (scale == 0 || value < 0) throw CLI::ValidationError(text, "a time is like 20ms or 1.5s");
  return nanoseconds(static_cast<std::int64_t>(value * scale));
}
// "80Mb/s" or a number of Mb/s
double rate_of(const std::string& text) {
  std::size_t used = 0;
  const double value = std::stod(text, &used);
  const std::string unit = text.substr(used);
  if ((!unit.empty() && unit != "Mb/s") || value <= 0)
    throw CLI::ValidationError(text, "a rate is like 80Mb/s");
  return value * 1e6;
}
// "10s,2s;30s,500ms": at 10 s for 2 s, at 30 s for half a second
std::vector<std::pair<nanoseconds, nanoseconds>> blackouts_of(const std::string& text) {
  std::vector<std::pair<nanoseconds, nanoseconds>> out;
  for (const std::string& item : CLI::detail::split(text, ';')) {
    const auto parts = CLI::detail::split(item, ',');
    if (parts.size() != 2) throw CLI::ValidationError(item, "a blackout is like 10s,2s");
    out.emplace_back(time_of(parts[0]), time_of(parts[1]));
  }
  return out;
}

sockaddr_in address_of(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  sockaddr_in address{};
  address.sin_family = AF_INET;
  const std::string host = colon == std::string::npos ? "127.0.0.1" : text.substr(0, colon);
  const std::string port = colon == std::string::npos ? text : text.substr(colon + 1);
  if (inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1)
    die("'" + text + "' is not an IPv4 address and port, like 127.0.0.1:9000");
  address.sin_port = htons(static_cast<std::uint16_t>(std::stoul(port)));
  return address;
}

int udp_socket() {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) die(std::string("no socket: ") + std::strerror(errno));
  // A burst at 120 Mb/s must not be lost here, where nobody asked for it.
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &kSocketBuffer, sizeof kSocketBuffer) != 0)
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &kSocketBuffer, sizeof kSocketBuffer);
  setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &kSocketBuffer, sizeof kSocketBuffer);
  return fd;
}

struct Client {
  sockaddr_in address{};
  int upstream = -1;
};

struct Queued {
  MonoTime leaves;
  std::uint64_t order = 0;
  Client* client = nullptr;
  bool up = true;
  std::shared_ptr<const std::vector<std::byte>> bytes;
};
struct Later {
  bool operator()(const Queued& a, const Queued& b) const {
    return a.leaves != b.leaves ? a.leaves > b.leaves : a.order > b.order;
  }
};

class Relay {
 public:
  explicit Relay(const Options& options)
      : options_(options),
        to_(address_of(options.to)),
        up_(options.directions == Directions::down ? ImpairmentOptions{} : options.network,
            options.seed, clock_.mono()),
        down_(options.directions == Directions::up ? ImpairmentOptions{} : options.network,
              options.seed + 1, clock_.mono()) {
    listen_ = udp_socket();
    const sockaddr_in own = address_of(options.listen);
    if (bind(listen_, reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0)
      die("cannot listen on " + options.listen + ": " + std::strerror(errno) +
          ". Choose another port with --listen");
    poll_ = epoll_create1(EPOLL_CLOEXEC);
    watch(listen_, nullptr);
    sigset_t signals;
    sigemptyset(&signals);
    for (const int signal : {SIGINT, SIGTERM, SIGUSR1, SIGUSR2}) sigaddset(&signals, signal);
    sigprocmask(SIG_BLOCK, &signals, nullptr);
    signals_ = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
    watch(signals_, &signals_);
  }

  void run() {
    std::printf("relaying %s to %s\n", options_.listen.c_str(), options_.to.c_str());
    std::fflush(stdout);
    while (!over_) {
      epoll_event ready[kBatch];
      const int count = wait(ready);
      for (int i = 0; i < count; ++i) {
        if (ready[i].data.ptr == &signals_)
          take_signal();
        else
          receive(static_cast<Client*>(ready[i].data.ptr));
      }
      release();
    }
    report();
  }

 private:
  void watch(int fd, void* what) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = what;
    epoll_ctl(poll_, EPOLL_CTL_ADD, fd, &event);
  }
  int wait(epoll_event* ready) {
    if (queue_.empty()) return epoll_wait(poll_, ready, kBatch, -1);
    const auto ahead = std::max<std::int64_t>((queue_.top().leaves - clock_.mono()).count(), 0);
    const timespec timeout{ahead / 1'000'000'000, ahead % 1'000'000'000};
    return epoll_pwait2(poll_, ready, kBatch, &timeout, nullptr);
  }
  void take_signal() {
    signalfd_siginfo info{};
    if (read(signals_, &info, sizeof info) != sizeof info) return;
    const auto number = static_cast<int>(info.ssi_signo);
    if (number == SIGINT || number == SIGTERM) over_ = true;
    up_.set_dark(number == SIGUSR1);
    down_.set_dark(number == SIGUSR1);
  }

  Client* client_of(const sockaddr_in& address) {
    const auto key = std::pair(address.sin_addr.s_addr, address.sin_port);
    if (const auto found = clients_.find(key); found != clients_.end()) return found->second.get();
    if (clients_.size() >= kMaxClients) return nullptr;
    auto client = std::make_unique<Client>();
    client->address = address;
    client->upstream = udp_socket();
    if (connect(client->upstream, reinterpret_cast<const sockaddr*>(&to_), sizeof to_) != 0)
      die("cannot reach " + options_.to + ": " + std::strerror(errno));
    watch(client->upstream, client.get());
    return (clients_[key] = std::move(client)).get();
  }

  // null: from the clients' side
  void receive(Client* from) {
    const int fd = from == nullptr ? listen_ : from->upstream;
    for (;;) {
      mmsghdr messages[kBatch] = {};
      iovec buffers[kBatch];
      for (unsigned i = 0; i < kBatch; ++i) {
        buffers[i] = {storage_[i], kDatagramBytes};
        messages[i].msg_hdr.msg_iov = &buffers[i];
        messages[i].msg_hdr.msg_iovlen = 1;
        messages[i].msg_hdr.msg_name = &names_[i];
        messages[i].msg_hdr.msg_namelen = sizeof names_[i];
      }
      const int count = recvmmsg(fd, messages, kBatch, MSG_DONTWAIT, nullptr);
      const MonoTime now = clock_.mono();
      for (int i = 0; i < count; ++i) {
        Client* client = from == nullptr ? client_of(names_[i]) : from;
        if (client != nullptr) take(client, from == nullptr, now, storage_[i], messages[i].msg_len);
      }
      if (count < static_cast<int>(kBatch)) return;
    }
  }
  void take(Client* client, bool up, MonoTime now, const std::byte* data, std::size_t size) {
    const auto fate = (up ? up_ : down_).decide(now, size);
    if (fate.copies == 0) return;
    if (queue_.size() >= kMaxQueued) {
      ++dropped_;
      return;
    }
    const auto bytes = std::make_shared<const std::vector<std::byte>>(data, data + size);
    for (std::size_t i = 0; i < fate.copies; ++i)
      queue_.push({fate.leaves[i], order_++, client, up, bytes});
  }

  void release() {
    const MonoTime now = clock_.mono();
    while (!queue_.empty() && queue_.top().leaves <= now) {
      const Queued& item = queue_.top();
      // What a full socket loses is lost as on a wire; it is counted.
      const ssize_t sent =
          item.up
              ? send(item.client->upstream, item.bytes->data(), item.bytes->size(), MSG_DONTWAIT)
              : sendto(listen_, item.bytes->data(), item.bytes->size(), MSG_DONTWAIT,
                       reinterpret_cast<const sockaddr*>(&item.client->address),
                       sizeof item.client->address);
      sent < 0 ? ++failed_ : ++relayed_;
      queue_.pop();
    }
  }

  void report() const {
    const auto side = [](const char* name, const ImpairmentCounts& counts) {
      std::printf(
          "\"%s\":{\"received\":%llu,\"lost\":%llu,\"dark\":%llu,\"overflowed\":%llu,"
          "\"duplicated\":%llu,\"reordered\":%llu},",
          name, static_cast<unsigned long long>(counts.received),
          static_cast<unsigned long long>(counts.lost),
          static_cast<unsigned long long>(counts.dark),
          static_cast<unsigned long long>(counts.overflowed),
          static_cast<unsigned long long>(counts.duplicated),
          static_cast<unsigned long long>(counts.reordered));
    };
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    const auto of = [](const timeval& time) {
      return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    std::printf("{");
    side("up", up_.counts());
    side("down", down_.counts());
    std::printf(
        "\"relayed\":%llu,\"not_sent\":%llu,\"queue_full\":%llu,\"clients\":%zu,"
        "\"cpu_s\":%.3f}\n",
        static_cast<unsigned long long>(relayed_), static_cast<unsigned long long>(failed_),
        static_cast<unsigned long long>(dropped_), clients_.size(),
        of(used.ru_utime) + of(used.ru_stime));
  }

  SystemClock clock_;
  Options options_;
  sockaddr_in to_;
  Impairment up_;
  Impairment down_;
  int listen_ = -1;
  int poll_ = -1;
  int signals_ = -1;
  bool over_ = false;
  std::map<std::pair<in_addr_t, in_port_t>, std::unique_ptr<Client>> clients_;
  std::priority_queue<Queued, std::vector<Queued>, Later> queue_;
  std::uint64_t order_ = 0;
  std::uint64_t relayed_ = 0;
  std::uint64_t failed_ = 0;
  std::uint64_t dropped_ = 0;
  std::byte storage_[kBatch][kDatagramBytes];
  sockaddr_in names_[kBatch];
};

}  // namespace
}  // namespace kapok::support

int main(int argc, char** argv) {
  using namespace kapok::support;
  Options options;
  std::string loss;
  std::string reorder;
  std::string duplicate;
  std::string delay;
  std::string jitter;
  std::string rate;
  std::string queue;
  std::string blackout;
  std::string directions = "both";
  CLI::App app(
      "A bad network between two UDP programs: loss, delay, jitter, reordering, blackouts");
  app.add_option("--listen", options.listen, "[host:]port where clients send to")->required();
  app.add_option("--to", options.to, "host:port that they are taken to")->required();
  app.add_option("--loss", loss, "share lost, like 5%");
  app.add_option("--burst", options.network.burst, "mean length of a loss, datagrams (default 1)");
  app.add_option("--delay", delay, "like 20ms, each way");
  app.add_option("--jitter", jitter, "like 10ms: uniform around the delay, order kept");
  app.add_option("--reorder", reorder, "share that overtakes, like 1%");
  app.add_option("--duplicate", duplicate, "share that comes twice, like 1%");
  app.add_option("--rate", rate, "bottleneck, like 80Mb/s");
  app.add_option("--queue", queue, "what the bottleneck holds, like 200ms");
  app.add_option("--blackout", blackout, "AT,FOR[;AT,FOR...] since the start, like 10s,2s");
  app.add_option("--directions", directions, "which way is bad: both, up (to the server), down")
      ->check(CLI::IsMember({"both", "up", "down"}));
  app.add_option("--seed", options.seed, "same seed, same losses (default 1)");
  try {
    app.parse(argc, argv);
    if (!loss.empty()) options.network.loss = share_of(loss);
    if (!reorder.empty()) options.network.reorder = share_of(reorder);
    if (!duplicate.empty()) options.network.duplicate = share_of(duplicate);
    if (!delay.empty()) options.network.delay = time_of(delay);
    if (!jitter.empty()) options.network.jitter = time_of(jitter);
    if (!rate.empty()) options.network.bits_per_second = rate_of(rate);
    if (!queue.empty()) options.network.queue = time_of(queue);
    if (!blackout.empty()) options.network.blackouts = blackouts_of(blackout);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  } catch (const std::exception&) {
    std::fprintf(stderr, "kapok-relay: a share, time or rate is not a number; see --help\n");
    return 2;
  }
  options.directions = directions == "up"     ? Directions::up
                       : directions == "down" ? Directions::down
                                              : Directions::both;
  // Freed with the process; too big for the stack with its buffers.
  const auto relay = std::make_unique<Relay>(options);
  relay->run();
  return 0;
}
