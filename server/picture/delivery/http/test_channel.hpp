// For tests of delivery: a channel made of WindowEvents over a real file with known bytes, and a
// blocking HTTP client on a raw socket.
#pragma once

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "server/picture/packaging/window.hpp"
#include "server/picture/protocols/http/chunked.hpp"
#include "server/picture/protocols/http/message.hpp"

namespace kapok::delivery::testing {

using packaging::Part;
using packaging::Segment;
using packaging::WindowEvent;

// A file in a temporary folder, unlinked while it is open, as a spool file may be.
class TestFile final : public packaging::SpoolFile {
 public:
  TestFile() {
    std::string name = "/tmp/kapok-spool-XXXXXX";
    fd_ = ::mkostemp(name.data(), O_CLOEXEC);
    ::unlink(name.c_str());
  }
  ~TestFile() override {
    if (map_ != nullptr) ::munmap(map_, kMapBytes);
    ::close(fd_);
  }
  void append(std::string_view bytes) {
    if (::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(size_)) !=
        static_cast<ssize_t>(bytes.size()))
      std::abort();
    size_ += bytes.size();
  }
  std::uint64_t size() const { return size_; }
  // Out of the page cache, where the file system allows it.
  void forget() {
    ::fsync(fd_);
    ::posix_fadvise(fd_, 0, 0, POSIX_FADV_DONTNEED);
  }
  Result<int> descriptor() const override { return fd_; }
  Result<ByteSpan> mapped(std::uint64_t offset, std::uint64_t size) const override {
    if (map_ == nullptr) map_ = ::mmap(nullptr, kMapBytes, PROT_READ, MAP_SHARED, fd_, 0);
    return ByteSpan(static_cast<const std::byte*>(map_) + offset, size);
  }

 private:
  static constexpr std::size_t kMapBytes = 64 * 1024 * 1024;
  int fd_ = -1;
  std::uint64_t size_ = 0;
  mutable void* map_ = nullptr;
};

// Recognisable bytes: where they come from can be told from any place in them.
inline std::string pattern(std::uint64_t seed, std::size_t size) {
  std::string bytes(size, '\0');
  std::uint64_t state = seed * 0x9E3779B97F4A7C15U + 1;
  for (char& c : bytes) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    c = static_cast<char>(state >> 56);
  }
  return bytes;
}

// One video rendition "source" of 2 s segments of 10 parts of 200 ms.
class TestChannel {
 public:
  using Publish = std::function<void(std::shared_ptr<const WindowEvent>)>;
  TestChannel(std::string name, Publish publish, std::size_t part_size = kPartBytes)
      : name_(std::move(name)), publish_(std::move(publish)), part_size_(part_size) {}

  void show_poster(std::string_view bytes, std::string etag) {
    auto poster = std::make_shared<packaging::Poster>();
    poster->jpeg = Buffer::copy_of(bytes);
    poster->etag = std::move(etag);
    say(packaging::PosterChanged{std::move(poster)});
  }
  void add_thumbnail(std::uint64_t number, std::string_view bytes, std::uint32_t width = 320,
                     std::uint32_t height = 180) {
    auto file = std::make_shared<TestFile>();
    file->append(bytes);
    say(packaging::ThumbnailAdded{{.number = number,
                                   .era = era_,
                                   .width = width,
                                   .height = height,
                                   .size = bytes.size(),
                                   .file = std::move(file)}});
  }

  static constexpr std::uint64_t kFirst = 1000;
  static constexpr std::size_t kParts = 10;
  static constexpr std::size_t kPartBytes = 20'000;

