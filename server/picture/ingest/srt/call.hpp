// A handshake that we begin, as caller or in a rendezvous, until it has succeeded or failed. Lives
// on one shard, driven by it.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <utility>
#include <vector>

#include "server/picture/ingest/srt/shard.hpp"
#include "server/picture/protocols/srt/caller.hpp"

namespace kapok::ingest {

class SrtCall final : public SrtLine {
 public:
  SrtCall(SrtShard& shard, srt::Caller::Mode mode, net::UdpPath path, srt::CallOptions options)
      : caller_(shard.now(), mode, std::move(options)),
        path_(std::move(path)),
        done_(shard.executor(), boost::asio::steady_timer::time_point::max()) {}

  // Until it is done or hung up.
  Task<> wait() {
    while (!over()) {
      [[maybe_unused]] auto [error] = co_await done_.async_wait(kAsValue);
    }
  }
  // Once it has come to an end; `closed` when it was hung up.
  Result<std::unique_ptr<srt::Connection>> take(MonoTime now) {
    taken_ = true;
    if (!caller_.done()) return fail(Errc::closed, "given up");
    return caller_.take(now);
  }
  // What came for the connection before its owner had it.
  std::vector<net::ReceivedDatagram> take_early() { return std::move(early_); }
  void hang_up() {
    hung_up_ = true;
    done_.cancel();
  }

  void receive(MonoTime now, srt::SocketId, const net::ReceivedDatagram& datagram,
               srt::Output& out) override {
    if (caller_.done()) {
      if (early_.size() < kMaxEarly) early_.push_back(datagram);
      return;
    }
    caller_.receive(now, peer_address(datagram.path.peer), datagram.bytes.bytes(), out);
    if (caller_.done()) done_.cancel();
  }
  bool advance(MonoTime now, srt::Output& out) override {
    if (taken_ || hung_up_) return false;
    caller_.advance(now, out);
    if (caller_.done()) done_.cancel();
    return true;
  }
  MonoTime next_deadline() const override {
    return taken_ || hung_up_ ? MonoTime::min() : caller_.next_deadline();
  }
  const net::UdpPath& path_to(const srt::PeerAddress&) const override { return path_; }

 private:
  // A sender's first burst, as much as one turn of the shard reads.
  static constexpr std::size_t kMaxEarly = 1'024;

  bool over() const { return hung_up_ || caller_.done(); }

  srt::Caller caller_;
  net::UdpPath path_;
  boost::asio::steady_timer done_;
  std::vector<net::ReceivedDatagram> early_;
  bool taken_ = false;
  bool hung_up_ = false;
};

}  // namespace kapok::ingest
