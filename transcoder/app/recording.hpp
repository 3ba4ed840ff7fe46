// What arrives, byte for byte, into a file for kapok-inspect. It stops at kMaxBytes: a recording
// that somebody forgot must not fill the disk.
#pragma once

#include <cstdint>
#include <string>

#include "server/base/bytes.hpp"
#include "server/base/result.hpp"

namespace kapok::transcoder {

class Recording {
 public:
  static constexpr std::uint64_t kMaxBytes = std::uint64_t{1} << 30;

  // Errors: io. An existing file is never overwritten.
  static Result<Recording> create(const std::string& path);
  Recording(Recording&& other) noexcept;
  Recording& operator=(Recording&&) = delete;
  ~Recording();
  void append(ByteSpan bytes);

 private:
  explicit Recording(int file) : file_(file) {}
  int file_;
  std::uint64_t written_ = 0;
};

}  // namespace kapok::transcoder
