// An SRT caller over a loopback socket, driven by the test itself: what our own core says to the
// listener, without a program beside it.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <map>
#include <memory>
#include <thread>

#include "server/net/udp_socket.hpp"
#include "server/picture/ingest/srt/steering.hpp"
#include "server/picture/protocols/srt/caller.hpp"
#include "server/picture/protocols/srt/group.hpp"

namespace kapok::ingest::test {

class TestCaller {
 public:
  explicit TestCaller(std::uint16_t port)
      : to_{{boost::asio::ip::address_v4::loopback(), port}, {}} {
    net::UdpOptions options;
    options.listen = {"127.0.0.1", 0, "test", "none"};
    auto opened = net::UdpSocket::open({context_.get_executor()}, options, slabs_, Log());
    if (opened) socket_ = std::move(opened->front());
  }

  // The code of the refusal; 0: connected; 1: no answer.
  std::uint32_t call(srt::CallOptions options) {
    options.peer = peer_address(to_.peer);
    options.socket_id = ++ids_;
    srt::Caller caller(clock_.mono(), srt::Caller::Mode::caller, options);
    calling_ = &caller;
    pump([&] { return caller.done(); });
    calling_ = nullptr;
    if (!caller.done()) return 1;
    auto connection = caller.take(clock_.mono());
    if (!connection) return caller.reject_code() != 0 ? caller.reject_code() : 1;
    connection_ = *std::move(connection);
    return 0;
  }
  void send(ByteSpan message) {
    [[maybe_unused]] const auto sent = connection_->send(clock_.mono(), Buffer::copy_of(message));
  }
  void send_raw(ByteSpan datagram) {
    const net::DatagramToSend out[] = {{&to_, datagram, {}}};
    socket_->send(out);
  }
  bool closed() const { return connection_ && connection_->closed(); }

  // False: it has not come true within ten seconds.
  bool pump(const std::function<bool()>& until) {
    const MonoTime end = clock_.mono() + seconds(10);
    while (!until()) {
      if (clock_.mono() > end) return false;
      turn();
      std::this_thread::yield();
    }
    return true;
  }
  void turn() {
    std::vector<net::ReceivedDatagram> got;
    socket_->receive(got);
    const MonoTime now = clock_.mono();
    const auto from = peer_address(to_.peer);
    srt::Output out;
    for (const auto& datagram : got) {
      if (calling_ != nullptr) calling_->receive(now, from, datagram.bytes.bytes(), out);
      if (connection_) connection_->receive(now, from, datagram.bytes, out);
    }
    if (calling_ != nullptr) calling_->advance(now, out);
    if (connection_) connection_->advance(now, out);
    for (const srt::Datagram& datagram : out.datagrams) {
      const net::DatagramToSend one[] = {{&to_, datagram.head_bytes(), datagram.payload.bytes()}};
      socket_->send(one);
    }
  }

 private:
  SystemClock clock_;
  boost::asio::io_context context_;
  net::UdpSlabs slabs_{std::size_t{16} * 1024 * 1024};
  net::UdpPath to_;
  std::unique_ptr<net::UdpSocket> socket_;
  std::unique_ptr<srt::Connection> connection_;
  srt::Caller* calling_ = nullptr;
  srt::SocketId ids_ = 1000;
};

}  // namespace kapok::ingest::test
