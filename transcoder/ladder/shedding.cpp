#include "transcoder/ladder/shedding.hpp"

#include <algorithm>
#include <utility>

namespace kapok::ladder {

Shedding::Shedding(const std::vector<PlannedRung>& rungs, media::Rational frame_rate) {
  const bool halves =
      media::may_halve(frame_rate) && std::ranges::any_of(rungs, [](const PlannedRung& rung) {
        return rung.rung.rate == media::RungRate::full;
      });
  if (halves) steps_.push_back({});
  // At half of the rate a rung of the full rate costs half.
  const auto cost = [&](std::size_t rung) {
    return rungs[rung].cost * (halves && rungs[rung].rung.rate == media::RungRate::full ? 0.5 : 1);
  };
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < rungs.size(); ++i) order.push_back(i);
  std::ranges::sort(order, {}, [&](std::size_t rung) { return std::pair(-cost(rung), rung); });
  for (const std::size_t rung : order) steps_.push_back({rung});
}

std::optional<ShedStep> Shedding::take() {
  if (taken_ == steps_.size()) return std::nullopt;
  if (since_return_ >= kMaxSegments)
    wait_ = 1;
  else if (std::exchange(returned_, false))
    wait_ = std::min(wait_ * 2, kMaxSegments);
  left_ = wait_;
  return steps_[taken_++];
}

std::optional<ShedStep> Shedding::segment_starts(Room room) {
  since_return_ = std::min(since_return_ + 1, kMaxSegments);
  if (taken_ == 0 || room == Room::no) return std::nullopt;
  if (left_ > 1) {
    --left_;
    return std::nullopt;
  }
  left_ = wait_;
  since_return_ = 0;
  returned_ = true;
  return steps_[--taken_];
}

}  // namespace kapok::ladder
