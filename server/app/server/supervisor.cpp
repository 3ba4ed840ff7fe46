#include "server/app/server/supervisor.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>

namespace kapok::app {

Supervisor::Supervisor() {
  // Read once, at start, before there are threads.
  if (const char* socket = std::getenv("NOTIFY_SOCKET")) socket_ = socket;  // NOLINT
  if (const char* text = std::getenv("WATCHDOG_USEC")) {                    // NOLINT
    const std::string_view digits(text);
    std::int64_t count = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), count);
    if (error == std::errc{} && end == digits.data() + digits.size() && count > 0)
      watchdog_ = microseconds(count);
  }
}

Result<void> Supervisor::send(std::string_view message) const {
  if (socket_.empty()) return {};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_.size() >= sizeof address.sun_path || (socket_[0] != '/' && socket_[0] != '@'))
    return fail(Errc::config, "NOTIFY_SOCKET is neither a path nor an abstract socket");
  std::memcpy(address.sun_path, socket_.data(), socket_.size());
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';  // [unix(7)] abstract
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.size());
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return std::unexpected(system_error(errno, "open a socket to the supervisor"));
  const ssize_t sent = ::sendto(fd, message.data(), message.size(), MSG_NOSIGNAL,
                                reinterpret_cast<const sockaddr*>(&address), size);
  const int error = errno;
  ::close(fd);
  if (sent < 0) return std::unexpected(system_error(error, "tell the supervisor"));
  return {};
}

Result<void> Supervisor::ready(std::string_view status) const {
  return send(fmt::format("READY=1\nSTATUS={}\n", status));
}
Result<void> Supervisor::reloading(const Clock& clock) const {
  const auto now = std::chrono::duration_cast<microseconds>(clock.mono().time_since_epoch());
  return send(fmt::format("RELOADING=1\nMONOTONIC_USEC={}\n", now.count()));
}
Result<void> Supervisor::stopping() const {
  return send("STOPPING=1\nSTATUS=draining\n");
}
Result<void> Supervisor::status(std::string_view text) const {
  return send(fmt::format("STATUS={}\n", text));
}
Result<void> Supervisor::alive() const {
  return send("WATCHDOG=1\n");
}

std::optional<microseconds> Supervisor::alive_interval() const {
  // [sd_watchdog_enabled(3)] half of it is recommended.
  if (!watchdog_) return std::nullopt;
  return *watchdog_ / 2;
}

}  // namespace kapok::app
