#include "transcoder/detect/picture_detector.hpp"

#include "transcoder/detect/judgements.hpp"

namespace kapok::detect {

using media::Anomaly;
using media::AnomalyEvent;

namespace {

Stretch::Found found(bool is) {
  return is ? Stretch::Found::yes : Stretch::Found::no;
}

}  // namespace

PictureDetector::PictureDetector(const media::Detection& detection)
    : detection_(detection),
      black_(Anomaly::black, detection.black),
      frozen_(Anomaly::frozen, detection.frozen),
      bars_(Anomaly::bars, detection.bars) {}

bool PictureDetector::wants(microseconds at) const {
  return detection_.pictures() && (!looked_ || at >= *looked_ + kLookEvery || at < *looked_);
}

void PictureDetector::look(const Planes& planes, microseconds at, microseconds duration,
                           std::vector<AnomalyEvent>& out) {
  if (!wants(at)) return;
  const bool goes_on = looked_ && at > *looked_ && at <= *looked_ + Stretch::kGap;
  const bool usable = sample(planes, now_.picture);
  if (!goes_on || !usable) end(out);
  if (!usable) return;
  looked_ = at;
  now_.at = at;
  const microseconds until = at + duration;
  const bool bars = detection_.bars.count() > 0 && is_bars(now_.picture);
  const bool black = !bars && detection_.black.count() > 0 && is_black(now_.picture);
  bars_.put(found(bars), at, until, out);
  black_.put(found(black), at, until, out);
  if (detection_.frozen.count() == 0) return;
  if (!bars && !black) return look_for_still(at, until, out);
  frozen_.put(Stretch::Found::no, at, until, out);
  reference_.reset();
  other_.reset();
}

void PictureDetector::look_for_still(microseconds at, microseconds until,
                                     std::vector<AnomalyEvent>& out) {
  const auto same_as_now = [&](const std::optional<Sampled>& before) {
    return before && is_same(before->picture, now_.picture, detection_.frozen_noise);
  };
  if (same_as_now(reference_)) {
    other_.reset();
    return frozen_.put(Stretch::Found::yes, at, until, out);
  }
  frozen_.put(Stretch::Found::no, at, until, out);
  if (!same_as_now(other_)) other_ = now_;
  if (reference_ && frozen_.running()) return;  // the old picture may come back
  reference_ = std::move(other_);
  other_.reset();
  frozen_.put(Stretch::Found::yes, reference_->at, until, out);
}

void PictureDetector::end(std::vector<AnomalyEvent>& out) {
  black_.end(out);
  frozen_.end(out);
  bars_.end(out);
  reference_.reset();
  other_.reset();
  looked_.reset();
}

}  // namespace kapok::detect
