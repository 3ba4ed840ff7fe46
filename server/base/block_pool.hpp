// Memory for payloads: a few hundred blocks of 4 KiB to 1 MiB that are alive for some hundred
// milliseconds each, taken by one thread and given back by another. A general allocator keeps what
// is free of them sorted by size, cut to what was asked for and joined again; with 128 feeds, once
// behind, half of the time of the threads that take blocks went into that. Here there are few
// sizes, each with a list of what is free, newest first: that is still in the caches.
#pragma once

#include <array>
#include <cstddef>
#include <mutex>
#include <span>
#include <vector>

namespace kapok {

class BlockPool {
 public:
  static constexpr std::size_t kSmallest = 4096;
  static constexpr std::size_t kLargest = std::size_t{1024} * 1024;
  // What may be free beside as much as is in use.
  static constexpr std::size_t kSpareBytes = std::size_t{16} * 1024 * 1024;

  BlockPool() = default;
  ~BlockPool();  // every block is back
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;

  // At least `bytes`, at most a quarter more; of what is no size of the pool's, as much as asked
  // for. give() takes the whole of it back, on any thread.
  std::span<std::byte> take(std::size_t bytes);
  void give(std::span<std::byte> block);

  struct Use {
    std::size_t taken = 0;  // bytes
    std::size_t spare = 0;
  };
  Use use() const;

 private:
  // Four sizes to each doubling.
  static constexpr std::size_t kSizes = 33;
  static std::size_t place_of(std::size_t bytes);
  static std::size_t size_at(std::size_t place);
  void drop_spare(std::vector<std::byte*>& dropped);

  // A mutex, because blocks go from thread to thread; held for a push or a pop.
  mutable std::mutex mutex_;
  std::array<std::vector<std::byte*>, kSizes> spare_;
  Use use_;
};

}  // namespace kapok
