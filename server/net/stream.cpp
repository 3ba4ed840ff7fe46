#include "server/net/stream.hpp"

#include <linux/sockios.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <boost/asio/async_result.hpp>
#include <cerrno>
#include <utility>

namespace kapok::net {

namespace {

using boost::asio::ip::tcp;

// Four records in one system call; also what a stalled TLS viewer may hold in memory.
constexpr std::size_t kTlsTurn = 64 * 1024;

Moved not_moved(int error_number, Ready what) {
  if (error_number == EAGAIN || error_number == EWOULDBLOCK)
    return {.bytes = 0, .wait_for = what, .closed = false};
  if (error_number == EINTR) return {};
  return {.bytes = 0, .wait_for = std::nullopt, .closed = true};
}

// Of the call that `why` is about. Many peers leave without the goodbye that TLS asks for: that is
// no error of theirs.
const char* protocol_error(int why) {
  const unsigned long error = ::ERR_peek_error();
  if (why != SSL_ERROR_SSL || ERR_GET_REASON(error) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
    return nullptr;
  const char* reason = ::ERR_reason_error_string(error);
  return reason != nullptr ? reason : "TLS error";
}

}  // namespace

// OpenSSL reads from the socket itself and writes into the shard's scratch, which is sent when the
// call into OpenSSL has returned. So a write never has to be repeated with the same bytes.
struct StreamBio {
  static int read(BIO* bio, char* into, int size) {
    auto& stream = *static_cast<Stream*>(::BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    const ssize_t got =
        ::recv(stream.socket_.native_handle(), into, static_cast<std::size_t>(size), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_read(bio);
    if (got > 0) stream.received_bytes_ += static_cast<std::uint64_t>(got);
    return static_cast<int>(got);
  }
  static int write(BIO* bio, const char* from, int size) {
    auto& stream = *static_cast<Stream*>(::BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    const ByteSpan bytes = as_bytes({from, static_cast<std::size_t>(size)});
    stream.scratch_->insert(stream.scratch_->end(), bytes.begin(), bytes.end());
    return size;
  }
  static long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

  static BIO_METHOD* method() {
    static BIO_METHOD* const made = [] {
      BIO_METHOD* fresh = ::BIO_meth_new(::BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "shard");
      ::BIO_meth_set_read(fresh, read);
      ::BIO_meth_set_write(fresh, write);
      ::BIO_meth_set_ctrl(fresh, control);
      return fresh;
    }();
    return made;
  }
};

Stream::Stream(tcp::socket socket) : socket_(std::move(socket)) {}

Stream::Stream(tcp::socket socket, const boost::asio::ssl::context& tls, CipherScratch& scratch)
    : socket_(std::move(socket)), scratch_(&scratch) {
  // native_handle() predates const; SSL_new only counts a reference.
  auto& context = const_cast<boost::asio::ssl::context&>(tls);
  ssl_ = std::shared_ptr<SSL>(::SSL_new(context.native_handle()), ::SSL_free);
  BIO* bio = ::BIO_new(StreamBio::method());
  ::BIO_set_data(bio, this);
  ::BIO_set_init(bio, 1);
  ::SSL_set_bio(ssl_.get(), bio, bio);
  ::SSL_set_accept_state(ssl_.get());
}

Stream::~Stream() = default;

Task<bool> Stream::handshake() {
  if (!ssl_) co_return true;
  while (socket_.is_open()) {
    ::ERR_clear_error();
    scratch_->clear();
    const int done = ::SSL_do_handshake(ssl_.get());
    const int why = ::SSL_get_error(ssl_.get(), done);
    tls_error_ = protocol_error(why);
    Moved sent = send_waiting();  // the alert too, when it failed
    while (!sent.closed && sent.wait_for) {
      const bool open = co_await wait(*sent.wait_for);
      if (!open) co_return false;
      sent = flush();
    }
    if (done == 1) co_return true;
    if (why != SSL_ERROR_WANT_READ) co_return false;
    const bool open = co_await wait(Ready::read);
    if (!open) co_return false;
  }
  co_return false;
}

Moved Stream::receive(std::span<std::byte> into) {
  if (!ssl_) {
    const ssize_t got = ::recv(socket_.native_handle(), into.data(), into.size(), MSG_DONTWAIT);
    if (got < 0) return not_moved(errno, Ready::read);
    received_bytes_ += static_cast<std::uint64_t>(got);
    return {static_cast<std::size_t>(got), std::nullopt, got == 0};
  }
  ::ERR_clear_error();
  scratch_->clear();
  const int got = ::SSL_read(ssl_.get(), into.data(), static_cast<int>(into.size()));
  if (!scratch_->empty()) send_waiting();  // a key update's answer
  if (got > 0) return {static_cast<std::size_t>(got), std::nullopt, false};
  const int why = ::SSL_get_error(ssl_.get(), got);
  if (why == SSL_ERROR_WANT_READ) return {.bytes = 0, .wait_for = Ready::read, .closed = false};
  tls_error_ = protocol_error(why);
  return {.bytes = 0, .wait_for = std::nullopt, .closed = true};
}

Moved Stream::send(ByteSpan first, ByteSpan second) {
  if (!ssl_) return send_plain(first, second);
  const Moved before = flush();
  if (before.closed || before.wait_for) return before;
  scratch_->clear();
  first = first.first(std::min(first.size(), kTlsTurn));
  second = second.first(std::min(second.size(), kTlsTurn - first.size()));
  std::size_t taken = 0;
  for (const ByteSpan piece : {first, second}) {
    if (piece.empty()) continue;
    const Moved moved = encrypt(piece);
    if (moved.closed) return moved;
    taken += moved.bytes;
  }
  Moved moved = send_waiting();
  // What OpenSSL took counts as sent: it waits here if it did not fit.
  moved.bytes = taken;
  return moved;
}

Moved Stream::encrypt(ByteSpan bytes) {
  std::size_t taken = 0;
  while (taken < bytes.size()) {
    ::ERR_clear_error();
    const int wrote =
        ::SSL_write(ssl_.get(), bytes.data() + taken, static_cast<int>(bytes.size() - taken));
    if (wrote <= 0) return {taken, std::nullopt, true};
    taken += static_cast<std::size_t>(wrote);
  }
  return {taken, std::nullopt, false};
}

// Sends the scratch; keeps what the socket does not take.
Moved Stream::send_waiting() {
  if (!waiting_.empty()) {
    waiting_.insert(waiting_.end(), scratch_->begin(), scratch_->end());
    scratch_->clear();
    return flush();
  }
  ByteSpan left(*scratch_);
  while (!left.empty()) {
    const Moved moved = send_plain(left, {});
    left = left.subspan(moved.bytes);
    if (moved.bytes == 0 && (moved.closed || moved.wait_for)) {
      if (moved.wait_for) waiting_.assign(left.begin(), left.end());
      waiting_from_ = 0;
      scratch_->clear();
      return moved;
    }
  }
  scratch_->clear();
  return {};
}

Moved Stream::flush() {
  while (waiting_from_ < waiting_.size()) {
    const Moved moved = send_plain(ByteSpan(waiting_).subspan(waiting_from_), {});
    waiting_from_ += moved.bytes;
    if (moved.bytes == 0 && (moved.closed || moved.wait_for)) return moved;
  }
  if (!waiting_.empty()) waiting_ = {};
  waiting_from_ = 0;
  return {};
}

Moved Stream::send_plain(ByteSpan first, ByteSpan second) {
  // sendmsg's interface predates const; it does not write to its input.
  std::array<iovec, 2> pieces{{{const_cast<std::byte*>(first.data()), first.size()},
                               {const_cast<std::byte*>(second.data()), second.size()}}};
  msghdr message{};
  message.msg_iov = pieces.data();
  message.msg_iovlen = second.empty() ? 1 : 2;
  const ssize_t sent = ::sendmsg(socket_.native_handle(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0) return not_moved(errno, Ready::write);
  sent_bytes_ += static_cast<std::uint64_t>(sent);
  return {static_cast<std::size_t>(sent), std::nullopt, false};
}

Task<bool> Stream::wait(Ready what) {
  // Not a coroutine itself: every idle connection keeps what a wait allocates.
  return boost::asio::async_initiate<decltype(boost::asio::use_awaitable), void(bool)>(
      [this, what](auto handler) {
        const auto which = what == Ready::read ? tcp::socket::wait_read : tcp::socket::wait_write;
        socket_.async_wait(
            which, [this, handler = std::move(handler)](boost::system::error_code error) mutable {
              // After an error the stream may be gone.
              handler(!error && socket_.is_open());
            });
      },
      boost::asio::use_awaitable);
}

std::uint64_t Stream::acknowledged_bytes() const {
  int queued = 0;
  // Only on a connection whose descriptor is open; the const_cast is native_handle()'s.
  auto& socket = const_cast<tcp::socket&>(socket_);
  if (::ioctl(socket.native_handle(), SIOCOUTQ, &queued) != 0) return 0;
  return sent_bytes_ - static_cast<std::uint64_t>(queued);
}

void Stream::end_sending() {
  if (!socket_.is_open()) return;
  if (ssl_ && ::SSL_is_init_finished(ssl_.get())) {
    ::ERR_clear_error();
    scratch_->clear();
    ::SSL_shutdown(ssl_.get());
    send_waiting();
  }
  boost::system::error_code ignored;
  socket_.shutdown(tcp::socket::shutdown_send, ignored);
}

void Stream::close() {
  boost::system::error_code ignored;
  socket_.close(ignored);
}

}  // namespace kapok::net
