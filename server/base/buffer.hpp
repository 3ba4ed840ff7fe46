// Immutable bytes with a shared owner. Copying or slicing a Buffer costs one reference count, never
// a copy of the payload; this is what lets one packet go to every rendition, worker and viewer.
// Thread-safe as std::shared_ptr<const T> is: any thread may hold and read one.
#pragma once

#include <memory>
#include <utility>

#include "server/base/bytes.hpp"

namespace kapok {

class Buffer {
 public:
  Buffer() = default;
  // Takes the vector over; no copy.
  explicit Buffer(Bytes bytes) {
    auto owner = std::make_shared<const Bytes>(std::move(bytes));
    view_ = ByteSpan(*owner);
    owner_ = std::move(owner);
  }
  // A view of memory that `owner` keeps alive and unchanged.
  Buffer(ByteSpan view, std::shared_ptr<const void> owner)
      : view_(view), owner_(std::move(owner)) {}
  static Buffer copy_of(ByteSpan bytes) { return Buffer(Bytes(bytes.begin(), bytes.end())); }
  static Buffer copy_of(std::string_view text) { return copy_of(as_bytes(text)); }

  ByteSpan bytes() const { return view_; }
  std::string_view text() const { return as_text(view_); }
  const std::byte* data() const { return view_.data(); }
  std::size_t size() const { return view_.size(); }
  bool empty() const { return view_.empty(); }
  // Shares the owner: a small slice pins the whole block, so copy_of() what is small and
  // long-lived.
  Buffer slice(std::size_t offset, std::size_t size) const {
    return {view_.subspan(offset, size), owner_};
  }
  Buffer slice(std::size_t offset) const { return {view_.subspan(offset), owner_}; }

 private:
  ByteSpan view_;
  std::shared_ptr<const void> owner_;
};

}  // namespace kapok
