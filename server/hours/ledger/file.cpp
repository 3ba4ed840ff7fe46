#include "server/hours/ledger/file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace kapok::ledger {

namespace {

std::unexpected<Error> io_failure(std::string_view what, const std::filesystem::path& path) {
  return std::unexpected(system_error(errno, fmt::format("{} {}", what, path.string())));
}

}  // namespace

Result<File> File::open_for_writing(const std::filesystem::path& path) {
  const int number = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
  if (number < 0) return io_failure("open", path);
  return File(number, path);
}

Result<File> File::open_for_reading(const std::filesystem::path& path) {
  const int number = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (number < 0) return io_failure("open", path);
  return File(number, path);
}

File::File(File&& other) noexcept
    : number_(std::exchange(other.number_, -1)), path_(std::move(other.path_)) {}

File& File::operator=(File&& other) noexcept {
  std::swap(number_, other.number_);
  std::swap(path_, other.path_);
  return *this;
}

File::~File() {
  if (number_ >= 0) ::close(number_);
}

Result<std::uint64_t> File::size() const {
  struct stat status{};
  if (::fstat(number_, &status) != 0) return io_failure("look at", path_);
  return static_cast<std::uint64_t>(status.st_size);
}

Result<void> File::write_at(std::uint64_t offset, ByteSpan bytes) const {
  while (!bytes.empty()) {
    const ssize_t written =
        ::pwrite(number_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return io_failure("write", path_);
    offset += static_cast<std::uint64_t>(written);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return {};
}

Result<void> File::read_at(std::uint64_t offset, std::span<std::byte> out) const {
  while (!out.empty()) {
    const ssize_t got = ::pread(number_, out.data(), out.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return io_failure("read", path_);
    if (got == 0)
      return fail(Errc::malformed, "{} ends before byte {}", path_.string(), offset + out.size());
    offset += static_cast<std::uint64_t>(got);
    out = out.subspan(static_cast<std::size_t>(got));
  }
  return {};
}

Result<void> File::sync() const {
  if (::fdatasync(number_) != 0) return io_failure("sync", path_);
  return {};
}

Result<void> File::truncate(std::uint64_t size) const {
  if (::ftruncate(number_, static_cast<off_t>(size)) != 0) return io_failure("truncate", path_);
  return {};
}

bool File::try_lock() const {
  return ::flock(number_, LOCK_EX | LOCK_NB) == 0;
}

Result<void> sync_folder(const std::filesystem::path& path) {
  const int number = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (number < 0) return io_failure("open", path);
  const int failed = ::fsync(number);
  const int saved = errno;
  ::close(number);
  errno = saved;
  if (failed != 0) return io_failure("sync", path);
  return {};
}

Result<void> replace_file(const std::filesystem::path& path, ByteSpan bytes, mode_t mode) {
  std::filesystem::path partial = path;
  partial += ".new";
  ::unlink(partial.c_str());  // a left-over of a crash may have another mode
  const int number = ::open(partial.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (number < 0) return io_failure("create", partial);
  while (!bytes.empty()) {
    const ssize_t written = ::write(number, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      const int saved = errno;
      ::close(number);
      errno = saved;
      return io_failure("write", partial);
    }
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  const int failed = ::fsync(number);
  const int saved = errno;
  ::close(number);
  errno = saved;
  if (failed != 0) return io_failure("sync", partial);
  if (::rename(partial.c_str(), path.c_str()) != 0) return io_failure("rename to", path);
  return sync_folder(path.parent_path());
}

Result<Bytes> read_small_file(const std::filesystem::path& path, std::size_t limit) {
  const File file = KAPOK_TRY(File::open_for_reading(path));
  const std::uint64_t size = KAPOK_TRY(file.size());
  if (size > limit) return fail(Errc::limit, "{} is larger than {} bytes", path.string(), limit);
  Bytes bytes(static_cast<std::size_t>(size));
  KAPOK_TRY(file.read_at(0, bytes));
  return bytes;
}

}  // namespace kapok::ledger
