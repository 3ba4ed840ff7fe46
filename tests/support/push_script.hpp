// An FLV file as the bytes that go over an RTMP connection, chunked once and shared by every copy
// that is pushed. Times are deltas (chunk format 1), so a loop of the file is the same bytes again;
// only the first message of each kind differs between the first loop (an absolute time) and later
// ones (the step over the seam).
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "server/base/bytes.hpp"

namespace kapok::support {

class PushScript {
 public:
  // Errors: io, malformed (not an FLV file, no media).
  static Result<PushScript> load(const std::filesystem::path& flv, std::uint32_t chunk_bytes);

  struct Step {
    std::uint32_t due_ms = 0;  // from the loop's start
    ByteSpan first;            // in the first loop
    ByteSpan again;            // in later ones
  };
  const std::vector<Step>& steps() const { return steps_; }
  std::uint32_t loop_ms() const { return loop_ms_; }

 private:
  Bytes bytes_;
  std::vector<Step> steps_;
  std::uint32_t loop_ms_ = 0;
};

}  // namespace kapok::support
