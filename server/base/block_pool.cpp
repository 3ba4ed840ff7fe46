#include "server/base/block_pool.hpp"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <new>

namespace kapok {

namespace {

constexpr std::size_t kSteps = 4;

bool is_pooled(std::size_t bytes) {
  return bytes >= BlockPool::kSmallest && bytes <= BlockPool::kLargest;
}

std::byte* allocate(std::size_t bytes) {
  auto* block = static_cast<std::byte*>(std::malloc(bytes));
  if (block == nullptr) throw std::bad_alloc();
  return block;
}

}  // namespace

BlockPool::~BlockPool() {
  for (std::vector<std::byte*>& blocks : spare_)
    for (std::byte* block : blocks) std::free(block);
}

// Of the smallest size that holds `bytes`.
std::size_t BlockPool::place_of(std::size_t bytes) {
  const auto doubling = static_cast<std::size_t>(std::bit_width(bytes - 1)) - 1;
  const std::size_t base = std::size_t{1} << doubling;
  const std::size_t step = (bytes - base + base / kSteps - 1) / (base / kSteps);
  constexpr std::size_t kFirst = std::bit_width(kSmallest) - 1;
  return bytes == kSmallest ? 0 : (doubling - kFirst) * kSteps + step;
}

std::size_t BlockPool::size_at(std::size_t place) {
  const std::size_t base = kSmallest << (place / kSteps);
  return base + base / kSteps * (place % kSteps);
}

std::span<std::byte> BlockPool::take(std::size_t bytes) {
  if (!is_pooled(bytes)) return {allocate(bytes), bytes};
  const std::size_t place = place_of(bytes);
  const std::size_t size = size_at(place);
  {
    const std::lock_guard lock(mutex_);
    use_.taken += size;
    if (std::vector<std::byte*>& blocks = spare_[place]; !blocks.empty()) {
      std::byte* block = blocks.back();
      blocks.pop_back();
      use_.spare -= size;
      return {block, size};
    }
  }
  return {allocate(size), size};
}

void BlockPool::give(std::span<std::byte> block) {
  if (!is_pooled(block.size())) return std::free(block.data());
  std::vector<std::byte*> dropped;
  {
    const std::lock_guard lock(mutex_);
    use_.taken -= block.size();
    use_.spare += block.size();
    spare_[place_of(block.size())].push_back(block.data());
    drop_spare(dropped);
  }
  for (std::byte* each : dropped) std::free(each);
}

// The oldest of the largest first: what a feed that has ended left behind goes in few steps.
void BlockPool::drop_spare(std::vector<std::byte*>& dropped) {
  const std::size_t limit = use_.taken + kSpareBytes;
  for (std::size_t place = kSizes; place-- > 0 && use_.spare > limit;) {
    std::vector<std::byte*>& blocks = spare_[place];
    std::size_t count = 0;
    for (; count < blocks.size() && use_.spare > limit; ++count) use_.spare -= size_at(place);
    const auto end = blocks.begin() + static_cast<std::ptrdiff_t>(count);
    dropped.insert(dropped.end(), blocks.begin(), end);
    blocks.erase(blocks.begin(), end);
  }
}

BlockPool::Use BlockPool::use() const {
  const std::lock_guard lock(mutex_);
  return use_;
}

}  // namespace kapok
