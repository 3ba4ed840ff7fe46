// What /metrics tells of the process itself, under the names that Prometheus dashboards know, and
// the limits that the server sets itself at start. Linux only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

#include "server/base/result.hpp"

namespace kapok::app {

struct ProcessFacts {
  double cpu_seconds = 0;
  double start_time_s = 0;  // since 1970
  std::uint64_t resident_bytes = 0;
  std::uint64_t virtual_bytes = 0;
  std::uint64_t open_files = 0;
  std::uint64_t max_open_files = 0;
  std::uint64_t threads = 0;
};

// Fields that cannot be read stay 0.
ProcessFacts read_process_facts();
std::string process_metrics_text(const ProcessFacts& facts);

// Where the running program's file lies; empty: unknown.
std::filesystem::path this_program();

// Raises the soft limit of open files to the hard one; returns it.
Result<std::uint64_t> raise_open_files();
// How much media may wait for the disk of one of so many spool writers: their share of an eighth of
// memory, 128 MiB at least (an 8K feed's largest frames), 256 MiB at most.
std::size_t spool_backlog_bytes(std::size_t writers);
// A core file would hold publish keys and tokens. Also keeps other users' processes from tracing.
Result<void> forbid_core_dumps();

}  // namespace kapok::app
