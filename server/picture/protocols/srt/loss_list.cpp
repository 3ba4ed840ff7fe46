#include "server/picture/protocols/srt/loss_list.hpp"

#include <algorithm>

namespace kapok::srt {

namespace {
// A stream that pauses right after a gap would never overtake it.
constexpr nanoseconds kMaxWait = milliseconds(20);
// [libsrt srtcore/core.cpp, unlose] so many packets in order take one off the tolerance.
constexpr std::uint32_t kOrderToShrink = 50;

// Appends the numbers of `range` that are still missing, as runs.
template <class Sink>
void each_missing(SequenceRange range, const ReceiveBuffer& buffer, Sink&& sink) {
  if (range.first.before(buffer.first_missing())) range.first = buffer.first_missing();
  std::optional<Sequence> from;
  for (Sequence at = range.first; !range.last.before(at); at = at + 1) {
    if (!buffer.settled(at)) {
      if (!from) from = at;
    } else if (from) {
      sink(SequenceRange{*from, at - 1});
      from.reset();
    }
  }
  if (from) sink(SequenceRange{*from, range.last});
}
}  // namespace

void LossList::add(MonoTime now, SequenceRange range) {
  waiting_.push_back({range, now});
}

void LossList::seen_reordered(std::uint32_t by) {
  in_order_ = 0;
  tolerance_ = std::max(tolerance_, std::min(by, most_tolerance_));
}

void LossList::seen_in_order() {
  if (tolerance_ == 0 || ++in_order_ < kOrderToShrink) return;
  in_order_ = 0;
  --tolerance_;
}

void LossList::remove(SequenceRange range) {
  for (auto* runs : {&waiting_, &reported_}) {
    std::deque<Run> kept;
    for (const Run& run : *runs) {
      if (run.range.last.before(range.first) || range.last.before(run.range.first)) {
        kept.push_back(run);
        continue;
      }
      if (run.range.first.before(range.first))
        kept.push_back({{run.range.first, range.first - 1}, run.since});
      if (range.last.before(run.range.last))
        kept.push_back({{range.last + 1, run.range.last}, run.since});
    }
    *runs = std::move(kept);
  }
}

bool LossList::overtaken(Sequence newest) const {
  return !waiting_.empty() &&
         newest.ahead_of(waiting_.front().range.last) > static_cast<std::int32_t>(tolerance_);
}

std::uint32_t LossList::take_due(MonoTime now, nanoseconds interval, Sequence newest,
                                 const ReceiveBuffer& buffer, std::vector<SequenceRange>& out) {
  const bool repeat = !reported_.empty() && now - reported_.front().since >= interval;
  if (repeat) {
    // Reports are appended in time, so whoever is due stands in front.
    std::deque<Run> kept;
    std::size_t due = 0;
    for (; due < reported_.size() && now - reported_[due].since >= interval; ++due)
      each_missing(reported_[due].range, buffer, [&](SequenceRange range) {
        out.push_back(range);
        kept.push_back({range, now});
      });
    reported_.erase(reported_.begin(), reported_.begin() + static_cast<std::ptrdiff_t>(due));
    reported_.insert(reported_.end(), kept.begin(), kept.end());
  }
  std::uint32_t newly_lost = 0;
  while (!waiting_.empty() && (overtaken(newest) || now - waiting_.front().since >= kMaxWait)) {
    each_missing(waiting_.front().range, buffer, [&](SequenceRange range) {
      out.push_back(range);
      reported_.push_back({range, now});
      newly_lost += range.count();
    });
    waiting_.pop_front();
  }
  return newly_lost;
}

std::optional<MonoTime> LossList::next_deadline(nanoseconds interval) const {
  std::optional<MonoTime> at;
  if (!waiting_.empty()) at = waiting_.front().since + kMaxWait;
  if (!reported_.empty()) {
    const MonoTime again = reported_.front().since + interval;
    at = at ? std::min(*at, again) : again;
  }
  return at;
}

}  // namespace kapok::srt
