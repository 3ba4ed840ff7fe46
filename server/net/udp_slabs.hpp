// Memory that datagrams are received into: slabs of equal slots, cut from one pool with a bound.
// A received datagram is a Buffer that shares its slab; the slab comes back to the pool when the
// last of its datagrams is gone, on whichever thread that is. Shared by all sockets of a listener.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

#include "server/base/bytes.hpp"

namespace kapok::net {

// The largest datagram that fits an Ethernet frame carries 1472 bytes (1500 less IPv4 and UDP
// headers); rounded up to whole cache lines. A longer one is cut by the kernel and not handed on.
constexpr std::size_t kDatagramSlot = 1536;
// One recvmmsg fills at most a slab.
constexpr std::size_t kSlotsPerSlab = 64;

struct UdpSlab {
  std::span<std::byte> slot(std::size_t index) {
    return std::span(memory).subspan(index * kDatagramSlot, kDatagramSlot);
  }
  std::array<std::byte, kSlotsPerSlab * kDatagramSlot> memory;
};

class UdpSlabs {
 public:
  // At most `limit_bytes` are in use at a time, one slab at least.
  explicit UdpSlabs(std::size_t limit_bytes);

  // Null: the limit is reached. From any thread.
  std::shared_ptr<UdpSlab> take();
  std::size_t in_use_bytes() const;

 private:
  struct Shelf {
    explicit Shelf(std::size_t slabs) : limit(slabs) {}
    void put(std::unique_ptr<UdpSlab> slab);
    // A mutex, because the last owner of a slab may be on any thread; held for a push or a pop,
    // once in 64 datagrams.
    mutable std::mutex mutex;
    std::vector<std::unique_ptr<UdpSlab>> spare;
    std::size_t in_use = 0;
    const std::size_t limit;
  };
  // Shared with the slabs that are out: they may outlive the pool.
  std::shared_ptr<Shelf> shelf_;
};

}  // namespace kapok::net
