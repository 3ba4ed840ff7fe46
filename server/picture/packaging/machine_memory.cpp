#include "server/picture/packaging/machine_memory.hpp"

#include <atomic>
#include <charconv>
#include <chrono>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>

namespace kapok::packaging {

namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1024} * 1024;

// A line of /proc/meminfo: "MemAvailable:   22481920 kB".
std::uint64_t bytes_of(std::string_view meminfo, std::string_view name) {
  const std::size_t at = meminfo.find(name);
  if (at == std::string_view::npos) return 0;
  const std::string_view line = meminfo.substr(at + name.size(), 40);
  std::uint64_t kibibytes = 0;
  const std::size_t digits = line.find_first_of("0123456789");
  if (digits != std::string_view::npos)
    std::from_chars(line.data() + digits, line.data() + line.size(), kibibytes);
  return kibibytes * 1024;
}

}  // namespace

MachineMemory MachineMemory::parse(std::string_view meminfo) {
  return {bytes_of(meminfo, "MemTotal:"), bytes_of(meminfo, "MemAvailable:"),
          bytes_of(meminfo, "SwapTotal:")};
}

MachineMemory MachineMemory::now() {
  std::ifstream file("/proc/meminfo");
  return parse(std::string(std::istreambuf_iterator<char>(file), {}));
}

std::uint64_t MachineMemory::left() const {
  if (total == 0) return std::numeric_limits<std::uint64_t>::max();
  const std::uint64_t kept = swap > 0 ? 256 * kMiB : 1024 * kMiB;
  return available > kept ? available - kept : 0;
}

bool MachineMemory::may_swap() const {
  return swap > 0 && available < total / 8;
}

bool machine_may_swap() {
  using Clock = std::chrono::steady_clock;
  static std::atomic<Clock::duration> next{Clock::duration::min()};
  static std::atomic<bool> may_swap{false};
  const Clock::duration now = Clock::now().time_since_epoch();
  Clock::duration due = next.load(std::memory_order_relaxed);
  if (now >= due &&
      next.compare_exchange_strong(due, now + std::chrono::seconds(1), std::memory_order_relaxed))
    may_swap.store(MachineMemory::now().may_swap(), std::memory_order_relaxed);
  return may_swap.load(std::memory_order_relaxed);
}

}  // namespace kapok::packaging
