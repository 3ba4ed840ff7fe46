// Listening TCP sockets, one per shard on the same port (SO_REUSEPORT): the kernel spreads new
// connections and no shard hands sockets to another. Running out of file descriptors pauses
// accepting for a moment instead of spinning or stopping.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "server/base/log.hpp"
#include "server/base/result.hpp"
#include "server/base/task.hpp"

namespace kapok::net {

struct ListenOptions {
  std::string address;     // empty: every address, IPv6 and IPv4
  std::uint16_t port = 0;  // 0: any free one
  std::string what;        // "HTTP", for messages
  std::string remedy;      // "choose another with --http-port", for messages
};

class Acceptor {
 public:
  // One per executor, all on the same port. Blocks for up to two seconds when the port is not free
  // yet though nobody listens on it. Errors: conflict (the port is taken; says by whom if it can be
  // known), denied (a port below 1024), config (no such address).
  static Result<std::vector<std::unique_ptr<Acceptor>>> open(
      const std::vector<boost::asio::any_io_executor>& shards, const ListenOptions& options,
      const Log& log);

  std::uint16_t port() const;
  // The next connection, on this acceptor's shard, with TCP_NODELAY. Errors: closed, after close().
  Task<Result<boost::asio::ip::tcp::socket>> accept();
  // From the acceptor's shard, or while it does not run.
  void close();

 private:
  static Result<std::vector<std::unique_ptr<Acceptor>>> try_open(
      const std::vector<boost::asio::any_io_executor>& shards, const ListenOptions& options,
      const Log& log);
  Acceptor(boost::asio::ip::tcp::acceptor socket, std::string what, Log log);

  boost::asio::ip::tcp::acceptor socket_;
  boost::asio::steady_timer pause_;
  std::string what_;
  Log log_;
  bool closed_ = false;
};

// "nginx (pid 812)" for a TCP port that somebody listens on; empty where it cannot be known
// (another user's process).
std::string listener_of(std::uint16_t port);

}  // namespace kapok::net
