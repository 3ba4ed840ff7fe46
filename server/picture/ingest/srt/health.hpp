// Says when a feed's transport suffers and when it is well again, from the counters of its links:
// one "degraded" a second at most, with what happened in that second, and one "recovered" after a
// calm time. Pure: counters and time in, news out.
#pragma once

#include <cstdint>
#include <optional>
#include <variant>

#include "server/base/clock.hpp"
#include "server/picture/protocols/srt/stats.hpp"

namespace kapok::ingest {

// Sums over the links of a feed, and what became of the whole.
struct SrtTotals {
  std::uint64_t received = 0;
  std::uint64_t lost = 0;  // seen missing, brought later or not
  std::uint64_t retransmitted = 0;
  std::uint64_t belated = 0;
  std::uint64_t undecrypted = 0;
  std::uint64_t dropped = 0;  // never came in time: damage in the picture
};
SrtTotals totals_of(const srt::GroupStats& stats);

class SrtHealth {
 public:
  // The odd lost packet is what retransmission is for; one in a hundred is worth a line.
  static constexpr double kLossWorthTelling = 0.01;
  static constexpr nanoseconds kCalm = seconds(10);

  struct Degraded {
    SrtTotals during;  // since it was looked at last
    double loss = 0;   // share of the packets that were due
  };
  struct Recovered {
    SrtTotals during;  // of the whole bad time
    nanoseconds lasted{0};
  };
  using News = std::variant<std::monostate, Degraded, Recovered>;

  // Call about once a second.
  News look(MonoTime now, const SrtTotals& totals);

 private:
  SrtTotals last_;
  SrtTotals at_start_;
  std::optional<MonoTime> bad_since_;
  MonoTime last_bad_;
};

}  // namespace kapok::ingest
