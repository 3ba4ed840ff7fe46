// Appends ISO boxes to bytes; a box's size is filled in when its scope ends:
//   Box moof(out, "moof");  { Box mfhd(out, "mfhd", 0, 0); out.u32(sequence); }
#pragma once

#include <cstdint>
#include <string_view>

#include "server/base/bytes.hpp"

namespace kapok::cmaf {

class Box {
 public:
  Box(ByteWriter& out, std::string_view type) : out_(out), start_(out.size()) {
    out_.u32(0);
    out_.text(type);
  }
  // A full box.
  Box(ByteWriter& out, std::string_view type, std::uint8_t version, std::uint32_t flags)
      : Box(out, type) {
    out_.u8(version);
    out_.u24(flags);
  }
  ~Box() { out_.patch_u32(start_, static_cast<std::uint32_t>(out_.size() - start_)); }
  Box(const Box&) = delete;
  Box& operator=(const Box&) = delete;

 private:
  ByteWriter& out_;
  std::size_t start_;
};

}  // namespace kapok::cmaf
