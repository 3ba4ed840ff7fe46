#include "server/app/server/process_facts.hpp"

#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>
#include <algorithm>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <sstream>
#include <vector>

namespace kapok::app {
namespace {

double boot_time() {
  std::ifstream in("/proc/stat");
  std::string word;
  while (in >> word) {
    double value = 0;
    if (word == "btime" && in >> value) return value;
    std::getline(in, word);
  }
  return 0;
}

// Fields of /proc/self/stat behind the program's name, which may itself hold spaces.
// [proc(5)] the first one here is field 3, state.
std::vector<std::string> stat_fields() {
  std::ifstream in("/proc/self/stat");
  std::string text((std::istreambuf_iterator<char>(in)), {});
  const auto end = text.rfind(')');
  if (end == std::string::npos) return {};
  std::istringstream rest(text.substr(end + 1));
  return {std::istream_iterator<std::string>(rest), {}};
}

}  // namespace

ProcessFacts read_process_facts() {
  ProcessFacts facts;
  const auto fields = stat_fields();
  const auto field = [&](std::size_t number) {
    const std::size_t index = number - 3;
    return index < fields.size() ? std::strtod(fields[index].c_str(), nullptr) : 0.0;
  };
  const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  facts.cpu_seconds = (field(14) + field(15)) / ticks;
  facts.threads = static_cast<std::uint64_t>(field(20));
  facts.start_time_s = boot_time() + field(22) / ticks;
  facts.virtual_bytes = static_cast<std::uint64_t>(field(23));
  facts.resident_bytes = static_cast<std::uint64_t>(field(24)) * page;
  std::error_code error;
  for (std::filesystem::directory_iterator at("/proc/self/fd", error), end; !error && at != end;
       at.increment(error))
    ++facts.open_files;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) facts.max_open_files = limit.rlim_cur;
  return facts;
}

std::string process_metrics_text(const ProcessFacts& facts) {
  std::string out;
  const auto series = [&out](std::string_view name, std::string_view type, std::string_view help,
                             std::string value) {
    out += fmt::format("# HELP {0} {2}\n# TYPE {0} {1}\n{0} {3}\n", name, type, help, value);
  };
  series("process_cpu_seconds_total", "counter", "CPU time, user and system",
         fmt::format("{:.2f}", facts.cpu_seconds));
  series("process_resident_memory_bytes", "gauge", "Memory in RAM",
         fmt::format("{}", facts.resident_bytes));
  series("process_virtual_memory_bytes", "gauge", "Address space",
         fmt::format("{}", facts.virtual_bytes));
  series("process_open_fds", "gauge", "Open files and sockets",
         fmt::format("{}", facts.open_files));
  series("process_max_fds", "gauge", "Limit of open files and sockets",
         fmt::format("{}", facts.max_open_files));
  series("process_threads", "gauge", "Threads", fmt::format("{}", facts.threads));
  series("process_start_time_seconds", "gauge", "When the process started, seconds since 1970",
         fmt::format("{:.2f}", facts.start_time_s));
  out += "# HELP kapok_build_info The running version\n# TYPE kapok_build_info gauge\n";
  out += "kapok_build_info{version=\"" KAPOK_VERSION "\"} 1\n";
  return out;
}

std::filesystem::path this_program() {
  std::error_code ignored;
  return std::filesystem::read_symlink("/proc/self/exe", ignored);
}

Result<std::uint64_t> raise_open_files() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0)
    return std::unexpected(system_error(errno, "read the limit of open files"));
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0)
    return std::unexpected(system_error(errno, "raise the limit of open files"));
  return limit.rlim_cur;
}

std::size_t spool_backlog_bytes(std::size_t writers) {
  constexpr std::size_t kShare = 8;
  constexpr std::size_t kLeast = std::size_t{128} << 20U;
  // Above it a backlog costs more than it saves: what is written is in no cache any more.
  constexpr std::size_t kMost = std::size_t{256} << 20U;
  const auto memory = static_cast<std::size_t>(::sysconf(_SC_PHYS_PAGES)) *
                      static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return std::clamp(memory / kShare / writers, kLeast, kMost);
}

Result<void> forbid_core_dumps() {
  const rlimit none{0, 0};
  if (::setrlimit(RLIMIT_CORE, &none) != 0)
    return std::unexpected(system_error(errno, "turn core files off"));
  if (::prctl(PR_SET_DUMPABLE, 0) != 0)
    return std::unexpected(system_error(errno, "turn core files off"));
  return {};
}

}  // namespace kapok::app
