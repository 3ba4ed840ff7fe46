// The bytes of one connection between socket and parser. Small until there is a publisher behind
// it (an idle connection must cost little), then large enough that a frame of a 4K feed comes in
// one read. What is not understood yet moves to the front: never more than one header.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>

#include "server/base/bytes.hpp"

namespace kapok::rtmp {

constexpr std::size_t kSmallStagingBytes = std::size_t{4} * 1024;  // C0..C2 and a connect command
constexpr std::size_t kLargeStagingBytes = std::size_t{128} * 1024;

class Staging {
 public:
  Staging() { grow(kSmallStagingBytes); }

  std::span<std::byte> room() {
    if (begin_ == end_) {
      begin_ = end_ = 0;
    } else if (begin_ > 0) {
      std::memmove(block_.get(), block_.get() + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
    }
    return {block_.get() + end_, capacity_ - end_};
  }
  void filled(std::size_t count) { end_ += count; }
  ByteSpan bytes() const { return {block_.get() + begin_, end_ - begin_}; }
  void consume(std::size_t count) { begin_ += count; }
  bool empty() const { return begin_ == end_; }

  void grow(std::size_t capacity) {
    if (capacity <= capacity_) return;
    auto larger = std::make_unique_for_overwrite<std::byte[]>(capacity);
    if (!empty()) std::memcpy(larger.get(), block_.get() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
    block_ = std::move(larger);
    capacity_ = capacity;
  }

 private:
  std::unique_ptr<std::byte[]> block_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace kapok::rtmp
