// The memory of one message while its chunks arrive, of a pool that all connections share. It grows
// as bytes come, so a claimed length costs its sender nothing and us nothing. When complete,
// finish() hands the block over as a Buffer: no copy.
#pragma once

#include <cstddef>
#include <span>
#include <utility>

#include "server/base/buffer.hpp"

namespace kapok::rtmp {

class MessageBlock {
 public:
  MessageBlock() = default;
  // `length` is the peer's claim.
  explicit MessageBlock(std::size_t length) : length_(length) {}
  MessageBlock(MessageBlock&& other) noexcept
      : block_(std::exchange(other.block_, {})),
        length_(std::exchange(other.length_, 0)),
        size_(std::exchange(other.size_, 0)) {}
  MessageBlock& operator=(MessageBlock&& other) noexcept;
  ~MessageBlock();

  std::size_t size() const { return size_; }
  std::size_t missing() const { return length_ - size_; }
  std::size_t capacity() const { return block_.size(); }

  // Room for up to `wanted` more bytes (at least one, at most missing()).
  std::span<std::byte> room(std::size_t wanted);
  // `count` bytes were written at the start of room().
  void filled(std::size_t count) { size_ += count; }
  Buffer finish();

 private:
  std::span<std::byte> block_;  // ours, of the pool
  std::size_t length_ = 0;
  std::size_t size_ = 0;
};

}  // namespace kapok::rtmp
