// One UDP port with many SRT connections on it, for test programs: sockets and addresses around the
// sans-I/O core of server/picture/protocols/srt.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <vector>

#include "server/net/udp_socket.hpp"
#include "server/picture/protocols/srt/output.hpp"

namespace kapok::support {

srt::PeerAddress peer_of(const boost::asio::ip::udp::endpoint& endpoint);
boost::asio::ip::udp::endpoint endpoint_of(const srt::PeerAddress& peer);

class SrtPort {
 public:
  // port 0: any. Errors: those of net::UdpSocket::open.
  static Result<std::unique_ptr<SrtPort>> open(const boost::asio::any_io_executor& executor,
                                               std::uint16_t port);

  // Appends what has come.
  bool receive(std::vector<net::ReceivedDatagram>& into) { return socket_->receive(into); }
  Task<bool> wait_readable() { return socket_->wait_readable(); }
  // Sends what is in `out` and empties its datagrams.
  void flush(srt::Output& out);
  void close() { socket_->close(); }
  const net::UdpCounts& counts() const { return socket_->counts(); }

 private:
  SrtPort() : slabs_(std::size_t{512} * 1024 * 1024) {}
  net::UdpSlabs slabs_;
  std::unique_ptr<net::UdpSocket> socket_;
  std::vector<net::UdpPath> paths_;
  std::vector<net::DatagramToSend> batch_;
};

// User and system time of this process.
double cpu_seconds();

}  // namespace kapok::support
