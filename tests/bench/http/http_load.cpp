// Load for tests/bench/http, one thread, epoll. Prints one line of JSON.
//
//   kapok-http-load fetch   <port> <plain|tls> <path> <connections> <seconds>
//   kapok-http-load blocked <port> <plain> <path of a media playlist> <connections> <seconds>
//   [delta] kapok-http-load parts   <port> <plain> <path of a rendition, with '/'> <connections>
//   <seconds> kapok-http-load idle    <port> <plain|tls> <path> <connections> <seconds>
//   kapok-http-load segments <port> <plain> <path of a rendition, with '/'> <connections> <seconds>
//
// fetch:   each connection asks again as soon as it has the whole body; the bytes are thrown away.
// blocked: each connection asks for the next part's playlist and again as soon as it has it; the
//          times are how long after the first answer of a round the others came.
// parts:   the same with the hinted parts themselves: viewers at the live edge.
// segments: each connection fetches the newest complete segment once a segment's duration, their
//          moments spread evenly over it: viewers of plain HLS. Times are from request to last
//          byte.
// idle:    one request each, then nothing.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace {

using SteadyClock = std::chrono::steady_clock;

struct Arguments {
  std::string mode;
  std::uint16_t port = 0;
  bool tls = false;
  std::string path;
  unsigned connections = 1;
  int seconds = 1;
  bool delta = false;
};

struct Peer {
  int fd = -1;
  SSL* ssl = nullptr;
  std::string head;
  bool in_body = false;
  std::uint64_t left = 0;
  SteadyClock::time_point asked;
  std::uint64_t next_part = 0;  // blocked, parts; segments: the segment
  bool busy = false;            // segments
};

[[noreturn]] void die(const char* why) {
  std::fprintf(stderr, "kapok-http-load: %s\n", why);
  std::exit(1);
}

void say(Peer& peer, std::string_view text) {
  const auto size = static_cast<ssize_t>(text.size());
  const ssize_t sent = peer.ssl != nullptr
                           ? ::SSL_write(peer.ssl, text.data(), static_cast<int>(size))
                           : ::send(peer.fd, text.data(), text.size(), MSG_NOSIGNAL);
  if (sent != size) die("cannot send");
}

