// Memory for a spool on a tmpfs, found before the feeds come. Where the host of a virtual machine
// has to find each page that its guest uses for the first time, new files are written at a
// twentieth of the speed, and a window that fills costs parts (ADR 024). So a thread that runs when
// nobody else wants its core writes files without a name, and whoever writes a new file of the
// spool gives up as many bytes first: what was freed last is what the kernel hands out next.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "server/base/log.hpp"
#include "server/base/metrics.hpp"
#include "server/picture/packaging/disk_file.hpp"
#include "server/picture/packaging/machine_memory.hpp"

namespace kapok::packaging {

class MemoryReserve {
 public:
  // Bytes of memory that the reserve may still take.
  using Left = std::function<std::uint64_t()>;

  // Begins to fill it; logs when it is full. What the files below `spool` hold already counts. An
  // eighth of the tmpfs stays free, and no more is taken than memory is left: less is held then,
  // with a warning. Errors: config (no tmpfs), io.
  static Result<std::shared_ptr<MemoryReserve>> fill(
      const std::filesystem::path& spool, std::uint64_t bytes, Log log, Metrics& metrics,
      Left left = [] { return MachineMemory::now().left(); });
  MemoryReserve(const MemoryReserve&) = delete;
  MemoryReserve& operator=(const MemoryReserve&) = delete;
  ~MemoryReserve();  // stops filling; all of it is free

  // So many bytes are about to be written to a new file of this spool. Any thread; waits for none.
  void give_up(std::uint64_t bytes);
  // The tmpfs is full: none of it is worth a lost part.
  void give_up_all();
  // What it can still give up.
  std::uint64_t held() const { return held_.load(std::memory_order_relaxed); }
  bool is_filling() const { return filling_.load(std::memory_order_acquire); }

 private:
  struct Piece {
    FileHandle file;
    std::uint64_t bytes = 0;
  };
  MemoryReserve(std::filesystem::path spool, std::uint64_t bytes, Log log, Metrics& metrics,
                Left left);
  void run(const std::stop_token& stop);
  Result<Piece> make_piece(std::uint64_t bytes, const std::stop_token& stop) const;
  void settle();  // mutex_ is held

  const std::filesystem::path spool_;
  const Log log_;
  const Left left_;
  Gauge& gauge_;
  std::atomic<std::uint64_t> owed_{0};  // given up, not yet taken from the pieces
  std::atomic<std::uint64_t> held_{0};
  std::atomic<bool> filling_{true};
  // Writers of all shards take pieces that the thread adds; they only ever try it, because a thread
  // of idle priority may hold it for as long as others keep its core busy.
  std::mutex mutex_;
  std::uint64_t wanted_;
  std::vector<Piece> pieces_;
  std::jthread thread_;
};

}  // namespace kapok::packaging
