// The memory of one message while its chunks arrive. It grows as bytes come, so a claimed length
// costs its sender nothing and us nothing; large blocks grow by realloc, which moves pages instead
// of copying. When complete, finish() hands the block over as a Buffer: no copy.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <span>

#include "server/base/buffer.hpp"

namespace kapok::rtmp {

class MessageBlock {
 public:
  MessageBlock() = default;
  // `length` is the peer's claim.
  explicit MessageBlock(std::size_t length) : length_(length) {}

  std::size_t size() const { return size_; }
  std::size_t missing() const { return length_ - size_; }
  std::size_t capacity() const { return capacity_; }

  // Room for up to `wanted` more bytes (at least one, at most missing()).
  std::span<std::byte> room(std::size_t wanted);
  // `count` bytes were written at the start of room().
  void filled(std::size_t count) { size_ += count; }
  Buffer finish();

 private:
  struct Free {
    void operator()(std::byte* block) const { std::free(block); }
  };
  std::unique_ptr<std::byte[], Free> block_;
  std::size_t length_ = 0;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace kapok::rtmp
