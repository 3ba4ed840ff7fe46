// libavformat's reading of a file that is open already: pread and nothing else, so that the
// descriptor may be shared with others and a sandbox may be closed around it.
#pragma once

extern "C" {
#include <libavformat/avio.h>
}

#include <optional>

#include "server/base/result.hpp"

namespace kapok::file {

class DescriptorIo {
 public:
  explicit DescriptorIo(int descriptor);
  ~DescriptorIo();
  DescriptorIo(const DescriptorIo&) = delete;
  DescriptorIo& operator=(const DescriptorIo&) = delete;

  AVIOContext* context() { return context_; }
  // What the disk said, which libavformat tells as an end.
  std::optional<Error> error() const;

 private:
  static int read(void* self, std::uint8_t* to, int size);
  static std::int64_t seek(void* self, std::int64_t offset, int whence);

  int descriptor_;
  std::int64_t size_;
  std::int64_t at_ = 0;
  int error_ = 0;
  AVIOContext* context_;
};

}  // namespace kapok::file
