// What a bad network does to datagrams, as a pure function of time and a seed: loss (single or in
// bursts), delay, jitter, reordering, duplicates, a bottleneck, blackouts. The relay asks it about
// each datagram; tests ask it without a socket.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

#include "server/base/clock.hpp"

namespace kapok::support {

struct ImpairmentOptions {
  double loss = 0;             // share of datagrams, 0..1
  double burst = 1;            // mean length of a loss in datagrams; 1: each is lost by itself
  double reorder = 0;          // share that overtakes what is on its way
  double duplicate = 0;        // share that comes twice
  nanoseconds delay{0};        // mean
  nanoseconds jitter{0};       // uniform within delay +- jitter; order is kept, but for `reorder`
  double bits_per_second = 0;  // of the bottleneck; 0: none
  nanoseconds queue = milliseconds(200);  // what the bottleneck holds; more is lost
  std::vector<std::pair<nanoseconds, nanoseconds>> blackouts = {};  // (from, for) since the start
};

struct ImpairmentCounts {
  std::uint64_t received = 0;
  std::uint64_t lost = 0;  // by chance
  std::uint64_t overflowed = 0;
  std::uint64_t dark = 0;  // lost in a blackout
  std::uint64_t duplicated = 0;
  std::uint64_t reordered = 0;
};

class Impairment {
 public:
  // Copies of one datagram at most.
  static constexpr std::size_t kMaxCopies = 2;
  struct Fate {
    std::size_t copies = 0;  // 0: lost
    MonoTime leaves[kMaxCopies];
  };

  Impairment(ImpairmentOptions options, std::uint64_t seed, MonoTime start)
      : options_(std::move(options)), random_(seed), start_(start) {}

  Fate decide(MonoTime now, std::size_t bytes);
  // A blackout on top of the planned ones, until taken back.
  void set_dark(bool dark) { dark_ = dark; }
  const ImpairmentCounts& counts() const { return counts_; }

 private:
  bool chance(double share) { return share > 0 && uniform_(random_) < share; }
  bool loses();
  bool dark_at(MonoTime now) const;
  nanoseconds drawn_delay();

  ImpairmentOptions options_;
  std::mt19937_64 random_;
  std::uniform_real_distribution<double> uniform_{0, 1};
  MonoTime start_;
  MonoTime bottleneck_free_{};
  MonoTime last_leaves_{};
  bool losing_ = false;
  bool dark_ = false;
  ImpairmentCounts counts_;
};

}  // namespace kapok::support
