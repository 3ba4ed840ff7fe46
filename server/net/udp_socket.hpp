// A UDP socket for protocols that move many datagrams: one call receives or sends a batch, received
// bytes are not copied (they lie in slabs that Buffers share) and what is sent may be in two
// pieces. Lives on one shard. Several sockets may share a port, one per shard: the kernel then
// picks the socket by one byte of each datagram, where it can.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/udp.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "server/base/buffer.hpp"
#include "server/base/log.hpp"
#include "server/base/result.hpp"
#include "server/base/task.hpp"
#include "server/net/acceptor.hpp"
#include "server/net/udp_slabs.hpp"

namespace kapok::net {

// The two ends of a conversation. What is answered leaves from the address that the peer called:
// on a machine with two uplinks the routing table alone would answer both from the same one.
struct UdpPath {
  boost::asio::ip::udp::endpoint peer;
  boost::asio::ip::address local;  // unspecified: as routing has it
  bool operator==(const UdpPath&) const = default;
};

struct ReceivedDatagram {
  Buffer bytes;
  UdpPath path;
};

// Views: what they show must live until send() returns.
struct DatagramToSend {
  const UdpPath* path = nullptr;
  ByteSpan head;
  ByteSpan body;
};

struct UdpOptions {
  ListenOptions listen;
  // What the kernel may hold while the shard is busy elsewhere: 8 MiB are 0.3 s of 120 Mb/s with
  // the kernel's own overhead.
  std::size_t receive_buffer_bytes = std::size_t{8} * 1024 * 1024;
  std::size_t send_buffer_bytes = std::size_t{4} * 1024 * 1024;
  // Which byte of a datagram is the index of its socket; datagrams too short for it go to the
  // first. Nothing: the kernel spreads by address. Not to be relied upon: a kernel may refuse, and
  // an index that does not exist is spread by address.
  std::optional<std::uint32_t> steering_byte;
};

struct UdpCounts {
  std::uint64_t received = 0;
  std::uint64_t sent = 0;
  std::uint64_t too_long = 0;   // cut by the kernel, not handed on
  std::uint64_t no_memory = 0;  // came while the slabs were used up
  std::uint64_t not_sent = 0;   // the kernel would not take it: buffer full, no route
};

class UdpSocket {
 public:
  // One per executor, all on the same port; slabs come from `slabs`, which outlives the sockets.
  // Errors: those of Acceptor::open.
  static Result<std::vector<std::unique_ptr<UdpSocket>>> open(
      const std::vector<boost::asio::any_io_executor>& shards, const UdpOptions& options,
      UdpSlabs& slabs, const Log& log);
  ~UdpSocket();
  UdpSocket(const UdpSocket&) = delete;
  UdpSocket& operator=(const UdpSocket&) = delete;

  std::uint16_t port() const { return at_.port(); }
  bool is_v6() const { return at_.address().is_v6(); }  // then IPv4 is ::ffff:a.b.c.d
  // Until something has come, or wake(). False: closed. Only while this waits does the reactor
  // watch the socket: whoever reads by the clock is not woken by each datagram.
  Task<bool> wait_readable();
  void wake();
  // Appends what has come, at most a slab's worth. False: nothing is left to read.
  bool receive(std::vector<ReceivedDatagram>& into);
  // What the kernel does not take is lost, as on any path; it is counted.
  void send(std::span<const DatagramToSend> datagrams);
  void close();
  bool is_open() const { return fd_ >= 0; }
  const UdpCounts& counts() const { return counts_; }

 private:
  struct Batch;  // what recvmmsg and sendmmsg want to see
  UdpSocket(boost::asio::ip::udp::socket socket, UdpSlabs& slabs);
  void send_batch(std::span<const DatagramToSend> datagrams);

  boost::asio::ip::udp::endpoint at_;
  boost::asio::ip::udp::socket watcher_;  // holds fd_ while somebody waits
  int fd_ = -1;                           // owned
  UdpSlabs& slabs_;
  std::shared_ptr<UdpSlab> slab_;
  std::size_t next_slot_ = 0;
  UdpCounts counts_;
  std::unique_ptr<Batch> batch_;
};

}  // namespace kapok::net
