#include "server/net/udp_slabs.hpp"

#include <algorithm>
#include <utility>

namespace kapok::net {

namespace {
// Kept for the next burst; more than that goes back to the system.
constexpr std::size_t kMostSpare = 64;
}  // namespace

UdpSlabs::UdpSlabs(std::size_t limit_bytes)
    : shelf_(std::make_shared<Shelf>(std::max<std::size_t>(1, limit_bytes / sizeof(UdpSlab)))) {}

std::shared_ptr<UdpSlab> UdpSlabs::take() {
  std::unique_ptr<UdpSlab> slab;
  {
    const std::lock_guard lock(shelf_->mutex);
    if (shelf_->in_use >= shelf_->limit) return nullptr;
    ++shelf_->in_use;
    if (!shelf_->spare.empty()) {
      slab = std::move(shelf_->spare.back());
      shelf_->spare.pop_back();
    }
  }
  // Not zeroed: what the kernel did not write is never shown.
  if (!slab) slab.reset(new UdpSlab);
  return {slab.release(),
          [shelf = shelf_](UdpSlab* used) { shelf->put(std::unique_ptr<UdpSlab>(used)); }};
}

void UdpSlabs::Shelf::put(std::unique_ptr<UdpSlab> slab) {
  const std::lock_guard lock(mutex);
  --in_use;
  if (spare.size() < kMostSpare) spare.push_back(std::move(slab));
}

std::size_t UdpSlabs::in_use_bytes() const {
  const std::lock_guard lock(shelf_->mutex);
  return shelf_->in_use * sizeof(UdpSlab);
}

}  // namespace kapok::net
