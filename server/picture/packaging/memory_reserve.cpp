#include "server/picture/packaging/memory_reserve.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <system_error>
#include <utility>

namespace kapok::packaging {

namespace {

namespace fs = std::filesystem;

// Large pages are freed whole.
constexpr std::uint64_t kStep = std::uint64_t{2} * 1024 * 1024;
// One descriptor for each.
constexpr std::uint64_t kPieceBytes = 64 * kStep;
constexpr std::uint64_t kLeftFree = 8;  // one eighth

std::uint64_t bytes_below(const fs::path& folder) {
  std::uint64_t bytes = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator at(folder, error), end; !error && at != end;
       at.increment(error)) {
    struct stat status{};
    if (::lstat(at->path().c_str(), &status) == 0 && S_ISREG(status.st_mode))
      bytes += static_cast<std::uint64_t>(status.st_blocks) * 512;
  }
  return bytes;
}

}  // namespace

Result<std::shared_ptr<MemoryReserve>> MemoryReserve::fill(const fs::path& spool,
                                                           std::uint64_t bytes, Log log,
                                                           Metrics& metrics, Left left) {
  struct statfs status{};
  if (::statfs(spool.c_str(), &status) != 0)
    return std::unexpected(system_error(errno, "look at " + spool.string()));
  if (status.f_type != TMPFS_MAGIC)
    return fail(Errc::config,
                "spool.reserve is for a spool in memory, and {} is on a disk: leave it out, or set "
                "spool.dir to a folder on a tmpfs",
                spool.string());
  const auto block = static_cast<std::uint64_t>(status.f_bsize);
  const std::uint64_t there = status.f_bavail * block;
  const std::uint64_t spared = status.f_blocks * block / kLeftFree;
  const std::uint64_t room = there > spared ? there - spared : 0;
  const std::uint64_t used = bytes_below(spool);
  std::uint64_t wanted = bytes > used ? bytes - used : 0;
  if (wanted > room) {
    log.warn("spool.reserve_short", {{"wanted", wanted},
                                     {"reserved", room},
                                     {"remedy", "mount the spool's tmpfs with a larger size="}});
    wanted = room;
  }
  return std::shared_ptr<MemoryReserve>(
      new MemoryReserve(spool, wanted / kStep * kStep, std::move(log), metrics, std::move(left)));
}

MemoryReserve::MemoryReserve(fs::path spool, std::uint64_t bytes, Log log, Metrics& metrics,
                             Left left)
    : spool_(std::move(spool)),
      log_(std::move(log)),
      left_(std::move(left)),
      gauge_(metrics.gauge("kapok_spool_reserve_bytes",
                           "Memory made ready for the spool's next new files", {})),
      wanted_(bytes),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

MemoryReserve::~MemoryReserve() {
  thread_ = {};
  gauge_.set(0);
}

void MemoryReserve::run(const std::stop_token& stop) {
  const sched_param none{};
  // At normal priority it would still be right, only in the way.
  (void)::sched_setscheduler(0, SCHED_IDLE, &none);
  const auto began = std::chrono::steady_clock::now();
  bool failed = false;
  while (!stop.stop_requested()) {
    std::uint64_t missing = 0;
    {
      const std::lock_guard lock(mutex_);
      settle();
      missing = wanted_ - std::min(wanted_, held());
    }
    if (missing < kStep) break;
    const std::uint64_t next = std::min(missing, kPieceBytes) / kStep * kStep;
    if (left_() < next) {
      const std::lock_guard lock(mutex_);
      log_.warn("spool.reserve_short",
                {{"wanted", wanted_},
                 {"reserved", held()},
                 {"remedy",
                  "the machine has no more memory available: lower spool.reserve, or give the "
                  "machine more memory or swap"}});
      wanted_ = held();
      break;
    }
    auto piece = make_piece(next, stop);
    if (!piece) {
      log_.warn("spool.reserve_failed",
                {{"reserved", held()},
                 {"error", piece.error().message},
                 {"effect", "new files cost more until the window is full"}});
      failed = true;
      break;
    }
    const std::lock_guard lock(mutex_);
    held_ += piece->bytes;
    pieces_.push_back(std::move(*piece));
    settle();
  }
  filling_.store(false, std::memory_order_release);
  const auto took = std::chrono::steady_clock::now() - began;
  if (!stop.stop_requested() && !failed)
    log_.info("spool.reserve_ready",
              {{"bytes", held()},
               {"took_ms", std::chrono::duration_cast<std::chrono::milliseconds>(took).count()}});
}

Result<MemoryReserve::Piece> MemoryReserve::make_piece(std::uint64_t bytes,
                                                       const std::stop_token& stop) const {
  static const Bytes zeros(kStep);
  Piece piece{FileHandle(::open(spool_.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)), 0};
  if (!piece.file.is_open())
    return std::unexpected(system_error(errno, "make a file in " + spool_.string()));
  // Its length first: huge=within_size takes large pages where they lie within the file.
  if (::ftruncate(piece.file.get(), static_cast<off_t>(bytes)) != 0)
    return std::unexpected(system_error(errno, "lengthen a file in " + spool_.string()));
  while (piece.bytes < bytes && !stop.stop_requested()) {
    KAPOK_TRY(write_all(piece.file.get(), {vector_of(zeros)}, piece.bytes));
    piece.bytes += kStep;
  }
  return piece;
}

void MemoryReserve::give_up(std::uint64_t bytes) {
  if (owed_.fetch_add(bytes, std::memory_order_relaxed) + bytes < kStep) return;
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (lock.owns_lock()) settle();
}

void MemoryReserve::give_up_all() {
  owed_.store(std::uint64_t{1} << 62U, std::memory_order_relaxed);
  give_up(0);
}

void MemoryReserve::settle() {
  const std::uint64_t owed = owed_.exchange(0, std::memory_order_relaxed);
  wanted_ -= std::min(wanted_, owed);
  while (held() > wanted_) {
    Piece& last = pieces_.back();
    const std::uint64_t excess = (held() - wanted_ + kStep - 1) / kStep * kStep;
    std::uint64_t cut = std::min(excess, last.bytes);
    if (::ftruncate(last.file.get(), static_cast<off_t>(last.bytes - cut)) != 0) cut = last.bytes;
    last.bytes -= cut;
    held_ -= cut;
    if (last.bytes == 0) pieces_.pop_back();
  }
  gauge_.set(static_cast<double>(held()));
}

}  // namespace kapok::packaging
