#include "server/picture/packaging/disk_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace kapok::packaging {

namespace {

constexpr std::size_t kIoVectors = 512;  // below IOV_MAX (1024)
// Room ahead of a growing file, so that it is mapped once or twice, not once a part. Address space
// only; pages beyond the end of the file are never touched.
constexpr std::uint64_t kMapStep = std::uint64_t{8} * 1024 * 1024;

}  // namespace

Result<void> write_all(int descriptor, std::vector<iovec> vectors, std::uint64_t offset) {
  std::size_t from = 0;
  while (from < vectors.size()) {
    const auto count = static_cast<int>(std::min(kIoVectors, vectors.size() - from));
    const ssize_t wrote =
        ::pwritev(descriptor, vectors.data() + from, count, static_cast<off_t>(offset));
    if (wrote < 0) {
      if (errno == EINTR) continue;
      const int number = errno;
      Error error = system_error(number, "write");
      if (number == ENOSPC || number == EDQUOT || number == EFBIG) error.code = Errc::full;
      return std::unexpected(std::move(error));
    }
    if (wrote == 0) return fail(Errc::io, "write: nothing written");
    offset += static_cast<std::uint64_t>(wrote);
    auto left = static_cast<std::size_t>(wrote);
    while (left > 0 && left >= vectors[from].iov_len) left -= vectors[from++].iov_len;
    while (from < vectors.size() && vectors[from].iov_len == 0) ++from;
    if (left > 0) {
      vectors[from].iov_base = static_cast<char*>(vectors[from].iov_base) + left;
      vectors[from].iov_len -= left;
    }
  }
  return {};
}

iovec vector_of(ByteSpan bytes) {
  // writev takes void* for historical reasons and does not write to it.
  return {const_cast<std::byte*>(bytes.data()), bytes.size()};
}

Result<Bytes> read_file(const std::filesystem::path& path, std::size_t limit) {
  const FileHandle file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open()) return std::unexpected(system_error(errno, "open " + path.string()));
  struct stat status{};
  if (::fstat(file.get(), &status) != 0)
    return std::unexpected(system_error(errno, "stat " + path.string()));
  if (static_cast<std::uint64_t>(status.st_size) > limit)
    return fail(Errc::limit, "{} is larger than {} bytes", path.string(), limit);
  Bytes bytes(static_cast<std::size_t>(status.st_size));
  std::size_t at = 0;
  while (at < bytes.size()) {
    const ssize_t got =
        ::pread(file.get(), bytes.data() + at, bytes.size() - at, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::unexpected(system_error(errno, "read " + path.string()));
    if (got == 0) break;
    at += static_cast<std::size_t>(got);
  }
  bytes.resize(at);
  return bytes;
}

namespace {

enum class Sync : std::uint8_t { no, before_rename };

// Written beside it and renamed: whoever looks finds the old file or the whole new one.
Result<FileHandle> replace(const std::filesystem::path& path, ByteSpan bytes, Sync sync) {
  const std::filesystem::path fresh = path.string() + ".new";
  FileHandle file(::open(fresh.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!file.is_open()) return std::unexpected(system_error(errno, "create " + fresh.string()));
  auto written = write_all(file.get(), {vector_of(bytes)}, 0);
  if (written && sync == Sync::before_rename && ::fdatasync(file.get()) != 0)
    written = std::unexpected(system_error(errno, "sync"));
  if (!written) {
    ::unlink(fresh.c_str());
    return std::unexpected(std::move(written).error().within(fresh.string()));
  }
  if (::rename(fresh.c_str(), path.c_str()) != 0)
    return std::unexpected(system_error(errno, "rename " + fresh.string()));
  return file;
}

}  // namespace

Result<FileHandle> replace_file(const std::filesystem::path& path, ByteSpan bytes) {
  return replace(path, bytes, Sync::no);
}

Result<FileHandle> replace_file_synced(const std::filesystem::path& path, ByteSpan bytes) {
  return replace(path, bytes, Sync::before_rename);
}

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
