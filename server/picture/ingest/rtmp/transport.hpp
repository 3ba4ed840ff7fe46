// The socket under an RTMP connection: plain TCP, or TLS on top of it. Network errors are values.
// A plain one can be taken to another shard; TLS state stays where it was made.
#pragma once

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <memory>
#include <optional>
#include <span>

#include "server/base/bytes.hpp"
#include "server/base/result.hpp"
#include "server/base/task.hpp"
#include "server/picture/ingest/rtmp/read_rounds.hpp"

namespace kapok::ingest {

class RtmpTransport {
 public:
  using Tcp = boost::asio::ip::tcp;
  explicit RtmpTransport(Tcp::socket socket);
  RtmpTransport(Tcp::socket socket, std::shared_ptr<boost::asio::ssl::context> context);

  bool is_tls() const { return tls_.has_value(); }
  Task<Result<void>> handshake();
  // At least one byte into the first room, then the second. Errors: closed (the peer ended), io.
  using Room = std::array<std::span<std::byte>, 2>;
  Task<Result<std::size_t>> read(Room room);
  // The same with what is there at the next pulse. Plain TCP only.
  Task<Result<std::size_t>> read(Room room, ReadRounds* rounds);
  // Whether bytes that arrive wake the shard; rounds have no need of it.
  enum class Wakes : std::uint8_t { on_any_byte, when_nearly_full };
  void set_wakes(Wakes wakes);
  Task<Result<void>> write(ByteSpan bytes);
  void end_sending();
  void close();

  // Takes the socket off its shard; nothing may be pending. Plain TCP only.
  struct Loose {
    int handle = -1;
    Tcp protocol = Tcp::v4();
  };
  Result<Loose> loosen();
  Result<void> fasten(Loose loose, const boost::asio::any_io_executor& shard);

 private:
  Tcp::socket& socket() { return tls_ ? tls_->next_layer() : plain_; }

  Tcp::socket plain_;
  std::size_t left_of_turn_ = 0;  // of the present round
  std::shared_ptr<boost::asio::ssl::context> context_;
  std::optional<boost::asio::ssl::stream<Tcp::socket>> tls_;
};

}  // namespace kapok::ingest
