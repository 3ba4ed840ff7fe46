// Reading and writing big-endian binary formats without ever touching a byte past the end.
// ByteReader returns errors as values (Errc::malformed, "cut short"); ByteWriter appends to a
// vector.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/result.hpp"

namespace kapok {

using ByteSpan = std::span<const std::byte>;
using Bytes = std::vector<std::byte>;

inline ByteSpan as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text));
}
inline ByteSpan as_bytes(const std::uint8_t* first, std::size_t size) {
  return std::as_bytes(std::span(first, size));
}
inline std::string_view as_text(ByteSpan bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline const std::uint8_t* as_u8(ByteSpan bytes) {
  return reinterpret_cast<const std::uint8_t*>(bytes.data());
}
inline Bytes to_bytes(std::string_view text) {
  const ByteSpan bytes = as_bytes(text);
  return {bytes.begin(), bytes.end()};
}

class ByteReader {
 public:
  explicit ByteReader(ByteSpan bytes) : bytes_(bytes) {}

  std::size_t left() const { return bytes_.size() - at_; }
  std::size_t offset() const { return at_; }
  bool empty() const { return left() == 0; }
  ByteSpan rest() const { return bytes_.subspan(at_); }

  Result<std::uint8_t> u8() { return number<std::uint8_t>(1); }
  Result<std::uint16_t> u16() { return number<std::uint16_t>(2); }
  Result<std::uint32_t> u24() { return number<std::uint32_t>(3); }
  Result<std::uint32_t> u32() { return number<std::uint32_t>(4); }
  Result<std::uint64_t> u64() { return number<std::uint64_t>(8); }
  Result<ByteSpan> take(std::size_t size) {
    if (left() < size) return cut_short(size);
    const ByteSpan taken = bytes_.subspan(at_, size);
    at_ += size;
    return taken;
  }
  Result<void> skip(std::size_t size) {
    if (left() < size) return cut_short(size);
    at_ += size;
    return {};
  }

 private:
  template <class T>
  Result<T> number(std::size_t size) {
    if (left() < size) return cut_short(size);
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i)
      value = (value << 8) | std::to_integer<std::uint64_t>(bytes_[at_ + i]);
    at_ += size;
    return static_cast<T>(value);
  }
  std::unexpected<Error> cut_short(std::size_t wanted) const;

  ByteSpan bytes_;
  std::size_t at_ = 0;
};

class ByteWriter {
 public:
  explicit ByteWriter(Bytes& out) : out_(out) {}

  std::size_t size() const { return out_.size(); }
  void u8(std::uint8_t value) { out_.push_back(static_cast<std::byte>(value)); }
  void u16(std::uint16_t value) { number(value, 2); }
  void u24(std::uint32_t value) { number(value, 3); }
  void u32(std::uint32_t value) { number(value, 4); }
  void u64(std::uint64_t value) { number(value, 8); }
  void bytes(ByteSpan bytes) { out_.insert(out_.end(), bytes.begin(), bytes.end()); }
  void text(std::string_view text) { bytes(as_bytes(text)); }
  void zeros(std::size_t count) { out_.resize(out_.size() + count); }
  // Overwrites four bytes already written: lengths known only afterwards.
  void patch_u32(std::size_t at, std::uint32_t value) {
    for (std::size_t i = 0; i < 4; ++i)
      out_[at + i] = static_cast<std::byte>(value >> (24 - 8 * i));
  }

 private:
  void number(std::uint64_t value, unsigned size) {
    for (unsigned i = size; i-- > 0;) out_.push_back(static_cast<std::byte>(value >> (8 * i)));
  }
  Bytes& out_;
};

}  // namespace kapok
