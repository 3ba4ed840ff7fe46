#include "server/picture/ingest/srt/health.hpp"

#include <utility>

namespace kapok::ingest {

namespace {
// Counters of a link that has left are gone from the sum: less than before is none.
std::uint64_t since(std::uint64_t before, std::uint64_t now) {
  return now > before ? now - before : 0;
}
SrtTotals difference(const SrtTotals& before, const SrtTotals& now) {
  return {since(before.received, now.received),           since(before.lost, now.lost),
          since(before.retransmitted, now.retransmitted), since(before.belated, now.belated),
          since(before.undecrypted, now.undecrypted),     since(before.dropped, now.dropped)};
}
}  // namespace

SrtTotals totals_of(const srt::GroupStats& stats) {
  SrtTotals totals;
  for (const srt::GroupLinkStats& each : stats.links) {
    totals.received += each.link.packets_received;
    totals.lost += each.link.packets_lost;
    totals.retransmitted += each.link.packets_retransmitted_received;
    totals.belated += each.link.packets_belated;
    totals.undecrypted += each.link.packets_undecrypted;
  }
  totals.dropped = stats.packets_dropped;
  return totals;
}

SrtHealth::News SrtHealth::look(MonoTime now, const SrtTotals& totals) {
  const SrtTotals during = difference(last_, totals);
  const SrtTotals before = std::exchange(last_, totals);
  const std::uint64_t due = during.received + during.lost;
  const double loss = due == 0 ? 0 : static_cast<double>(during.lost) / static_cast<double>(due);
  if (during.dropped > 0 || during.undecrypted > 0 || loss >= kLossWorthTelling) {
    if (!bad_since_) {
      bad_since_ = now;
      at_start_ = before;
    }
    last_bad_ = now;
    return Degraded{during, loss};
  }
  if (bad_since_ && now - last_bad_ >= kCalm) {
    const Recovered news{difference(at_start_, totals), last_bad_ - *bad_since_};
    bad_since_.reset();
    return news;
  }
  return std::monostate{};
}

}  // namespace kapok::ingest
