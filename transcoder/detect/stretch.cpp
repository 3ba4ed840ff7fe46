#include "transcoder/detect/stretch.hpp"

#include <utility>

namespace kapok::detect {

using media::AnomalyEvent;
using media::AnomalyState;

AnomalyEvent Stretch::event(AnomalyState state) const {
  return {kind_, state, *from_, to_};
}

void Stretch::put(Found found, microseconds at, microseconds until,
                  std::vector<AnomalyEvent>& out) {
  if (shortest_ <= microseconds::zero()) return;
  if (from_ && (at < to_ - kBridged || at > seen_ + kGap)) end(out);
  seen_ = until;
  if (found == Found::no) {
    if (from_ && (!told_ || at - to_ >= kBridged)) end(out);
    return;
  }
  if (!from_) from_ = at;
  to_ = until;
  if (!told_ && to_ - *from_ >= shortest_) {
    told_ = true;
    told_to_ = to_;
    out.push_back(event(AnomalyState::begun));
  } else if (told_ && to_ - told_to_ >= kTellEvery) {
    told_to_ = to_;
    out.push_back(event(AnomalyState::goes_on));
  }
}

void Stretch::end(std::vector<AnomalyEvent>& out) {
  if (!from_) return;
  if (std::exchange(told_, false)) out.push_back(event(AnomalyState::ended));
  from_.reset();
}

}  // namespace kapok::detect
