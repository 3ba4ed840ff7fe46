// A connected TCP socket, plain or TLS, for code that tries first and waits only when it must: an
// idle connection holds no buffer, sending from a mapping copies nothing. Lives on one shard. Never
// hand a file mapping to a TLS stream (a truncated file would be a SIGBUS inside OpenSSL).
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "server/base/bytes.hpp"
#include "server/base/task.hpp"

// OpenSSL's, without its headers.
struct ssl_st;
struct bio_st;

namespace kapok::net {

enum class Ready : std::uint8_t { read, write };

// What one try moved. Neither `wait_for` nor `closed`: try again at once.
struct Moved {
  std::size_t bytes = 0;
  std::optional<Ready> wait_for;
  bool closed = false;
};

// Where a shard's TLS streams put what they encrypt, so that many records leave in one call.
using CipherScratch = std::vector<std::byte>;

class Stream {
 public:
  explicit Stream(boost::asio::ip::tcp::socket socket);
  // The server's side of TLS. `scratch` is shared by all streams of a shard and outlives them.
  Stream(boost::asio::ip::tcp::socket socket, const boost::asio::ssl::context& tls,
         CipherScratch& scratch);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // False: closed or not TLS. A plain stream's is true at once.
  Task<bool> handshake();
  // What of the peer's bytes was no TLS, in OpenSSL's words; null: nothing.
  const char* tls_error() const { return tls_error_; }
  // From the socket: with TLS, before decryption.
  std::uint64_t received_bytes() const { return received_bytes_; }
  bool secure() const { return ssl_ != nullptr; }

  Moved receive(std::span<std::byte> into);
  // Takes what fits of `first`, then of `second`; on TLS at most 64 KiB of each call is taken, and
  // what was taken may partly wait in this stream (flushed by the next call or by flush()).
  Moved send(ByteSpan first, ByteSpan second = {});
  // Done once nothing that send() took is waiting here; always done on a plain stream.
  Moved flush();
  // False: closed meanwhile. A closed peer is readable.
  Task<bool> wait(Ready what);

  // Bytes handed to send() that the peer has acknowledged: whether a slow peer reads at all.
  std::uint64_t acknowledged_bytes() const;
  void end_sending();  // FIN (and close_notify), the peer may still send
  void close();
  bool is_open() const { return socket_.is_open(); }
  boost::asio::any_io_executor executor() { return socket_.get_executor(); }

 private:
  friend struct StreamBio;
  Moved send_plain(ByteSpan first, ByteSpan second);
  Moved encrypt(ByteSpan bytes);
  Moved send_waiting();

  boost::asio::ip::tcp::socket socket_;
  std::shared_ptr<ssl_st> ssl_;
  CipherScratch* scratch_ = nullptr;
  std::vector<std::byte> waiting_;  // ciphertext that the socket did not take
  std::size_t waiting_from_ = 0;
  std::uint64_t sent_bytes_ = 0;  // into the socket
  std::uint64_t received_bytes_ = 0;
  const char* tls_error_ = nullptr;
};

}  // namespace kapok::net
