#include "server/picture/vod/cutter.hpp"

#include <algorithm>

namespace kapok::vod {

namespace {

// Timescales differ between a boundary's track and others: half of a short frame.
constexpr nanoseconds kSlack = milliseconds(2);

}  // namespace

Result<void> Boundaries::add(nanoseconds at) {
  if (!times_.empty() && at <= times_.back())
    return fail(Errc::malformed, "a segment at {} ns after one at {} ns", at.count(),
                times_.back().count());
  times_.push_back(at);
  return {};
}

std::optional<std::uint64_t> Boundaries::number_at(nanoseconds time) const {
  const auto found = std::ranges::lower_bound(times_, time - kSlack);
  if (found == times_.end() || *found > time + kSlack) return std::nullopt;
  return first_ + static_cast<std::uint64_t>(found - times_.begin());
}

Cutter::Cutter(std::shared_ptr<const media::Track> track, const Boundaries& boundaries)
    : track_(std::move(track)), boundaries_(boundaries), next_(boundaries.first()) {}

media::Ticks Cutter::begin_of(std::uint64_t number) const {
  return media::from_nanoseconds(boundaries_.at(number), track_->timescale);
}

// Whether it is the first packet of that segment or of a later one.
bool Cutter::opens(const media::Packet& packet, std::uint64_t number) const {
  if (number >= boundaries_.end()) return false;
  if (track_->kind == media::TrackKind::video)
    return packet.sync &&
           media::to_nanoseconds(packet.pts, track_->timescale) + kSlack >= boundaries_.at(number);
  // Sound that is heard for the greater part in that segment.
  const std::int64_t heard = std::max<std::int64_t>(1, packet.duration.count);
  return packet.pts.count * 2 + heard > begin_of(number).count * 2;
}

void Cutter::gaps_before(std::uint64_t number, std::vector<CutSegment>& out) {
  for (; next_ < number; ++next_) {
    CutSegment gap;
    gap.number = next_;
    gap.start = begin_of(next_);
    gap.duration = begin_of(next_ + 1) - gap.start;
    out.push_back(std::move(gap));
  }
}

// `next` is the packet behind it, `end` where the next segment begins, if it does at once.
void Cutter::close(const media::Packet* next, std::optional<media::Ticks> end,
                   std::vector<CutSegment>& out) {
  CutSegment segment;
  segment.number = next_++;
  media::Ticks first = packets_.front().pts;
  media::Ticks last = first;
  for (std::size_t i = 0; i < packets_.size(); ++i) {
    const media::Packet& packet = packets_[i];
    media::Ticks duration = packet.duration;
    if (i + 1 < packets_.size())
      duration = packets_[i + 1].dts - packet.dts;
    else if (next != nullptr && end)
      duration = next->dts - packet.dts;
    else if (duration.count == 0 && i > 0)
      duration = packet.dts - packets_[i - 1].dts;
    first = std::min(first, packet.pts);
    last = std::max(last, packet.pts + duration);
    segment.samples.push_back(cmaf::sample_of(packet, duration));
  }
  segment.start = first;
  segment.duration = std::max(media::Ticks{1}, end.value_or(last) - first);
  out.push_back(std::move(segment));
  packets_.clear();
  bytes_ = 0;
  open_ = false;
}

Result<void> Cutter::append(media::Packet packet, std::vector<CutSegment>& out) {
  if (packet.dts.count < 0) return fail(Errc::malformed, "a time before the file's begin");
  // An encoder that begins anew, because the pictures have changed, reaches back by its delay.
  if (!packets_.empty() && packet.dts <= packets_.back().dts)
    packet.dts = packets_.back().dts + media::Ticks{1};
  const std::uint64_t first = open_ ? next_ + 1 : next_;
  if (opens(packet, first)) {
    std::uint64_t number = first;
    while (opens(packet, number + 1)) ++number;
    const bool at_once = number == first;
    if (open_) close(&packet, at_once ? std::optional(packet.pts) : std::nullopt, out);
    gaps_before(number, out);
    open_ = true;
  }
  if (!open_) return {};  // before the first segment to make
  reached_ =
      std::max(reached_, media::to_nanoseconds(packet.pts + packet.duration, track_->timescale));
  bytes_ += packet.payload.size();
  if (bytes_ > kMaxSegmentBytes || packets_.size() >= kMaxSegmentSamples)
    return fail(Errc::limit, "a segment of more than {} bytes or {} samples", kMaxSegmentBytes,
                kMaxSegmentSamples);
  packets_.push_back(std::move(packet));
  return {};
}

void Cutter::finish(std::vector<CutSegment>& out) {
  if (open_) close(nullptr, std::nullopt, out);
  if (next_ + 1 < boundaries_.end()) gaps_before(boundaries_.end() - 1, out);
  if (next_ >= boundaries_.end()) return;
  CutSegment gap;  // as long as nobody knows
  gap.number = next_++;
  gap.start = begin_of(gap.number);
  gap.duration = {track_->timescale};
  out.push_back(std::move(gap));
}

}  // namespace kapok::vod
