#include "transcoder/app/recording.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace kapok::transcoder {

Result<Recording> Recording::create(const std::string& path) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) return std::unexpected(system_error(errno, "create " + path));
  return Recording(file);
}

Recording::Recording(Recording&& other) noexcept
    : file_(std::exchange(other.file_, -1)), written_(other.written_) {}

Recording::~Recording() {
  if (file_ >= 0) ::close(file_);
}

void Recording::append(ByteSpan bytes) {
  // Whole reads only: what is there ends where it ends, and a full disk ends the recording too.
  if (written_ + bytes.size() > kMaxBytes) return;
  const ssize_t wrote = ::write(file_, bytes.data(), bytes.size());
  written_ = wrote == static_cast<ssize_t>(bytes.size()) ? written_ + bytes.size() : kMaxBytes;
}

}  // namespace kapok::transcoder
