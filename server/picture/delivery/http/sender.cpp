#include "server/picture/delivery/http/sender.hpp"

#include <sys/uio.h>
#include <unistd.h>

#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <vector>

namespace kapok::delivery {

using packaging::SpoolFile;

namespace {

// One turn of one connection: about 60 us of copying, so that ten thousand viewers still take turns
// within a part's length.
constexpr std::uint64_t kTurnBytes = 256 * 1024;
// The kernel reads ahead at least so much: if one byte of such a stretch is there, all of it is.
constexpr std::uint64_t kReadAheadBytes = 128 * 1024;
// The disk thread's queue is full: ask again after this.
constexpr milliseconds kDiskBusyPause{20};

enum class Heat : std::uint8_t { hot, cold, broken };

Heat probe(int fd, std::uint64_t at, std::span<std::byte> into) {
  iovec piece{into.data(), into.size()};
  const ssize_t got = ::preadv2(fd, &piece, 1, static_cast<off_t>(at), RWF_NOWAIT);
  if (got == static_cast<ssize_t>(into.size())) return Heat::hot;
  if (got >= 0) return got == 0 ? Heat::broken : Heat::cold;
  // A file system without RWF_NOWAIT (some tmpfs) is one that lies in memory.
  if (errno == EOPNOTSUPP) return Heat::hot;
  return errno == EAGAIN ? Heat::cold : Heat::broken;
}

bool read_through(int fd, http::ByteRange piece) {
  std::vector<std::byte> page(64 * 1024);
  for (std::uint64_t at = piece.first; at < piece.end;) {
    const std::size_t size = std::min<std::uint64_t>(page.size(), piece.end - at);
    const ssize_t got = ::pread(fd, page.data(), size, static_cast<off_t>(at));
    if (got <= 0) return false;
    at += static_cast<std::uint64_t>(got);
  }
  return true;
}

}  // namespace

bool Sender::send_now(std::string_view head, ByteSpan body) {
  const ByteSpan head_bytes = as_bytes(head);
  std::size_t from_head = 0;
  body_from_ = 0;
  while (from_head < head_bytes.size() || body_from_ < body.size()) {
    const net::Moved moved = stream_.send(head_bytes.subspan(from_head), body.subspan(body_from_));
    const std::size_t of_head = std::min(moved.bytes, head_bytes.size() - from_head);
    from_head += of_head;
    body_from_ += moved.bytes - of_head;
    if (moved.closed) {
      stream_.close();
      return false;
    }
    if (moved.wait_for) break;
  }
  const bool out = from_head == head_bytes.size() && body_from_ == body.size();
  const net::Moved flushed = stream_.flush();
  if (out && !flushed.wait_for && !flushed.closed) return true;
  head_left_ = head.substr(from_head);
  return false;
}

Task<bool> Sender::send_rest(Buffer body) {
  while (stream_.is_open() && (!head_left_.empty() || body_from_ < body.size())) {
    const bool open = co_await writable();
    if (!open) co_return false;
    const std::string head = std::move(head_left_);
    head_left_.clear();
    const std::size_t from = body_from_;
    const bool out = send_now(head, body.bytes().subspan(from));
    body_from_ += from;
    if (out) break;
  }
  const bool flushed = co_await flush();
  co_return flushed;
}

Task<bool> Sender::flush() {
  while (stream_.is_open()) {
    const net::Moved flushed = stream_.flush();
    if (!flushed.wait_for) co_return !flushed.closed;
    const bool open = co_await writable();
    if (!open) co_return false;
  }
  co_return false;
}

Task<bool> Sender::send_file(std::string head, std::shared_ptr<const SpoolFile> file,
                             http::ByteRange piece) {
  std::size_t from_head = 0;
  std::uint64_t at = piece.first;
  hot_until_ = piece.first;
  while (from_head < head.size() || at < piece.end) {
    ByteSpan bytes;
    if (at < piece.end) {
      const std::uint64_t turn = std::min(kTurnBytes, piece.end - at);
      bytes = hot_bytes(*file, at, turn);
      if (bytes.empty()) {
        const bool warm = co_await warm_up(file, {at, at + turn});
        if (!warm || !stream_.is_open()) co_return false;
        hot_until_ = at + turn;
        bytes = hot_bytes(*file, at, turn);
        if (bytes.empty()) co_return false;
      }
    }
    const net::Moved moved = stream_.send(as_bytes(head).subspan(from_head), bytes);
    const std::size_t of_head = std::min(moved.bytes, head.size() - from_head);
    from_head += of_head;
    at += moved.bytes - of_head;
    if (moved.closed) co_return false;
    if (moved.wait_for) {
      const bool open = co_await writable();
      if (!open) co_return false;
    } else if (at < piece.end && moved.bytes == of_head + bytes.size()) {
      // It would take more: the others first.
      co_await boost::asio::post(shard_.executor, boost::asio::use_awaitable);
      if (!stream_.is_open()) co_return false;
    }
  }
  if (!stream_.secure()) co_return true;
  const bool flushed = co_await flush();
  co_return flushed;
}

ByteSpan Sender::hot_bytes(const SpoolFile& file, std::uint64_t at, std::uint64_t size) {
  const auto fd = file.descriptor();
  if (!fd) return {};
  if (stream_.secure()) {
    // Never from the mapping: OpenSSL must not meet a SIGBUS.
    const std::span<std::byte> into =
        std::span(shard_.file_bytes).first(std::min<std::uint64_t>(size, shard_.file_bytes.size()));
    iovec piece{into.data(), into.size()};
    ssize_t got = ::preadv2(*fd, &piece, 1, static_cast<off_t>(at), RWF_NOWAIT);
    if (got < 0 && errno == EOPNOTSUPP)
      got = ::pread(*fd, into.data(), into.size(), static_cast<off_t>(at));
    return got > 0 ? ByteSpan(into.first(static_cast<std::size_t>(got))) : ByteSpan();
  }
  while (hot_until_ < at + size) {
    std::byte one;
    const std::uint64_t look = std::max(hot_until_, at);
    if (probe(*fd, look, {&one, 1}) != Heat::hot) return {};
    hot_until_ = look + kReadAheadBytes;
  }
  const auto mapped = file.mapped(at, size);
  return mapped ? *mapped : ByteSpan();
}

Task<bool> Sender::warm_up(std::shared_ptr<const SpoolFile> file, http::ByteRange piece) {
  shard_.metrics.cold_reads.increment();
  bool read = false;
  std::function<void()> work = [file, piece, &read] {
    const auto fd = file->descriptor();
    read = fd && read_through(*fd, piece);
  };
  const bool done = co_await on_disk(std::move(work));
  co_return done&& read;
}

Task<std::optional<Buffer>> Sender::join(const packaging::Sheet& sheet) {
  Result<Buffer> joined;
  std::function<void()> work = [&sheet, &joined] { joined = packaging::join(sheet); };
  const bool done = co_await on_disk(std::move(work));
  if (!done) co_return std::nullopt;
  if (joined) co_return std::move(*joined);
  shard_.shared.log.debug("sheet.failed", {{"error", joined.error().message}});
  co_return std::nullopt;
}

Task<bool> Sender::on_disk(std::function<void()> work) {
  const auto executor = shard_.executor;
  while (stream_.is_open()) {
    bool accepted = true;
    co_await boost::asio::async_initiate<decltype(boost::asio::use_awaitable), void()>(
        [&](auto handler) {
          // The handler may run on this shard only: it is posted back, whoever refuses the job.
          auto resume = std::make_shared<std::move_only_function<void()>>(std::move(handler));
          accepted = shard_.shared.disk.submit([&work, executor, resume] {
            work();
            boost::asio::post(executor, [resume] { (*resume)(); });
          });
          if (!accepted) boost::asio::post(executor, [resume] { (*resume)(); });
        },
        boost::asio::use_awaitable);
    if (accepted) co_return true;
    boost::asio::steady_timer pause(executor, kDiskBusyPause);
    [[maybe_unused]] auto [woken] = co_await pause.async_wait(kAsValue);
  }
  co_return false;
}

Task<bool> Sender::writable() {
  if (!watched_) {
    watched_ = true;
    acknowledged_ = stream_.acknowledged_bytes();
    watchdog_.arm(shard_.shared.limits.stall);
  }
  const bool open = co_await stream_.wait(net::Ready::write);
  co_return open;
}

void Sender::response_ended() {
  watched_ = false;
}

bool Sender::is_stalled() {
  const std::uint64_t acknowledged = stream_.acknowledged_bytes();
  if (acknowledged - acknowledged_ < shard_.shared.limits.floor_bytes) return true;
  acknowledged_ = acknowledged;
  watchdog_.arm(shard_.shared.limits.stall);
  return false;
}

}  // namespace kapok::delivery
