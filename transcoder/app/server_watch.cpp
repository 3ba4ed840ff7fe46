#include "transcoder/app/server_watch.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <utility>

#include "server/base/clock.hpp"

namespace kapok::transcoder {

namespace {

// As long as the ends that a worker comes to by itself may take.
constexpr milliseconds kGrace{5'000};

// Whether `stop` is readable before the time is up.
bool is_stopped_within(int stop, milliseconds patience) {
  const MonoTime end = SystemClock().mono() + patience;
  for (;;) {
    const auto left = std::chrono::ceil<milliseconds>(end - SystemClock().mono());
    pollfd ready{stop, POLLIN, 0};
    const int got = ::poll(&ready, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
    if (got > 0) return true;
    if (got == 0 || errno != EINTR) return false;
  }
}

// Nothing here may wait for a lock of the process: whoever holds it may be what is stuck.
void watch(int socket, int stop) {
  for (;;) {
    // No events asked for: what is reported is the hang-up alone.
    std::array<pollfd, 2> ready{{{socket, 0, 0}, {stop, POLLIN, 0}}};
    if (::poll(ready.data(), ready.size(), -1) < 0) {
      if (errno == EINTR) continue;
      return;
    }
    if (ready[1].revents != 0) return;
    if (!is_stopped_within(stop, kGrace)) ::_exit(ServerWatch::kServerGone);
    return;
  }
}

}  // namespace

Result<ServerWatch> ServerWatch::begin(int socket) {
  const int stop = ::eventfd(0, EFD_CLOEXEC);
  if (stop < 0) return std::unexpected(system_error(errno, "eventfd"));
  return ServerWatch(socket, stop);
}

ServerWatch::ServerWatch(int socket, int stop)
    : stop_(stop), thread_([socket, stop] { watch(socket, stop); }) {}

ServerWatch::ServerWatch(ServerWatch&& from) noexcept
    : stop_(std::exchange(from.stop_, -1)), thread_(std::move(from.thread_)) {}

ServerWatch::~ServerWatch() {
  if (stop_ < 0) return;
  constexpr std::uint64_t kOne = 1;
  [[maybe_unused]] const ssize_t written = ::write(stop_, &kOne, sizeof kOne);
  thread_.join();
  ::close(stop_);
}

}  // namespace kapok::transcoder
