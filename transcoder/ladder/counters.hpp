// What the engine's threads count while they work; stats() reads it from any thread.
#pragma once

#include <atomic>
#include <cstdint>

namespace kapok::ladder {

struct Counters {
  std::atomic<std::uint64_t> decoded{0};
  std::atomic<std::uint64_t> decode_errors{0};
  std::atomic<std::uint64_t> dropped{0};
};

struct RungCounters {
  std::atomic<std::uint64_t> encoded{0};
  std::atomic<std::uint64_t> shed{0};
};

}  // namespace kapok::ladder
