#include "server/app/server/instance_lock.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace kapok::app {

Result<InstanceLock> InstanceLock::take(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder.parent_path(), error);
  if (!error && ::mkdir(folder.c_str(), 0750) != 0 && errno != EEXIST)
    error.assign(errno, std::generic_category());
  if (error)
    return std::unexpected(Error{
        Errc::config,
        fmt::format("data.dir {}: {}; remedy: set data.dir to a folder that this user may write",
                    folder.string(), error.message())});
  const std::filesystem::path file = folder / "lock";
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
  if (fd < 0)
    return std::unexpected(Error{
        Errc::config, fmt::format("{}; remedy: set data.dir to a folder that this user may write",
                                  system_error(errno, file.string()).message)});
  InstanceLock lock(fd);
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    char text[32] = {};
    const ssize_t size = ::pread(fd, text, sizeof text - 1, 0);
    std::string holder(text, size > 0 ? static_cast<std::size_t>(size) : 0);
    holder.resize(std::min(holder.size(), holder.find_first_not_of("0123456789")));
    return fail(Errc::conflict,
                "data.dir {} is in use by process {}; remedy: stop that server, or set another "
                "data.dir",
                folder.string(), holder.empty() ? "unknown" : holder);
  }
  const std::string pid = fmt::format("{}\n", ::getpid());
  if (::ftruncate(fd, 0) != 0 ||
      ::pwrite(fd, pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size()))
    return std::unexpected(system_error(errno, file.string()));
  return lock;
}

InstanceLock::~InstanceLock() {
  if (fd_ >= 0) ::close(fd_);
}
InstanceLock::InstanceLock(InstanceLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
InstanceLock& InstanceLock::operator=(InstanceLock&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

}  // namespace kapok::app
