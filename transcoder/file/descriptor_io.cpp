#include "transcoder/file/descriptor_io.hpp"

extern "C" {
#include <libavutil/error.h>
#include <libavutil/mem.h>
}

#include <unistd.h>

#include <cerrno>
#include <new>

namespace kapok::file {

namespace {
constexpr int kBufferBytes = 256 * 1024;
}

// lseek, because the C library's fstat is a system call that looks up names, which the sandbox has
// not. Where the descriptor stands matters to nobody.
DescriptorIo::DescriptorIo(int descriptor)
    : descriptor_(descriptor), size_(::lseek(descriptor, 0, SEEK_END)) {
  auto* buffer = static_cast<unsigned char*>(av_malloc(kBufferBytes));
  context_ = buffer == nullptr
                 ? nullptr
                 : avio_alloc_context(buffer, kBufferBytes, 0, this, read, nullptr, seek);
  if (context_ == nullptr) throw std::bad_alloc();
}

DescriptorIo::~DescriptorIo() {
  av_freep(&context_->buffer);  // may be another one by now
  avio_context_free(&context_);
}

std::optional<Error> DescriptorIo::error() const {
  if (error_ == 0) return std::nullopt;
  return system_error(error_, "reading the file");
}

int DescriptorIo::read(void* opaque, std::uint8_t* to, int size) {
  auto& self = *static_cast<DescriptorIo*>(opaque);
  while (true) {
    const ssize_t got = ::pread(self.descriptor_, to, static_cast<std::size_t>(size), self.at_);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      self.error_ = errno;
      return AVERROR(self.error_);
    }
    if (got == 0) return AVERROR_EOF;
    self.at_ += got;
    return static_cast<int>(got);
  }
}

std::int64_t DescriptorIo::seek(void* opaque, std::int64_t offset, int whence) {
  auto& self = *static_cast<DescriptorIo*>(opaque);
  whence &= ~AVSEEK_FORCE;
  if (whence == AVSEEK_SIZE) return self.size_;
  std::int64_t to = offset;
  if (whence == SEEK_CUR) to = self.at_ + offset;
  if (whence == SEEK_END) to = self.size_ + offset;
  if (to < 0) return AVERROR(EINVAL);
  return self.at_ = to;
}

}  // namespace kapok::file
