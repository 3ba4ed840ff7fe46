// SRT's part of one shard: the socket, the lines (connections, groups, calls) that live here, and
// the one task that drives them all. It reads, lets time pass and sends for all lines together,
// every few milliseconds while there are lines and on arrival while there are none: at 120 Mb/s a
// wake for each datagram would cost more than the datagram. Touched on its shard only, except
// where it says otherwise.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "server/base/clock.hpp"
#include "server/base/task.hpp"
#include "server/net/udp_socket.hpp"
#include "server/picture/ingest/srt/steering.hpp"
#include "server/picture/protocols/srt/output.hpp"

namespace kapok::ingest {

// What a shard drives. After each call `out.events` is empty: a line handles its own.
class SrtLine {
 public:
  virtual ~SrtLine() = default;
  virtual void receive(MonoTime now, srt::SocketId id, const net::ReceivedDatagram& datagram,
                       srt::Output& out) = 0;
  // False: it is over, and the shard lets go of it.
  virtual bool advance(MonoTime now, srt::Output& out) = 0;
  virtual MonoTime next_deadline() const = 0;
  // Lives as long as the line.
  virtual const net::UdpPath& path_to(const srt::PeerAddress& peer) const = 0;
};

class SrtShard {
 public:
  // Handles a datagram that is addressed to no socket: a handshake.
  using OnHandshake = std::function<void(MonoTime, const net::ReceivedDatagram&)>;
  // Datagrams for another shard; called once per batch.
  using OnForeign =
      std::function<void(std::size_t shard, std::vector<net::ReceivedDatagram> datagrams)>;

  SrtShard(boost::asio::any_io_executor executor, std::size_t index, const Clock& clock);
  SrtShard(const SrtShard&) = delete;
  SrtShard& operator=(const SrtShard&) = delete;

  // Before run().
  void open(std::unique_ptr<net::UdpSocket> socket, OnHandshake handshake, OnForeign foreign);
  Task<> run();  // ends after close()
  void close();
  bool is_open() const { return !closed_; }

  void add(srt::SocketId id, std::shared_ptr<SrtLine> line);
  // The line itself goes when its advance() says so.
  void forget(srt::SocketId id);
  srt::SocketId new_socket_id() const;
  // Datagrams that another shard has read.
  void take(std::vector<net::ReceivedDatagram> datagrams);
  // A datagram for a line that its id does not tell: a rendezvous'.
  void hand(SrtLine& line, const net::ReceivedDatagram& datagram);
  // Sends at once, beside the lines' turns: answers to handshakes.
  void send(srt::Output& out, const net::UdpPath& path);

  const boost::asio::any_io_executor& executor() const { return executor_; }
  std::size_t lines() const { return lines_.size(); }
  MonoTime now() const { return clock_.mono(); }
  bool is_v6() const { return socket_ && socket_->is_v6(); }
  std::uint16_t port() const { return socket_ ? socket_->port() : std::uint16_t{0}; }
  net::UdpCounts counts() const { return socket_ ? socket_->counts() : net::UdpCounts{}; }

  TaskGroup tasks;
  bool draining = false;

 private:
  struct Driven {
    std::shared_ptr<SrtLine> line;
    bool touched = true;
  };

  bool read();
  void dispatch(MonoTime now, const net::ReceivedDatagram& datagram);
  void advance_lines(MonoTime now);
  void note_paths(const SrtLine& line);
  void flush();
  void pass_on_foreign();

  boost::asio::any_io_executor executor_;
  std::size_t index_;
  const Clock& clock_;
  std::unique_ptr<net::UdpSocket> socket_;
  OnHandshake handshake_;
  OnForeign foreign_;
  boost::asio::steady_timer turn_;
  bool closed_ = false;

  std::unordered_map<srt::SocketId, std::shared_ptr<Driven>> by_id_;
  std::vector<std::shared_ptr<Driven>> lines_;
  // Kept for their memory.
  std::vector<net::ReceivedDatagram> batch_;
  srt::Output out_;
  std::vector<const net::UdpPath*> paths_;  // of out_.datagrams
  std::vector<net::DatagramToSend> to_send_;
  std::vector<std::vector<net::ReceivedDatagram>> foreign_batches_;  // by shard
};

}  // namespace kapok::ingest
