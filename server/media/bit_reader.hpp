// Reads the bit fields of parameter sets (AVC, HEVC, AV1, audio headers). It never reads past the
// end: a read that would, and a value over the limit given with it, returns 0 and is remembered, so
// a parser reads its fields straight on and asks ok() before it trusts them. Loop counts come from
// ue(max), therefore no loop runs longer than its caller allows, whatever the bytes say.
#pragma once

#include <cstddef>
#include <cstdint>

#include "server/base/bytes.hpp"

namespace kapok::media {

class BitReader {
 public:
  explicit BitReader(ByteSpan bytes) : bytes_(bytes) {}

  bool ok() const { return !failed_; }
  std::size_t position() const { return at_; }  // in bits
  std::size_t bits_left() const { return bytes_.size() * 8 - at_; }

  // At most 32 bits.
  std::uint32_t bits(unsigned count) {
    if (count > bits_left()) return give_up();
    std::uint64_t value = 0;
    for (unsigned taken = 0; taken < count;) {
      const unsigned in_byte = 8 - static_cast<unsigned>(at_ % 8);
      const unsigned now = count - taken < in_byte ? count - taken : in_byte;
      const auto byte = std::to_integer<unsigned>(bytes_[at_ / 8]);
      value = (value << now) | ((byte >> (in_byte - now)) & ((1u << now) - 1));
      at_ += now;
      taken += now;
    }
    return static_cast<std::uint32_t>(value);
  }
  std::uint8_t u8(unsigned count) { return static_cast<std::uint8_t>(bits(count)); }
  bool flag() { return bits(1) != 0; }
  void skip(std::size_t count) {
    if (count > bits_left())
      give_up();
    else
      at_ += count;
  }
  void align() { skip((8 - at_ % 8) % 8); }

  // Exp-Golomb codes [H.264 9.1, H.265 9.2]. A value above `max` is a failure.
  std::uint32_t ue(std::uint32_t max) {
    unsigned zeros = 0;
    while (bits(1) == 0) {
      if (failed_ || ++zeros > 32) return give_up();
    }
    if (zeros == 32) return bits(32) == 0 && max == UINT32_MAX ? UINT32_MAX : give_up();
    const std::uint32_t value = ((1u << zeros) - 1) + bits(zeros);
    return value <= max ? value : give_up();
  }
  std::int32_t se(std::int32_t min, std::int32_t max) {
    const std::uint32_t code = ue(UINT32_MAX - 1);
    const std::int64_t half = (std::int64_t{code} + 1) / 2;
    const std::int64_t value = code % 2 == 1 ? half : -half;
    if (value < min || value > max) {
      give_up();
      return 0;
    }
    return static_cast<std::int32_t>(value);
  }

 private:
  std::uint32_t give_up() {
    failed_ = true;
    at_ = bytes_.size() * 8;
    return 0;
  }
  ByteSpan bytes_;
  std::size_t at_ = 0;
  bool failed_ = false;
};

}  // namespace kapok::media
