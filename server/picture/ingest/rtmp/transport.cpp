#include "server/picture/ingest/rtmp/transport.hpp"

#include <openssl/err.h>
#include <openssl/sslerr.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/write.hpp>
#include <utility>

namespace kapok::ingest {

namespace asio = boost::asio;

namespace {
// More than a feed of 200 Mb/s brings in four rounds. The kernel wakes us in any case when no more
// would fit its buffer.
constexpr int kQuietBytes = 1024 * 1024;

// Of one publisher in one round: 800 Mb/s. Who has more to say lets others speak first.
constexpr std::size_t kTurnBytes = std::size_t{1} * 1024 * 1024;

std::array<asio::mutable_buffer, 2> buffers_of(const RtmpTransport::Room& room) {
  return {asio::mutable_buffer(room[0].data(), room[0].size()),
          asio::mutable_buffer(room[1].data(), room[1].size())};
}

Error network_error(const boost::system::error_code& error, std::string_view what) {
  if (error == asio::error::eof || error == asio::error::connection_reset ||
      error == asio::error::broken_pipe || error == asio::error::operation_aborted ||
      error == asio::ssl::error::stream_truncated)
    return {Errc::closed, fmt::format("{}: {}", what, error.message())};
  return {Errc::io, fmt::format("{}: {}", what, error.message())};
}
}  // namespace

RtmpTransport::RtmpTransport(Tcp::socket socket) : plain_(std::move(socket)) {}

RtmpTransport::RtmpTransport(Tcp::socket socket, std::shared_ptr<asio::ssl::context> context)
    : plain_(socket.get_executor()), context_(std::move(context)) {
  tls_.emplace(std::move(socket), *context_);
}

Task<Result<void>> RtmpTransport::handshake() {
  if (!tls_) co_return Result<void>();
  auto [error] = co_await tls_->async_handshake(asio::ssl::stream_base::server, kAsValue);
  if (error) {
    // No record of TLS: most often an encoder that was given rtmp:// and this port.
    const bool plain =
        ERR_GET_LIB(static_cast<unsigned long>(error.value())) == ERR_LIB_SSL &&
        ERR_GET_REASON(static_cast<unsigned long>(error.value())) == SSL_R_WRONG_VERSION_NUMBER;
    co_return fail(Errc::malformed, "TLS handshake: {}{}", error.message(),
                   plain ? "; on this port the address must begin with rtmps://" : "");
  }
  co_return Result<void>();
}

Task<Result<std::size_t>> RtmpTransport::read(Room room) {
  const auto buffers = buffers_of(room);
  boost::system::error_code failure;
  std::size_t count = 0;
  if (tls_) {
    auto [error, size] = co_await tls_->async_read_some(buffers, kAsValue);
    failure = error;
    count = size;
  } else {
    auto [error, size] = co_await plain_.async_read_some(buffers, kAsValue);
    failure = error;
    count = size;
  }
  if (failure) co_return std::unexpected(network_error(failure, "read"));
  co_return count;
}

Task<Result<std::size_t>> RtmpTransport::read(Room room, ReadRounds* rounds) {
  const auto buffers = buffers_of(room);
  while (true) {
    if (left_of_turn_ == 0) {
      co_await rounds->next();
      left_of_turn_ = kTurnBytes;
    }
    boost::system::error_code failure;
    const std::size_t count = plain_.read_some(buffers, failure);
    const bool drained = count < asio::buffer_size(buffers);
    left_of_turn_ = drained ? 0 : left_of_turn_ - std::min(left_of_turn_, count);
    if (failure == asio::error::would_block) continue;
    if (failure) co_return std::unexpected(network_error(failure, "read"));
    co_return count;
  }
}

void RtmpTransport::set_wakes(Wakes wakes) {
  boost::system::error_code ignored;  // it would wake too often, and work
  plain_.non_blocking(true, ignored);
  const int bytes = wakes == Wakes::on_any_byte ? 1 : kQuietBytes;
  plain_.set_option(asio::socket_base::receive_low_watermark(bytes), ignored);
}

Task<Result<void>> RtmpTransport::write(ByteSpan bytes) {
  const asio::const_buffer buffer(bytes.data(), bytes.size());
  boost::system::error_code failure;
  if (tls_) {
    auto [error, size] = co_await asio::async_write(*tls_, buffer, kAsValue);
    failure = error;
  } else {
    auto [error, size] = co_await asio::async_write(plain_, buffer, kAsValue);
    failure = error;
  }
  if (failure) co_return std::unexpected(network_error(failure, "write"));
  co_return Result<void>();
}

void RtmpTransport::end_sending() {
  boost::system::error_code ignored;
  socket().shutdown(Tcp::socket::shutdown_send, ignored);
}

void RtmpTransport::close() {
  boost::system::error_code ignored;
  socket().close(ignored);
}

Result<RtmpTransport::Loose> RtmpTransport::loosen() {
  boost::system::error_code error;
  const Tcp::endpoint local = plain_.local_endpoint(error);
  if (error) return std::unexpected(network_error(error, "socket"));
  const int handle = plain_.release(error);
  if (error) return std::unexpected(network_error(error, "release"));
  return Loose{handle, local.protocol()};
}

Result<void> RtmpTransport::fasten(Loose loose, const asio::any_io_executor& shard) {
  plain_ = Tcp::socket(shard);
  boost::system::error_code error;
  plain_.assign(loose.protocol, loose.handle, error);
  if (!error) return {};
  ::close(loose.handle);
  return std::unexpected(network_error(error, "assign"));
}

}  // namespace kapok::ingest
