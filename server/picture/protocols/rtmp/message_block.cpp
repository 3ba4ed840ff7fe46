#include "server/picture/protocols/rtmp/message_block.hpp"

#include <algorithm>
#include <new>
#include <utility>

namespace kapok::rtmp {

namespace {
// Up to here a claim is allocated in one go: frames of common feeds never move.
constexpr std::size_t kTrustedBytes = std::size_t{256} * 1024;
}  // namespace

std::span<std::byte> MessageBlock::room(std::size_t wanted) {
  wanted = std::min(wanted, missing());
  if (capacity_ == size_ && wanted > 0) {
    const std::size_t grown = std::min(length_, std::max(kTrustedBytes, capacity_ * 2));
    void* moved = std::realloc(block_.get(), grown);
    if (moved == nullptr) throw std::bad_alloc();
    [[maybe_unused]] std::byte* old = block_.release();
    block_.reset(static_cast<std::byte*>(moved));
    capacity_ = grown;
  }
  return {block_.get() + size_, std::min(wanted, capacity_ - size_)};
}

Buffer MessageBlock::finish() {
  if (size_ == 0) return {};
  const ByteSpan view(block_.get(), size_);
  std::shared_ptr<const void> owner(block_.release(), [](const void* block) {
    std::free(const_cast<void*>(block));  // malloc's own, only viewed as const
  });
  *this = MessageBlock();
  return {view, std::move(owner)};
}

}  // namespace kapok::rtmp