void connect_to(Peer& peer, const Arguments& arguments, SSL_CTX* context) {
  peer.fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(arguments.port);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(peer.fd, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0) die("cannot connect");
  const int on = 1;
  ::setsockopt(peer.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (!arguments.tls) return;
  peer.ssl = ::SSL_new(context);
  ::SSL_set_fd(peer.ssl, peer.fd);
  if (::SSL_connect(peer.ssl) != 1) die("no TLS handshake");
}

class Load {
 public:
  explicit Load(Arguments arguments) : arguments_(std::move(arguments)) {}

  void run() {
    SSL_CTX* context = ::SSL_CTX_new(::TLS_client_method());
    poll_ = ::epoll_create1(0);
    peers_.resize(arguments_.connections);
    for (Peer& peer : peers_) connect_to(peer, arguments_, context);
    if (follows() || arguments_.mode == "segments") find_position();
    for (std::size_t i = 0; i < peers_.size(); ++i) {
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.u64 = i;
      ::epoll_ctl(poll_, EPOLL_CTL_ADD, peers_[i].fd, &event);
      peers_[i].next_part = position_;
      if (arguments_.mode != "segments") ask(peers_[i]);
    }
    const auto start = SteadyClock::now();
    const auto end = start + std::chrono::seconds(arguments_.seconds);
    std::vector<epoll_event> events(256);
    while (SteadyClock::now() < end) {
      if (arguments_.mode == "segments") ask_those_due(start);
      const int patience_ms = arguments_.mode == "segments" ? 1 : 100;
      const int ready =
          ::epoll_wait(poll_, events.data(), static_cast<int>(events.size()), patience_ms);
      for (int i = 0; i < ready; ++i) serve(peers_[events[static_cast<std::size_t>(i)].data.u64]);
    }
    report(std::chrono::duration<double>(SteadyClock::now() - start).count());
  }

 private:
  bool follows() const { return arguments_.mode == "blocked" || arguments_.mode == "parts"; }

  void ask(Peer& peer) {
    std::string path = arguments_.path;
    if (arguments_.mode == "segments") path += std::to_string(peer.next_part) + ".m4s";
    if (arguments_.mode == "parts") path += "p" + std::to_string(peer.next_part) + ".m4s";
    if (arguments_.mode == "blocked")
      path += "?_HLS_msn=" + std::to_string(1000 + peer.next_part / 10) +
              "&_HLS_part=" + std::to_string(peer.next_part % 10) +
              (arguments_.delta ? "&_HLS_skip=YES" : "");
    peer.asked = SteadyClock::now();
    say(peer, "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
  }

  void ask_those_due(SteadyClock::time_point start) {
    const auto gap = segment_duration_ / peers_.size();
    for (; start + gap * asked_ <= SteadyClock::now(); ++asked_) {
      Peer& peer = peers_[asked_ % peers_.size()];
      if (peer.busy) {
        ++late_;  // stalled: still at the segment before
        continue;
      }
      peer.busy = true;
      peer.next_part = position_ + asked_ / peers_.size();
      ask(peer);
    }
  }

  ssize_t take(Peer& peer) {
    if (!peer.in_body) return read_some(peer, 4096);
    if (peer.ssl != nullptr) return read_some(peer, sizeof bytes_);
    // The kernel drops the bytes without copying them: the load should not be the limit.
    return ::recv(peer.fd, nullptr, std::min<std::uint64_t>(peer.left, 1 << 20),
                  MSG_TRUNC | MSG_DONTWAIT);
  }
  ssize_t read_some(Peer& peer, std::size_t size) {
    if (peer.ssl != nullptr) return ::SSL_read(peer.ssl, bytes_, static_cast<int>(size));
    return ::recv(peer.fd, bytes_, size, MSG_DONTWAIT);
  }

  void serve(Peer& peer) {
    do {
      const ssize_t got = take(peer);
      if (got == 0) die("the server closed");
      if (got < 0) return;
      const auto size = static_cast<std::uint64_t>(got);
      received_ += size;
      if (peer.in_body) {
        peer.left -= std::min(peer.left, size);
        if (peer.left == 0) finished(peer);
        continue;
      }
      peer.head.append(bytes_, size);
      const std::size_t end = peer.head.find("\r\n\r\n");
      if (end == std::string::npos) continue;
      if (peer.head.find(" 200 ") == std::string::npos) die(peer.head.c_str());
      const std::size_t length = peer.head.find("Content-Length: ");
      if (length == std::string::npos) die("no length");
      const std::uint64_t body = std::strtoull(peer.head.c_str() + length + 16, nullptr, 10);
      const std::uint64_t here = peer.head.size() - end - 4;
      peer.left = body - std::min(body, here);
      peer.in_body = true;
      if (peer.left == 0) finished(peer);
    } while (peer.ssl != nullptr && ::SSL_pending(peer.ssl) > 0);
  }

  void finished(Peer& peer) {
    const auto now = SteadyClock::now();
    ++answers_;
    peer.in_body = false;
    peer.head.clear();
    if (follows()) {
      const auto first = rounds_.try_emplace(peer.next_part, now).first->second;
      times_ms_.push_back(std::chrono::duration<double, std::milli>(now - first).count());
      ++peer.next_part;
    } else {
      times_ms_.push_back(std::chrono::duration<double, std::milli>(now - peer.asked).count());
    }
    peer.busy = false;
    if (arguments_.mode != "idle" && arguments_.mode != "segments") ask(peer);
  }

  // The part that comes next: part numbers run on. Segments: the newest complete one.
  void find_position() {
    Peer probe;
    connect_to(probe, arguments_, nullptr);
    const std::string playlist = arguments_.mode == "blocked" ? "" : "media.m3u8";
    say(probe,
        "GET " + arguments_.path + playlist + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    std::string text;
    while (true) {
      const ssize_t got = ::recv(probe.fd, bytes_, sizeof bytes_, 0);
      if (got <= 0) break;
      text.append(bytes_, static_cast<std::size_t>(got));
    }
    ::close(probe.fd);
    if (arguments_.mode == "segments") {
      const std::size_t target = text.find("TARGETDURATION:");
      const std::size_t newest = text.rfind("#EXTINF:");
      const std::size_t line = newest == std::string::npos ? newest : text.find('\n', newest);
      if (target == std::string::npos || line == std::string::npos) die("no segment");
      segment_duration_ = std::chrono::seconds(std::atoi(text.c_str() + target + 15));
      position_ = std::strtoull(text.c_str() + line + 1, nullptr, 10);
      return;
    }
    const std::size_t last = text.rfind("#EXT-X-PART:");
    const std::size_t name = last == std::string::npos ? last : text.find("\"p", last);
    if (name == std::string::npos) die("no part listed");
    position_ = std::strtoull(text.c_str() + name + 2, nullptr, 10) + 1;
  }

  void report(double seconds) {
    std::ranges::sort(times_ms_);
    const auto at = [&](double share) {
      return times_ms_.empty() ? 0.0
                               : times_ms_[static_cast<std::size_t>(
                                     share * static_cast<double>(times_ms_.size() - 1))];
    };
    std::printf(
        "{\"answers\": %llu, \"bytes\": %llu, \"seconds\": %.3f, \"p50_ms\": %.3f, \"p99_ms\": "
        "%.3f, "
        "\"max_ms\": %.3f, \"late\": %llu}\n",
        static_cast<unsigned long long>(answers_), static_cast<unsigned long long>(received_),
        seconds, at(0.5), at(0.99), at(1), static_cast<unsigned long long>(late_));
  }

  Arguments arguments_;
  int poll_ = -1;
  std::vector<Peer> peers_;
  char bytes_[65'536];
  std::uint64_t received_ = 0;
  std::uint64_t answers_ = 0;
  std::uint64_t position_ = 0;
  std::chrono::nanoseconds segment_duration_{0};  // segments
  std::uint64_t asked_ = 0;
  std::uint64_t late_ = 0;
  std::vector<double> times_ms_;
  std::map<std::uint64_t, SteadyClock::time_point> rounds_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 7) die("see the head of http_load.cpp");
  Arguments arguments;
  arguments.mode = argv[1];
  arguments.port = static_cast<std::uint16_t>(std::atoi(argv[2]));
  arguments.tls = std::string_view(argv[3]) == "tls";
  arguments.path = argv[4];
  arguments.connections = static_cast<unsigned>(std::atoi(argv[5]));
  arguments.seconds = std::atoi(argv[6]);
  arguments.delta = argc > 7;
  Load(std::move(arguments)).run();
  return 0;
}
