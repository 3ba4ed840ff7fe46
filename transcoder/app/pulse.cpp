#include "transcoder/app/pulse.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <limits>

namespace kapok::transcoder {

ProcessCost::ProcessCost() : statm_(::open("/proc/self/statm", O_RDONLY | O_CLOEXEC)) {}
ProcessCost::~ProcessCost() {
  if (statm_ >= 0) ::close(statm_);
}

milliseconds ProcessCost::cpu() const {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto of = [](const timeval& time) {
    return seconds(time.tv_sec) + microseconds(time.tv_usec);
  };
  return std::chrono::duration_cast<milliseconds>(of(usage.ru_utime) + of(usage.ru_stime));
}

std::uint64_t ProcessCost::memory_bytes() const {
  // "<size> <resident> ...", in pages.
  char text[128];
  const ssize_t got = ::pread(statm_, text, sizeof text, 0);
  if (got <= 0) return 0;
  const char* end = text + got;
  const char* resident = std::find<const char*>(text, end, ' ');
  std::uint64_t pages = 0;
  if (resident != end) std::from_chars(resident + 1, end, pages);
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::optional<wire::Heartbeat> Pulse::beat(MonoTime now, const ladder::EngineStats& stats) {
  wire::Heartbeat beat;
  beat.decoded = stats.decoded;
  beat.decode_errors = stats.decode_errors;
  beat.dropped = stats.dropped;
  beat.device = stats.device;
  beat.waiting_ms = static_cast<std::uint32_t>(std::clamp<std::int64_t>(
      stats.waiting.count(), 0, std::numeric_limits<std::uint32_t>::max()));
  std::uint64_t done = stats.decoded + stats.decode_errors;
  for (const ladder::RungStats& rung : stats.rungs) {
    done += rung.encoded;
    beat.rungs.push_back({rung.rung, rung.encoded, rung.shed});
  }
  const std::uint64_t given = given_.load(std::memory_order_relaxed);
  const bool waits_for_work = given == last_given_ || stats.waiting <= milliseconds(0);
  if (done != last_done_ || waits_for_work) moved_ = now;
  last_done_ = done;
  last_given_ = given;
  if (now - moved_ >= stuck_) return std::nullopt;
  beat.cpu_ms = static_cast<std::uint64_t>(cost_.cpu().count());
  beat.memory_bytes = cost_.memory_bytes();
  return beat;
}

}  // namespace kapok::transcoder
