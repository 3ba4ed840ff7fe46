#include "tests/support/srt_port.hpp"

#include <sys/resource.h>

#include "server/net/address_limits.hpp"

namespace kapok::support {

namespace asio = boost::asio;

srt::PeerAddress peer_of(const asio::ip::udp::endpoint& endpoint) {
  return {net::mapped_address(endpoint.address()).to_bytes(), endpoint.port()};
}

asio::ip::udp::endpoint endpoint_of(const srt::PeerAddress& peer) {
  return {asio::ip::address_v6(peer.ip), peer.port};
}

Result<std::unique_ptr<SrtPort>> SrtPort::open(const asio::any_io_executor& executor,
                                               std::uint16_t port) {
  std::unique_ptr<SrtPort> opened(new SrtPort());
  net::UdpOptions options;
  options.listen = {.address = "", .port = port, .what = "SRT", .remedy = "choose another"};
  auto sockets = KAPOK_TRY(net::UdpSocket::open({executor}, options, opened->slabs_, Log()));
  opened->socket_ = std::move(sockets.front());
  return opened;
}

void SrtPort::flush(srt::Output& out) {
  if (out.datagrams.empty()) return;
  paths_.clear();
  paths_.reserve(out.datagrams.size());
  batch_.clear();
  for (const srt::Datagram& datagram : out.datagrams) {
    paths_.push_back({endpoint_of(datagram.to), {}});
    batch_.push_back({&paths_.back(), datagram.head_bytes(), datagram.payload.bytes()});
  }
  socket_->send(batch_);
  out.datagrams.clear();
}

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto of = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

}  // namespace kapok::support
