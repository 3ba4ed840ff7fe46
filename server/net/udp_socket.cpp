#include "server/net/udp_socket.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace kapok::net {

namespace {

namespace ip = boost::asio::ip;
using boost::asio::ip::udp;

// Room for the larger of in_pktinfo and in6_pktinfo.
constexpr std::size_t kControlBytes = CMSG_SPACE(sizeof(in6_pktinfo));

ip::address local_address(const msghdr& message) {
  for (auto* part = CMSG_FIRSTHDR(&message); part != nullptr;
       part = CMSG_NXTHDR(const_cast<msghdr*>(&message), part)) {
    if (part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_PKTINFO) {
      in6_pktinfo found;
      std::memcpy(&found, CMSG_DATA(part), sizeof found);
      ip::address_v6::bytes_type bytes;
      std::memcpy(bytes.data(), &found.ipi6_addr, bytes.size());
      return ip::address_v6(bytes);
    }
    if (part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_PKTINFO) {
      in_pktinfo found;
      std::memcpy(&found, CMSG_DATA(part), sizeof found);
      return ip::address_v4(ntohl(found.ipi_spec_dst.s_addr));
    }
  }
  return {};
}

void leave_from(const ip::address& local, msghdr& message) {
  auto* part = CMSG_FIRSTHDR(&message);
  if (local.is_v6()) {
    in6_pktinfo from{};
    const auto bytes = local.to_v6().to_bytes();
    std::memcpy(&from.ipi6_addr, bytes.data(), bytes.size());
    part->cmsg_level = IPPROTO_IPV6;
    part->cmsg_type = IPV6_PKTINFO;
    part->cmsg_len = CMSG_LEN(sizeof from);
    std::memcpy(CMSG_DATA(part), &from, sizeof from);
    message.msg_controllen = CMSG_SPACE(sizeof from);
  } else {
    in_pktinfo from{};
    from.ipi_spec_dst.s_addr = htonl(local.to_v4().to_uint());
    part->cmsg_level = IPPROTO_IP;
    part->cmsg_type = IP_PKTINFO;
    part->cmsg_len = CMSG_LEN(sizeof from);
    std::memcpy(CMSG_DATA(part), &from, sizeof from);
    message.msg_controllen = CMSG_SPACE(sizeof from);
  }
}

}  // namespace

struct UdpSocket::Batch {
  std::array<mmsghdr, kSlotsPerSlab> messages{};
  std::array<std::array<iovec, 2>, kSlotsPerSlab> pieces{};
  std::array<udp::endpoint, kSlotsPerSlab> peers;
  alignas(cmsghdr) std::array<std::array<std::byte, kControlBytes>, kSlotsPerSlab> control{};
};

UdpSocket::UdpSocket(udp::socket socket, UdpSlabs& slabs)
    : at_(socket.local_endpoint()),
      watcher_(socket.get_executor()),
      fd_(socket.release()),
      slabs_(slabs),
      batch_(std::make_unique<Batch>()) {}

UdpSocket::~UdpSocket() {
  close();
}

Task<bool> UdpSocket::wait_readable() {
  if (!is_open()) co_return false;
  boost::system::error_code error;
  watcher_.assign(at_.protocol(), fd_, error);
  if (error) co_return false;
  // An error is one that the network told about something sent before; reading clears it.
  [[maybe_unused]] auto [told] = co_await watcher_.async_wait(udp::socket::wait_read, kAsValue);
  if (watcher_.is_open()) watcher_.release(error);
  co_return is_open();
}

void UdpSocket::wake() {
  boost::system::error_code ignored;
  if (watcher_.is_open()) watcher_.cancel(ignored);
}