  void open() {
    open_era();
    auto track = std::make_shared<media::Track>();
    track->kind = media::TrackKind::video;
    track->codec = media::Codec::avc;
    track->timescale = 90'000;
    track->codec_string = "avc1.640033";
    media::VideoFacts facts;
    facts.width = 3840;
    facts.height = 2160;
    facts.frame_rate = {50, 1};
    track->facts = facts;
    auto init = std::make_shared<packaging::InitSegment>();
    init->name = "init-abc.mp4";
    init->bytes = Buffer::copy_of("the init segment");
    init->track = track;
    init_ = init;
    packaging::RenditionInfo info;
    info.id = "source";
    info.kind = media::TrackKind::video;
    info.timescale = 90'000;
    info.part_target = milliseconds(200);
    info.target_duration_s = 2;
    info.bandwidth = info.average_bandwidth = 800'000;
    say(packaging::RenditionOpened{.era = 1, .info = info, .init = init_});
    say(packaging::ChannelLive{kStart});
  }
  void add_part() {
    if (next_part_ % kParts == 0) open_segment();
    const std::string bytes = pattern(next_part_, part_size_);
    Part part;
    part.number = next_part_;
    part.offset = file_->size();
    part.size = static_cast<std::uint32_t>(bytes.size());
    part.start = segment_.start + segment_.duration;
    part.duration = {18'000};
    part.independent = next_part_ % kParts == 0;
    file_->append(bytes);
    segment_.parts.push_back(part);
    segment_.duration += part.duration;
    segment_.bytes += part.size;
    say(packaging::PartAdded{.rendition = "source", .segment = segment_.number, .part = part});
    if (++next_part_ % kParts == 0) {
      segment_.complete = true;
      say(packaging::SegmentClosed{.rendition = "source", .segment = segment_});
    }
  }
  void add_segments(std::size_t count) {
    for (std::size_t i = 0; i < count * kParts; ++i) add_part();
  }
  // The newest segment's pages leave the cache.
  void forget_newest() { file_->forget(); }
  // The encoder went and came back with other parameters.
  void discontinue() {
    say(packaging::EraEnded{era_});
    ++era_;
    open_era();
  }
  void go_idle() { say(packaging::ChannelIdle{kStart}); }

  static std::string part_bytes(std::uint64_t part) { return pattern(part, kPartBytes); }
  static std::string segment_bytes(std::uint64_t number) {
    std::string whole;
    for (std::size_t i = 0; i < kParts; ++i) whole += part_bytes((number - kFirst) * kParts + i);
    return whole;
  }
  static UtcTime start_of(std::uint64_t segment) {
    return kStart + seconds(2 * static_cast<std::int64_t>(segment - kFirst));
  }

 private:
  static constexpr UtcTime kStart{seconds(1'790'000'000)};

  void open_era() {
    const std::uint64_t base = kFirst + next_part_ / kParts;
    say(packaging::EraOpened{{.id = era_,
                              .start_utc = start_of(base),
                              .base = base,
                              .segment_duration = seconds(2),
                              .discontinuity_sequence = era_ - 1,
                              .window = seconds(60)}});
  }
  void open_segment() {
    const std::uint64_t number = kFirst + next_part_ / kParts;
    file_ = std::make_shared<TestFile>();
    segment_ = {};
    segment_.number = number;
    segment_.era = era_;
    segment_.start_utc = start_of(number);
    segment_.start = media::from_microseconds(segment_.start_utc.time_since_epoch(), 90'000);
    segment_.init = init_;
    segment_.file = file_;
    segment_.first_part = next_part_;
    say(packaging::SegmentOpened{.rendition = "source", .segment = segment_});
  }
  template <class What>
  void say(What what) {
    publish_(std::make_shared<WindowEvent>(WindowEvent{.channel = name_, .what = std::move(what)}));
  }

  std::string name_;
  Publish publish_;
  std::size_t part_size_;
  std::shared_ptr<const packaging::InitSegment> init_;
  std::shared_ptr<TestFile> file_;
  Segment segment_;
  std::uint32_t era_ = 1;
  std::uint64_t next_part_ = 0;
};

struct Received {
  unsigned status = 0;  // 0: the connection ended without a whole response
  std::map<std::string, std::string, std::less<>> headers;  // names in lower case
  std::string body;
  bool complete = false;
  std::string_view header(std::string_view name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? std::string_view() : std::string_view(found->second);
  }
};

class Client {
 public:
  explicit Client(std::uint16_t port, int receive_buffer = 0) {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const timeval patience{.tv_sec = 10, .tv_usec = 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (receive_buffer > 0)
      ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(port);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd_, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0) std::abort();
  }
  ~Client() {
    ::SSL_free(ssl_);
    ::close(fd_);
  }
  // Any certificate will do. False: no handshake.
  bool start_tls() {
    static SSL_CTX* const context = ::SSL_CTX_new(::TLS_client_method());
    ssl_ = ::SSL_new(context);
    ::SSL_set_fd(ssl_, fd_);
    return ::SSL_connect(ssl_) == 1;
  }
  std::string certificate_name() const {
    char name[200] = {};
    X509* peer = ssl_ == nullptr ? nullptr : ::SSL_get0_peer_certificate(ssl_);
    if (peer != nullptr)
      ::X509_NAME_get_text_by_NID(::X509_get_subject_name(peer), NID_commonName, name, sizeof name);
    return name;
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ssl_ != nullptr
                               ? ::SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size()))
                               : ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  // Past TLS. False: the server has closed.
  bool send_unsealed(std::string_view bytes) {
    return ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(bytes.size());
  }
  void ask(std::string_view path, std::string_view fields = "", std::string_view method = "GET") {
    send(fmt::format("{} {} HTTP/1.1\r\nHost: test\r\n{}\r\n", method, path, fields));
  }
  Received get(std::string_view path, std::string_view fields = "") {
    ask(path, fields);
    return receive();
  }
  // `body_follows`: Expects::nothing after a HEAD.
  enum class Expects : std::uint8_t { body, nothing };
  Received receive(Expects expects = Expects::body) {
    Received got;
    std::size_t end = 0;
    while ((end = buffer_.find("\r\n\r\n")) == std::string::npos)
      if (!read_more()) return got;
    const std::string head = buffer_.substr(0, end + 2);
    buffer_.erase(0, end + 4);
    read_head(head, got);
    const bool none = expects == Expects::nothing || got.status == 204 || got.status == 304;
    got.complete = none || read_body(got);
    return got;
  }
  // True when the server has closed and nothing is left to read.
  bool at_end() { return buffer_.empty() && !read_more(); }
  // What has arrived of a body that is not complete.
  std::string& raw() { return buffer_; }
  bool read_more() {
    char bytes[65'536];
    const ssize_t got = ssl_ != nullptr ? ::SSL_read(ssl_, bytes, sizeof bytes)
                                        : ::recv(fd_, bytes, sizeof bytes, 0);
    if (got <= 0) return false;
    buffer_.append(bytes, static_cast<std::size_t>(got));
    return true;
  }
  bool has_something_to_read() {
    char byte;
    return !buffer_.empty() || ::recv(fd_, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0;
  }

 private:
  static void read_head(std::string_view head, Received& got) {
    std::from_chars(head.data() + 9, head.data() + 12, got.status);
    head.remove_prefix(head.find("\r\n") + 2);
    while (!head.empty()) {
      const std::size_t end = head.find("\r\n");
      const std::string_view line = head.substr(0, end);
      const std::size_t colon = line.find(": ");
      std::string name(line.substr(0, colon));
      for (char& c : name) c = static_cast<char>(std::tolower(c));
      got.headers[name] = line.substr(colon + 2);
      head.remove_prefix(end + 2);
    }
  }
  bool read_body(Received& got) {
    if (got.headers.contains("transfer-encoding")) {
      http::ChunkedDecoder decoder(64 * 1024 * 1024);
      while (!decoder.complete()) {
        if (buffer_.empty() && !read_more()) break;
        const auto taken = decoder.receive(buffer_);
        if (!taken) return false;
        buffer_.erase(0, *taken);
      }
      const bool complete = decoder.complete();
      got.body = std::string(as_text(decoder.take()));
      return complete;
    }
    const auto length = got.headers.find("content-length");
    if (length == got.headers.end()) {
      while (read_more()) {
      }
      got.body = std::move(buffer_);
      buffer_.clear();
      return true;
    }
    const std::size_t size = std::stoull(length->second);
    while (buffer_.size() < size)
      if (!read_more()) break;
    got.body = buffer_.substr(0, size);
    buffer_.erase(0, got.body.size());
    return got.body.size() == size;
  }

  int fd_ = -1;
  SSL* ssl_ = nullptr;
  std::string buffer_;
};

}  // namespace kapok::delivery::testing
