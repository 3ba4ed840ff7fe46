#include "server/net/acceptor.hpp"

#include <sys/socket.h>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/socket_base.hpp>
#include <cerrno>
#include <thread>
#include <utility>

#include "server/base/clock.hpp"

namespace kapok::net {

namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;

// The kernel holds that many finished handshakes for us; a burst of viewers after an outage is
// larger than the old default of 128.
constexpr int kBacklog = 4096;
// Long enough that the log and the processor do not notice, short enough that viewers do not.
constexpr milliseconds kOutOfDescriptorsPause{100};

enum class Sharing : std::uint8_t { alone, reuse_port };

Result<tcp::endpoint> endpoint_of(const ListenOptions& options) {
  if (options.address.empty()) return tcp::endpoint(tcp::v6(), options.port);
  error_code error;
  const auto address = boost::asio::ip::make_address(options.address, error);
  if (error)
    return fail(Errc::config, "{}: '{}' is not an IP address to listen on", options.what,
                options.address);
  return tcp::endpoint(address, options.port);
}

error_code listen_on(tcp::acceptor& socket, const tcp::endpoint& at, Sharing sharing) {
  error_code error;
  socket.open(at.protocol(), error);
  if (error) return error;
  const int on = 1;
  socket.set_option(tcp::acceptor::reuse_address(true), error);
  if (sharing == Sharing::reuse_port &&
      ::setsockopt(socket.native_handle(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0)
    return {errno, boost::system::system_category()};
  if (at.address().is_v6()) socket.set_option(boost::asio::ip::v6_only(false), error);
  if (!error) socket.bind(at, error);
  if (!error) socket.listen(kBacklog, error);
  return error;
}

std::unexpected<Error> explained(const error_code& error, const ListenOptions& options) {
  if (error == boost::asio::error::address_in_use) {
    const std::string holder = listener_of(options.port);
    return fail(Errc::conflict, "{} port {} is in use{}{}: {}", options.what, options.port,
                holder.empty() ? "" : " by ", holder, options.remedy);
  }
  if (error == boost::asio::error::access_denied)
    return fail(Errc::denied,
                "{} port {} may not be opened by this user: {}, or grant CAP_NET_BIND_SERVICE",
                options.what, options.port, options.remedy);
  if (error == boost::system::errc::address_not_available)
    return fail(Errc::config,
                "{} cannot listen on {}: no interface of this machine has that address (ip address "
                "lists them; \"::\" is all)",
                options.what, options.address);
  return fail(Errc::config, "{} cannot listen on '{}' port {}: {}", options.what, options.address,
              options.port, error.message());
}

}  // namespace

Acceptor::Acceptor(tcp::acceptor socket, std::string what, Log log)
    : socket_(std::move(socket)),
      pause_(socket_.get_executor()),
      what_(std::move(what)),
      log_(std::move(log)) {}

Result<std::vector<std::unique_ptr<Acceptor>>> Acceptor::try_open(
    const std::vector<boost::asio::any_io_executor>& shards, const ListenOptions& options,
    const Log& log) {
  tcp::endpoint at = KAPOK_TRY(endpoint_of(options));
  {
    // Without SO_REUSEPORT first: with it, a second server of the same user would silently take
    // half of the first one's connections.
    tcp::acceptor probe(shards.front());
    error_code error = listen_on(probe, at, Sharing::alone);
    if (options.address.empty() && error == boost::asio::error::address_family_not_supported) {
      at = tcp::endpoint(tcp::v4(), options.port);
      probe = tcp::acceptor(shards.front());
      error = listen_on(probe, at, Sharing::alone);
    }
    if (error) return explained(error, options);
    at.port(probe.local_endpoint(error).port());
  }
  std::vector<std::unique_ptr<Acceptor>> opened;
  for (const auto& shard : shards) {
    tcp::acceptor socket(shard);
    if (const error_code error = listen_on(socket, at, Sharing::reuse_port))
      return explained(error, options);
    opened.push_back(std::unique_ptr<Acceptor>(new Acceptor(std::move(socket), options.what, log)));
  }
  return opened;
}

// A client that calls while the probe below listens leaves a half-made connection behind, which
// keeps the port for a moment after the probe is closed; so do connections of a server that was
// killed. Nobody listens then, and trying again helps. A port that another process listens on is
// refused at once.
Result<std::vector<std::unique_ptr<Acceptor>>> Acceptor::open(
    const std::vector<boost::asio::any_io_executor>& shards, const ListenOptions& options,
    const Log& log) {
  constexpr int kAttempts = 40;
  constexpr milliseconds kBetween{50};
  for (int attempt = 1;; ++attempt) {
    auto opened = try_open(shards, options, log);
    if (opened || opened.error().code != Errc::conflict || attempt == kAttempts ||
        !listener_of(options.port).empty())
      return opened;
    std::this_thread::sleep_for(kBetween);
  }
}

std::uint16_t Acceptor::port() const {
  error_code ignored;
  return socket_.local_endpoint(ignored).port();
}

Task<Result<tcp::socket>> Acceptor::accept() {
  bool complained = false;
  while (!closed_) {
    auto [error, socket] = co_await socket_.async_accept(kAsValue);
    if (!error) {
      error_code ignored;
      socket.set_option(tcp::no_delay(true), ignored);
      co_return std::move(socket);
    }
    // Whoever went away while queued is no error of ours.
    if (closed_ || error == boost::asio::error::connection_aborted) continue;
    if (!complained)
      log_.warn("net.accept_failed", {{"listener", what_}, {"reason", error.message()}});
    complained = true;
    pause_.expires_after(kOutOfDescriptorsPause);
    [[maybe_unused]] auto [woken] = co_await pause_.async_wait(kAsValue);
  }
  co_return fail(Errc::closed, "no longer listening");
}

void Acceptor::close() {
  closed_ = true;
  error_code ignored;
  socket_.close(ignored);
  pause_.cancel();
}

}  // namespace kapok::net
