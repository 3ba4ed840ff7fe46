// How many leaves the ledger makes durable, and what they cost: group commits of two sizes, one
// paced run at the design rate of 100,000 leaves a second, recovery, the report and the full audit.
//   ledger_bench [FOLDER [LEAVES]]
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <future>

#include "server/base/log.hpp"
#include "server/base/metrics.hpp"
#include "server/hours/ledger/ledger.hpp"
#include "server/hours/verify/audit.hpp"

using namespace kapok;
using BenchClock = std::chrono::steady_clock;

namespace {

constexpr double kDesignRate = 100'000;  // leaves a second, design.md 8

double seconds_since(BenchClock::time_point start) {
  return std::chrono::duration<double>(BenchClock::now() - start).count();
}
double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto of = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

std::vector<ledger::Leaf> batch_of(std::size_t size) {
  ledger::Leaf leaf;
  leaf.uhd = ledger::UhdClass::strict;
  leaf.opened_ms = 1'790'000'000'000;
  leaf.closed_ms = leaf.opened_ms + 60'000;
  leaf.credit_ms = leaf.claimed_ms = 60'000;
  leaf.programme = 1;
  std::vector<ledger::Leaf> batch(size, leaf);
  // A household's evening is some leaves of one session, and there are some channels.
  static std::uint64_t made = 0;
  for (ledger::Leaf& one : batch) {
    const std::uint64_t session = (++made / 12) * 0x9E3779B97F4A7C15U;
    std::memcpy(one.session.data(), &session, sizeof session);
    one.programme = made % 32;
  }
  return batch;
}

std::unique_ptr<ledger::Ledger> open(const std::filesystem::path& folder, Metrics& metrics) {
  ledger::LedgerConfig config;
  config.directory = folder;
  config.origin = "bench.example/log";
  auto opened = ledger::Ledger::open(config, {}, Log(), metrics);
  if (!opened) {
    std::fprintf(stderr, "%s\n", opened.error().message.c_str());
    std::exit(1);
  }
  return *std::move(opened);
}

// One batch after the other, each waited for: the time of a durable commit.
void commits(ledger::Ledger& log, std::size_t batch, std::size_t total) {
  std::vector<double> times_ms;
  const double cpu = cpu_seconds();
  const auto start = BenchClock::now();
  for (std::size_t done = 0; done < total; done += batch) {
    const auto sent = BenchClock::now();
    std::promise<void> durable;
    if (!log.append(batch_of(batch), [&](Result<std::uint64_t>) { durable.set_value(); }))
      std::exit(1);
    durable.get_future().wait();
    times_ms.push_back(seconds_since(sent) * 1000);
  }
  const double took = seconds_since(start);
  std::ranges::sort(times_ms);
  std::printf(
      "waited-for batches of %6zu: %9.0f leaves/s, commit p50 %.1f ms p99 %.1f ms, %.2f us CPU a "
      "leaf\n",
      batch, static_cast<double>(total) / took, times_ms[times_ms.size() / 2],
      times_ms[times_ms.size() * 99 / 100],
      (cpu_seconds() - cpu) / static_cast<double>(total) * 1e6);
}

// As fast as the queue takes them.
void flood(ledger::Ledger& log, std::size_t total) {
  const double cpu = cpu_seconds();
  const auto start = BenchClock::now();
  for (std::size_t done = 0; done < total;) {
    if (log.append(batch_of(1000), nullptr))
      done += 1000;
    else
      std::this_thread::sleep_for(milliseconds(1));
  }
  if (!log.flush()) std::exit(1);
  const double took = seconds_since(start);
  const double used = cpu_seconds() - cpu;
  std::printf("flood: %.0f leaves/s; %.2f us CPU a leaf = %.1f %% of a core at %.0f leaves/s\n",
              static_cast<double>(total) / took, used / static_cast<double>(total) * 1e6,
              used / static_cast<double>(total) * kDesignRate * 100, kDesignRate);
}

void paced(ledger::Ledger& log, int for_seconds) {
  const double cpu = cpu_seconds();
  const auto start = BenchClock::now();
  std::size_t sent = 0;
  std::size_t refused = 0;
  while (seconds_since(start) < for_seconds) {
    const auto due = static_cast<std::size_t>(seconds_since(start) * kDesignRate);
    for (; sent + 100 <= due; sent += 100)
      if (!log.append(batch_of(100), nullptr)) refused += 100;
    std::this_thread::sleep_for(milliseconds(2));
  }
  if (!log.flush()) std::exit(1);
  std::printf("paced at %.0f leaves/s for %d s: %.1f %% of a core, %zu refused\n", kDesignRate,
              for_seconds, (cpu_seconds() - cpu) / seconds_since(start) * 100, refused);
}

}  // namespace

int main(int argc, char** argv) {
  const std::filesystem::path folder =
      argc > 1 ? std::filesystem::path(argv[1])
               : std::filesystem::temp_directory_path() / "kapok-ledger-bench";
  const std::size_t total = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1'000'000;
  std::filesystem::remove_all(folder);
  NullMetrics metrics;
  {
    const auto log = open(folder / "log", metrics);
    commits(*log, 1'000, total / 10);
    commits(*log, 10'000, total);
    flood(*log, total);
    paced(*log, 5);
  }
  auto start = BenchClock::now();
  const auto log = open(folder / "log", metrics);
  const auto size = log->published()->checkpoint.size;
  std::printf("reopened %llu leaves in %.2f s\n", static_cast<unsigned long long>(size),
              seconds_since(start));
  start = BenchClock::now();
  const double cpu = cpu_seconds();
  if (!verify::measure(log->source(), size, {})) return 1;
  std::printf("measures over all of them in %.2f s, %.2f s of CPU: %.2f s for 10 million leaves\n",
              seconds_since(start), cpu_seconds() - cpu,
              (cpu_seconds() - cpu) * 1e7 / static_cast<double>(size));
  start = BenchClock::now();
  verify::AuditRequest request;
  request.verifier = log->verifier();
  const auto result = verify::audit(log->source(), request);
  if (!result || !result->ok()) return 1;
  std::printf("full audit in %.2f s (%.0f entries/s)\n", seconds_since(start),
              static_cast<double>(size) / seconds_since(start));
  std::filesystem::remove_all(folder);
  return 0;
}
