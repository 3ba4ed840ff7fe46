#include "server/picture/vod/files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace kapok::vod {

Result<Bytes> read_small_file(const std::filesystem::path& path, std::size_t limit) {
  const packaging::FileHandle file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
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

Result<void> write_at(int descriptor, std::uint64_t offset, std::span<const ByteSpan> parts) {
  for (ByteSpan part : parts)
    while (!part.empty()) {
      const ssize_t wrote =
          ::pwrite(descriptor, part.data(), part.size(), static_cast<off_t>(offset));
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote <= 0) {
        const int number = wrote < 0 ? errno : EIO;
        Error error = system_error(number, "write");
        if (number == ENOSPC || number == EDQUOT || number == EFBIG) error.code = Errc::full;
        return std::unexpected(std::move(error));
      }
      part = part.subspan(static_cast<std::size_t>(wrote));
      offset += static_cast<std::uint64_t>(wrote);
    }
  return {};
}

Result<packaging::FileHandle> replace_file(const std::filesystem::path& path, ByteSpan bytes) {
  const std::filesystem::path fresh = path.string() + ".new";
  packaging::FileHandle file(::open(fresh.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!file.is_open()) return std::unexpected(system_error(errno, "create " + fresh.string()));
  const ByteSpan parts[] = {bytes};
  auto written = write_at(file.get(), 0, parts);
  if (!written || ::fdatasync(file.get()) != 0) {
    const int number = errno;
    ::unlink(fresh.c_str());
    if (!written) return std::unexpected(std::move(written).error().within(fresh.string()));
    return std::unexpected(system_error(number, "sync " + fresh.string()));
  }
  if (::rename(fresh.c_str(), path.c_str()) != 0)
    return std::unexpected(system_error(errno, "rename " + fresh.string()));
  return file;
}

}  // namespace kapok::vod
