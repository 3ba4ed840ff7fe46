#include "server/picture/packaging/disk_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace kapok::packaging {

namespace {
// Room ahead of a growing file, so that it is mapped once or twice, not once a part. Address space
// only; pages beyond the end of the file are never touched.
constexpr std::uint64_t kMapStep = std::uint64_t{8} * 1024 * 1024;
}  // namespace

FileHandle& FileHandle::operator=(FileHandle&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}
FileHandle::~FileHandle() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

DiskFile::~DiskFile() {
  for (const Mapping& mapping : mappings_) ::munmap(mapping.at, mapping.size);
}

Result<int> DiskFile::open_locked() const {
  if (file_.is_open()) return file_.get();
  const int descriptor = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return std::unexpected(system_error(errno, "open " + path_.string()));
  file_ = FileHandle(descriptor);
  return descriptor;
}

Result<int> DiskFile::descriptor() const {
  const std::lock_guard lock(mutex_);
  return open_locked();
}

Result<ByteSpan> DiskFile::mapped(std::uint64_t offset, std::uint64_t size) const {
  const std::lock_guard lock(mutex_);
  const std::uint64_t end = offset + size;
  if (mappings_.empty() || mappings_.back().size < end) {
    const int descriptor = KAPOK_TRY(open_locked());
    const std::uint64_t length = (end + kMapStep - 1) / kMapStep * kMapStep;
    void* at = ::mmap(nullptr, length, PROT_READ, MAP_SHARED, descriptor, 0);
    if (at == MAP_FAILED) return std::unexpected(system_error(errno, "map " + path_.string()));
    mappings_.push_back({at, length});
  }
  const auto* first = static_cast<const std::byte*>(mappings_.back().at);
  return ByteSpan(first + offset, size);
}

}  // namespace kapok::packaging
