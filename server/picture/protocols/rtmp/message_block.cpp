#include "server/picture/protocols/rtmp/message_block.hpp"

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>

#include "server/base/block_pool.hpp"

namespace kapok::rtmp {

namespace {
// Up to here a claim is allocated in one go: frames of common feeds never move.
constexpr std::size_t kTrustedBytes = std::size_t{256} * 1024;

// Never taken down: packets may outlive everything else, until the process ends.
BlockPool& pool() {
  static BlockPool& blocks = *new BlockPool();
  return blocks;
}
}  // namespace

MessageBlock& MessageBlock::operator=(MessageBlock&& other) noexcept {
  MessageBlock moved(std::move(other));
  std::swap(block_, moved.block_);
  std::swap(length_, moved.length_);
  std::swap(size_, moved.size_);
  return *this;
}

MessageBlock::~MessageBlock() {
  if (!block_.empty()) pool().give(block_);
}

std::span<std::byte> MessageBlock::room(std::size_t wanted) {
  wanted = std::min(wanted, missing());
  if (block_.size() == size_ && wanted > 0) {
    MessageBlock grown(length_);
    grown.block_ = pool().take(std::min(length_, std::max(kTrustedBytes, 2 * size_)));
    if (size_ > 0) std::memcpy(grown.block_.data(), block_.data(), size_);
    grown.size_ = size_;
    *this = std::move(grown);
  }
  return block_.subspan(size_, std::min(wanted, block_.size() - size_));
}

Buffer MessageBlock::finish() {
  if (size_ == 0) return {};
  struct Back {
    std::span<std::byte> block;
    void operator()(const std::byte*) const { pool().give(block); }
  };
  const Back back{std::exchange(block_, {})};
  const ByteSpan view = back.block.first(size_);
  *this = MessageBlock();
  return {view, std::shared_ptr<const void>(view.data(), back)};
}

}  // namespace kapok::rtmp
