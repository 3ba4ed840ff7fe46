// Whether the worker gets on, and what a heartbeat says of it. An engine that was given work and
// has finished none of it for so long counts as stuck: then there is no heartbeat, and the server,
// hearing none, ends the process. Called from one thread, worked() from another.
#pragma once

#include <atomic>
#include <optional>

#include "server/base/clock.hpp"
#include "server/picture/wire/messages.hpp"
#include "transcoder/ladder/engine.hpp"

namespace kapok::transcoder {

// From the kernel; CPU of all threads. Opens its file once, before a sandbox forbids it.
class ProcessCost {
 public:
  ProcessCost();
  ~ProcessCost();
  ProcessCost(const ProcessCost&) = delete;
  ProcessCost& operator=(const ProcessCost&) = delete;
  milliseconds cpu() const;
  std::uint64_t memory_bytes() const;

 private:
  int statm_;
};

class Pulse {
 public:
  // Longer than the slowest picture on a machine that is overloaded.
  static constexpr seconds kStuck{5};
  explicit Pulse(nanoseconds stuck = kStuck) : stuck_(stuck) {}

  // A source packet was given to the engine.
  void worked() { given_.fetch_add(1, std::memory_order_relaxed); }
  std::optional<wire::Heartbeat> beat(MonoTime now, const ladder::EngineStats& stats);

 private:
  const nanoseconds stuck_;
  ProcessCost cost_;
  std::atomic<std::uint64_t> given_ = 0;
  std::uint64_t last_given_ = 0;
  std::uint64_t last_done_ = 0;
  MonoTime moved_{};  // when it last got on, or had nothing to do
};

}  // namespace kapok::transcoder
