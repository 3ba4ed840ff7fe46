// UdpSocket::open(): binding, buffer sizes and steering.
#include <linux/filter.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <boost/asio/ip/v6_only.hpp>
#include <cerrno>
#include <utility>

#include "server/net/udp_socket.hpp"

namespace kapok::net {

namespace {

using boost::asio::ip::udp;
using boost::system::error_code;

enum class Sharing : std::uint8_t { alone, reuse_port };

error_code set(udp::socket& socket, int level, int option, int value) {
  if (::setsockopt(socket.native_handle(), level, option, &value, sizeof value) == 0) return {};
  return {errno, boost::system::system_category()};
}

Result<udp::endpoint> endpoint_of(const ListenOptions& options) {
  if (options.address.empty()) return udp::endpoint(udp::v6(), options.port);
  error_code error;
  const auto address = boost::asio::ip::make_address(options.address, error);
  if (error)
    return fail(Errc::config, "{}: '{}' is not an IP address to listen on", options.what,
                options.address);
  return udp::endpoint(address, options.port);
}

error_code bind_to(udp::socket& socket, const udp::endpoint& at, Sharing sharing) {
  error_code error;
  socket.open(at.protocol(), error);
  if (error) return error;
  if (sharing == Sharing::reuse_port) error = set(socket, SOL_SOCKET, SO_REUSEPORT, 1);
  if (!error && at.address().is_v6()) socket.set_option(boost::asio::ip::v6_only(false), error);
  // Which of our addresses a peer has called is known when we listen on one only.
  if (!error && at.address().is_unspecified())
    error = at.address().is_v6() ? set(socket, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
                                 : set(socket, IPPROTO_IP, IP_PKTINFO, 1);
  if (!error) socket.bind(at, error);
  if (!error) socket.non_blocking(true, error);
  return error;
}

std::unexpected<Error> explained(const error_code& error, const ListenOptions& options) {
  if (error == boost::asio::error::address_in_use)
    return fail(Errc::conflict, "{} port {}/udp is in use: {}", options.what, options.port,
                options.remedy);
  if (error == boost::asio::error::access_denied)
    return fail(Errc::denied,
                "{} port {}/udp may not be opened by this user: {}, or grant CAP_NET_BIND_SERVICE",
                options.what, options.port, options.remedy);
  if (error == boost::system::errc::address_not_available)
    return fail(Errc::config,
                "{} cannot listen on {}: no interface of this machine has that address (ip address "
                "lists them; \"::\" is all)",
                options.what, options.address);
  return fail(Errc::config, "{} cannot listen on '{}' port {}/udp: {}", options.what,
              options.address, options.port, error.message());
}

std::size_t size_of(const udp::socket& socket, int option) {
  int value = 0;
  socklen_t length = sizeof value;
  ::getsockopt(const_cast<udp::socket&>(socket).native_handle(), SOL_SOCKET, option, &value,
               &length);
  // [man 7 socket] the kernel shows twice what was asked for.
  return static_cast<std::size_t>(value) / 2;
}

// SO_*BUFFORCE needs CAP_NET_ADMIN; without it the kernel's limit holds.
std::size_t resize(udp::socket& socket, int force, int plain, std::size_t bytes) {
  const int value = static_cast<int>(bytes);
  if (set(socket, SOL_SOCKET, force, value)) set(socket, SOL_SOCKET, plain, value);
  return size_of(socket, plain);
}

void size_buffers(udp::socket& socket, const UdpOptions& options, const Log* log) {
  const std::size_t receive =
      resize(socket, SO_RCVBUFFORCE, SO_RCVBUF, options.receive_buffer_bytes);
  const std::size_t send = resize(socket, SO_SNDBUFFORCE, SO_SNDBUF, options.send_buffer_bytes);
  if (log == nullptr) return;
  const auto warn = [&](std::size_t got, std::size_t wanted, const char* limit) {
    if (got >= wanted) return;
    log->warn("net.udp_buffer_small",
              {{"listener", options.listen.what},
               {"wanted", wanted},
               {"got", got},
               {"remedy", fmt::format("sysctl -w {}={}, or grant CAP_NET_ADMIN", limit, wanted)}});
  };
  warn(receive, options.receive_buffer_bytes, "net.core.rmem_max");
  warn(send, options.send_buffer_bytes, "net.core.wmem_max");
}

// The program sees the datagram from behind the UDP header and returns the index of a socket, in
// the order of binding. A load past the end returns 0.
bool steer(int any_of_them, std::uint32_t byte) {
  sock_filter program[] = {BPF_STMT(BPF_LD | BPF_B | BPF_ABS, byte), BPF_STMT(BPF_RET | BPF_A, 0)};
  const sock_fprog filter{std::size(program), program};
  return ::setsockopt(any_of_them, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &filter, sizeof filter) ==
         0;
}

}  // namespace

Result<std::vector<std::unique_ptr<UdpSocket>>> UdpSocket::open(
    const std::vector<boost::asio::any_io_executor>& shards, const UdpOptions& options,
    UdpSlabs& slabs, const Log& log) {
  udp::endpoint at = KAPOK_TRY(endpoint_of(options.listen));
  {
    // Without SO_REUSEPORT first: with it, a second server of the same user would silently take a
    // part of the first one's datagrams.
    udp::socket probe(shards.front());
    error_code error = bind_to(probe, at, Sharing::alone);
    if (options.listen.address.empty() &&
        error == boost::asio::error::address_family_not_supported) {
      at = udp::endpoint(udp::v4(), options.listen.port);
      probe = udp::socket(shards.front());
      error = bind_to(probe, at, Sharing::alone);
    }
    if (error) return explained(error, options.listen);
    at.port(probe.local_endpoint(error).port());
  }
  std::vector<std::unique_ptr<UdpSocket>> opened;
  for (const auto& shard : shards) {
    udp::socket socket(shard);
    if (const error_code error = bind_to(socket, at, Sharing::reuse_port))
      return explained(error, options.listen);
    size_buffers(socket, options, opened.empty() ? &log : nullptr);
    opened.push_back(std::unique_ptr<UdpSocket>(new UdpSocket(std::move(socket), slabs)));
  }
  if (options.steering_byte && shards.size() > 1 &&
      !steer(opened.front()->fd_, *options.steering_byte))
    log.info("net.udp_not_steered",
             {{"listener", options.listen.what}, {"why", system_error(errno, "cbpf").message}});
  return opened;
}

}  // namespace kapok::net