bool UdpSocket::receive(std::vector<ReceivedDatagram>& into) {
  if (!is_open()) return false;
  if (!slab_) {
    slab_ = slabs_.take();
    next_slot_ = 0;
  }
  // Without a slab what has come is read into nothing, so that it does not come back stale when
  // there is room again.
  const std::size_t room = kSlotsPerSlab - next_slot_;
  Batch& batch = *batch_;
  for (std::size_t i = 0; i < room; ++i) {
    iovec& piece = batch.pieces[i][0];
    piece = {nullptr, 0};
    if (slab_) {
      const auto slot = slab_->slot(next_slot_ + i);
      piece = {slot.data(), slot.size()};
    }
    msghdr& message = batch.messages[i].msg_hdr;
    message = {};
    message.msg_name = batch.peers[i].data();
    message.msg_namelen = static_cast<socklen_t>(batch.peers[i].capacity());
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = batch.control[i].data();
    message.msg_controllen = kControlBytes;
  }
  const int count =
      ::recvmmsg(fd_, batch.messages.data(), static_cast<unsigned>(room), MSG_DONTWAIT, nullptr);
  // EAGAIN; or ECONNREFUSED and its like, which say that some peer is not there any more: its own
  // silence will tell.
  if (count <= 0) return count < 0 && errno != EAGAIN && errno != EBADF;
  const auto taken = static_cast<std::size_t>(count);
  if (!slab_) {
    counts_.no_memory += taken;
    return taken == room;
  }
  counts_.received += taken;
  for (std::size_t i = 0; i < taken; ++i) {
    const mmsghdr& message = batch.messages[i];
    if ((message.msg_hdr.msg_flags & MSG_TRUNC) != 0) {
      ++counts_.too_long;
      continue;
    }
    batch.peers[i].resize(message.msg_hdr.msg_namelen);
    into.push_back({Buffer(slab_->slot(next_slot_ + i).first(message.msg_len), slab_),
                    {batch.peers[i], local_address(message.msg_hdr)}});
  }
  next_slot_ += taken;
  if (next_slot_ == kSlotsPerSlab) slab_.reset();
  return taken == room;
}

void UdpSocket::send(std::span<const DatagramToSend> datagrams) {
  if (!is_open()) return;
  for (std::size_t from = 0; from < datagrams.size(); from += kSlotsPerSlab)
    send_batch(datagrams.subspan(from, std::min(kSlotsPerSlab, datagrams.size() - from)));
}

void UdpSocket::send_batch(std::span<const DatagramToSend> datagrams) {
  Batch& batch = *batch_;
  for (std::size_t i = 0; i < datagrams.size(); ++i) {
    const DatagramToSend& datagram = datagrams[i];
    msghdr& message = batch.messages[i].msg_hdr;
    message = {};
    message.msg_name = const_cast<sockaddr*>(datagram.path->peer.data());
    message.msg_namelen = static_cast<socklen_t>(datagram.path->peer.size());
    std::size_t pieces = 0;
    for (const ByteSpan bytes : {datagram.head, datagram.body})
      if (!bytes.empty())
        batch.pieces[i][pieces++] = {const_cast<std::byte*>(bytes.data()), bytes.size()};
    message.msg_iov = batch.pieces[i].data();
    message.msg_iovlen = pieces;
    if (datagram.path->local.is_unspecified()) continue;
    message.msg_control = batch.control[i].data();
    message.msg_controllen = kControlBytes;
    leave_from(datagram.path->local, message);
  }
  std::size_t done = 0;
  while (done < datagrams.size()) {
    const int count = ::sendmmsg(fd_, batch.messages.data() + done,
                                 static_cast<unsigned>(datagrams.size() - done), MSG_DONTWAIT);
    if (count > 0) {
      counts_.sent += static_cast<std::size_t>(count);
      done += static_cast<std::size_t>(count);
      continue;
    }
    if (errno == EAGAIN || errno == ENOBUFS) break;
    // This one alone: no route, forbidden by a filter, an error left over from an earlier peer.
    ++counts_.not_sent;
    ++done;
  }
  counts_.not_sent += datagrams.size() - done;
}

void UdpSocket::close() {
  boost::system::error_code ignored;
  if (watcher_.is_open())
    watcher_.close(ignored);
  else if (is_open())
    ::close(fd_);
  fd_ = -1;
  slab_.reset();
}

}  // namespace kapok::net
