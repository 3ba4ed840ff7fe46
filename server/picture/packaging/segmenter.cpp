#include "server/picture/packaging/segmenter.hpp"

#include <algorithm>
#include <cassert>
#include <cstdlib>
#include <utility>

namespace kapok::packaging {

namespace {

// A grid that a drifting encoder has left by this much is moved: far below the half segment that
// DASH players tolerate, and rare (100 ppm: once in 40 minutes).
constexpr microseconds kMaxOffGrid{250'000};

Ticks abs_of(Ticks ticks) {
  return {std::abs(ticks.count)};
}

}  // namespace

Segmenter::Segmenter(EraGrid& grid, RenditionTiming timing, Position position)
    : grid_(grid),
      timing_(timing),
      next_segment_(position.next_segment),
      next_part_(position.next_part),
      has_history_(position.has_history),
      segment_end_(position.ended) {}

// How far before its boundary a segment may begin. With a regular GOP the sync packet nearest to
// the boundary is meant, whatever the encoder's clock does; otherwise half a frame.
Ticks Segmenter::tolerance() const {
  if (timing_.kind == media::TrackKind::video && timing_.gop.count > 0)
    return {std::max(timing_.gop.count / 2, timing_.frame.count / 2)};
  return {timing_.frame.count / 2};
}

void Segmenter::append(const media::Packet& packet, std::vector<Cut>& out) {
  if (timing_.follows) return append_led(packet, out);
  const bool video = timing_.kind == media::TrackKind::video;
  if (!shift_known_) {
    if (video && !packet.sync) {
      ++dropped_;
      return;
    }
    // [cmaf/chunk.hpp] the first sync picture's composition offset becomes zero.
    decode_shift_ = video ? packet.pts - packet.dts : Ticks{};
    shift_known_ = true;
  }
  const Ticks time = packet.dts + decode_shift_;
  if (!open_) {
    // Only the era's start is a bound: behind a segment that ended early, time goes on anyhow.
    const bool early = !started_ && time < grid_.boundary(next_segment_, timing_.timescale) -
                                               Ticks{timing_.frame.count / 2};
    if (early || (video && !packet.sync)) {
      ++dropped_;
      return;
    }
    open_at(time, packet, out);
  } else {
    if (is_hole(time)) after_hole_ = true;
    resolve_last(time, out);
    if (ends_before(time, packet, out)) {
      cut_part(out);
      close_at(time, out);
      open_at(time, packet, out);
    } else if (!pending_.empty() && pending_duration_ + duration_of(packet) > timing_.part_target) {
      cut_part(out);
    }
  }
  if (video && packet.sync) measure(time);
  add(packet, time);
  const bool last = last_of_segment(open_->end);
  if (part_is_full() || last) cut_part(out);
  // Sound needs nothing from its next frame to know that the segment is complete.
  if (last && !video) close_at(open_->end, out);
}

void Segmenter::add(const media::Packet& packet, Ticks time) {
  if (pending_.empty()) pending_start_ = time;
  const Ticks duration = duration_of(packet);
  pending_.push_back({packet, duration});
  pending_duration_ = time + duration - pending_start_;
  open_->end = time + duration;
}

Ticks Segmenter::duration_of(const media::Packet& packet) const {
  const bool fits = packet.duration.count > 0 && packet.duration <= timing_.part_target;
  return fits ? packet.duration : timing_.frame;
}

bool Segmenter::part_is_full() const {
  return pending_.size() >= timing_.part_frames ||
         pending_duration_ + half_frame() > timing_.part_target;
}

// The frame before this one lasted until this one came, as far as a part may last.
void Segmenter::resolve_last(Ticks time, std::vector<Cut>& out) {
  if (pending_.empty()) return;
  CutFrame& last = pending_.back();
  const Ticks began = last.packet.dts + decode_shift_;
  const Ticks upto = time - pending_start_;
  if (upto <= timing_.part_target) {
    last.duration = time - began;
    pending_duration_ = upto;
    open_->end = time;
    return;
  }
  cut_part(out);
}

bool Segmenter::ends_before(Ticks time, const media::Packet& packet, std::vector<Cut>& out) {
  const std::uint64_t number = open_->number;
  const Ticks boundary = grid_.boundary(number + 1, timing_.timescale);
  if (timing_.kind != media::TrackKind::video) return time >= boundary - tolerance();
  const Ticks limit = open_->start + timing_.longest_segment;
  if (packet.sync) {
    if (time >= boundary - tolerance()) return true;
    // The GOPs have changed phase (waiting for the next sync packet would break TARGETDURATION), or
    // the feed has come back after a pause that left a short part, which must be a segment's last.
    const bool must = time + timing_.largest_gop > limit || open_->short_part;
    if (timing_.leads && must && time > open_->start) {
      grid_.reanchor(number + 1, UtcTime(media::to_microseconds(time, timing_.timescale)));
      out.emplace_back(GridMoved{});
      return true;
    }
    return false;
  }
  // After a hole there is nothing to decode before the next sync packet, so it is worth waiting.
  const Ticks next = grid_.boundary(number + 2, timing_.timescale);
  if (time + timing_.frame > limit ||
      time + timing_.frame >= next - Ticks{timing_.frame.count / 2}) {
    out.emplace_back(CutWithoutSync{number + 1});
    return true;
  }
  return false;
}

void Segmenter::miss_until(std::uint64_t number, std::vector<Cut>& out) {
  if (!has_history_) next_segment_ = std::max(next_segment_, number);
  while (next_segment_ < number) {
    const Ticks boundary = grid_.boundary(next_segment_, timing_.timescale);
    const Ticks start = std::max(boundary, segment_end_);
    Ticks end = grid_.boundary(next_segment_ + 1, timing_.timescale);
    if (end <= start) end = start + Ticks{1};
    segment_end_ = end;
    out.emplace_back(SegmentMissed{next_segment_, start, end - start, next_part_});
    ++next_segment_;
  }
}

void Segmenter::open_at(Ticks time, const media::Packet& packet, std::vector<Cut>& out) {
  std::uint64_t number = next_segment_;
  const Ticks half{timing_.frame.count / 2};
  while (time >= grid_.boundary(number + 1, timing_.timescale) - half) ++number;
  miss_until(number, out);
  open_ = Open{number, time, time};
  ++next_segment_;
  has_history_ = true;
  started_ = true;
  out.emplace_back(SegmentBegins{number, time, next_part_});
  if (timing_.leads) grid_.lead({number, time, {}, packet.sync}, timing_.timescale);
  if (!timing_.leads || timing_.gop.count == 0) return;
  const Ticks off = abs_of(time - grid_.boundary(number, timing_.timescale));
  const Ticks allowed{std::min(media::from_microseconds(kMaxOffGrid, timing_.timescale).count,
                               timing_.gop.count / 4)};
  if (off <= allowed) return;
  // One segment ahead, so that sound and the other rungs cut there as well.
  const UtcTime next =
      UtcTime(media::to_microseconds(time, timing_.timescale)) + grid_.current().segment_duration;
  grid_.reanchor(number + 1, next);
  out.emplace_back(GridMoved{});
}

void Segmenter::close_at(Ticks time, std::vector<Cut>& out) {
  // A hole longer than a segment may last is not part of it: missed numbers follow.
  Ticks end = time;
  if (end - open_->start > timing_.longest_segment)
    end = std::clamp(grid_.boundary(open_->number + 1, timing_.timescale), open_->end,
                     open_->start + timing_.longest_segment);
  segment_end_ = end;
  if (timing_.leads) grid_.lead_ends(end);
  out.emplace_back(SegmentEnds{open_->number, open_->start, end - open_->start});
  open_.reset();
}

void Segmenter::cut_part(std::vector<Cut>& out) {
  if (pending_.empty()) return;
  assert(open_);
  if (open_->broken) {
    pending_.clear();
    return;
  }
  PartCut part;
  part.segment = open_->number;
  part.number = next_part_++;
  part.start = pending_start_;
  part.duration = pending_duration_;
  part.decode_shift = decode_shift_;
  for (const CutFrame& frame : pending_) part.independent |= frame.packet.sync;
  part.opens_segment = !open_->has_part;
  part.frames = std::move(pending_);
  open_->has_part = true;
  pending_.clear();
  pending_.reserve(timing_.part_frames);
  out.emplace_back(std::move(part));
}

void Segmenter::measure(Ticks time) {
  // A hole is no GOP.
  if (std::exchange(after_hole_, false)) last_sync_.reset();
  if (last_sync_) {
    const Ticks gop = time - *last_sync_;
    // Regular as long as lengths agree to within a frame and a half: encoders' clocks are not ours.
    const Ticks slack{timing_.frame.count * 3 / 2};
    gop_regular_ = !last_gop_ || abs_of(gop - *last_gop_) <= slack;
    last_gop_ = gop;
    timing_.largest_gop = std::max(timing_.largest_gop, gop);
  }
  last_sync_ = time;
}

bool Segmenter::last_of_segment(Ticks end) const {
  const Ticks boundary = grid_.boundary(open_->number + 1, timing_.timescale);
  if (end < boundary - tolerance()) return false;
  if (timing_.kind != media::TrackKind::video) return true;
  // A guess, but a good one: if it fails, one part is short and nothing else happens.
  if (!gop_regular_ || !last_sync_) return false;
  const Ticks gop = last_gop_ ? *last_gop_ : timing_.gop;
  return gop.count > 0 && end >= *last_sync_ + gop - Ticks{timing_.frame.count / 2};
}

void Segmenter::flush(std::vector<Cut>& out) {
  // A worker still has pictures of a feed that has gone.
  if (timing_.follows || !open_ || pending_.empty()) return;
  // [RFC 8216bis 4.4.4.9] at least 85 % of the target, the last part excepted.
  open_->short_part = pending_duration_.count * 100 < timing_.part_target.count * 85;
  cut_part(out);
}

void Segmenter::finish(std::vector<Cut>& out) {
  if (!open_) return;
  if (timing_.follows) return give_up(open_->number + 1, out);
  cut_part(out);
  close_at(open_->end, out);
}

}  // namespace kapok::packaging
