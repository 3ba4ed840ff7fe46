// The circular numbers of SRT. A packet's sequence number has 31 bits and its timestamp 32; both
// wrap within hours (31 bits: 53 h at 120 Mb/s; 32 bits of microseconds: 71.6 min), so they are
// compared by distance and never by value. Message numbers have 26 bits [draft 3.1].
#pragma once

#include <cstdint>

namespace kapok::srt {

class Sequence {
 public:
  static constexpr std::uint32_t kMask = 0x7FFF'FFFF;

  constexpr Sequence() = default;
  // The top bit marks control packets and loss ranges; it never belongs to the number.
  constexpr explicit Sequence(std::uint32_t value) : value_(value & kMask) {}

  constexpr std::uint32_t value() const { return value_; }
  constexpr Sequence operator+(std::uint32_t by) const { return Sequence(value_ + by); }
  constexpr Sequence operator-(std::uint32_t by) const { return Sequence(value_ - by); }
  constexpr bool operator==(const Sequence&) const = default;

  // How far this is ahead of `other` on the shorter way round: -2^30 .. 2^30 - 1.
  constexpr std::int32_t ahead_of(Sequence other) const {
    const std::uint32_t difference = (value_ - other.value_) & kMask;
    return difference < 0x4000'0000 ? static_cast<std::int32_t>(difference)
                                    : static_cast<std::int32_t>(difference | 0x8000'0000);
  }
  constexpr bool before(Sequence other) const { return ahead_of(other) < 0; }

 private:
  std::uint32_t value_ = 0;
};

struct SequenceRange {
  Sequence first;
  Sequence last;  // inclusive, not before first

  constexpr std::uint32_t count() const {
    return static_cast<std::uint32_t>(last.ahead_of(first)) + 1;
  }
};

class MessageNumber {
 public:
  static constexpr std::uint32_t kMask = 0x03FF'FFFF;

  constexpr MessageNumber() = default;
  constexpr explicit MessageNumber(std::uint32_t value) : value_(value & kMask) {}
  constexpr std::uint32_t value() const { return value_; }
  // Zero is skipped: in a drop request it means "unknown" [draft 3.2.9].
  constexpr MessageNumber next() const { return MessageNumber(value_ == kMask ? 1 : value_ + 1); }
  // So many messages later, or earlier.
  constexpr MessageNumber plus(std::int32_t messages) const {
    const std::int64_t at = (std::int64_t{value_} - 1 + messages) % kMask;
    return MessageNumber(static_cast<std::uint32_t>((at + kMask) % kMask + 1));
  }
  constexpr bool operator==(const MessageNumber&) const = default;

 private:
  std::uint32_t value_ = 1;
};

}  // namespace kapok::srt
