// Room for payloads that we make ourselves (ciphers): cut from blocks of 64 KiB, so that a packet
// costs no allocation. A block lives as long as the last Buffer that was cut from it.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "server/base/buffer.hpp"

namespace kapok::srt {

class PayloadSlab {
 public:
  // Room for the next payload: valid until the next call.
  std::span<std::byte> room(std::size_t size) {
    if (left_ < size) {
      left_ = std::max(kBlock, size);
      block_ = std::make_shared_for_overwrite<std::byte[]>(left_);
      at_ = block_.get();
    }
    return {at_, size};
  }
  // The first `size` bytes of it, now immutable.
  Buffer take(std::size_t size) {
    Buffer taken(ByteSpan(at_, size), block_);
    at_ += size;
    left_ -= size;
    return taken;
  }

 private:
  static constexpr std::size_t kBlock = 64 * 1024;
  std::shared_ptr<std::byte[]> block_;
  std::byte* at_ = nullptr;
  std::size_t left_ = 0;
};

}  // namespace kapok::srt
