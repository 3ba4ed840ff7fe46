// How a rung is cut: see the head of segmenter.hpp.
#include <utility>

#include "server/picture/packaging/segmenter.hpp"

namespace kapok::packaging {

// Where the open segment ends; nothing while the leading rendition has not ended it.
std::optional<Ticks> Segmenter::led_end() const {
  if (timing_.kind != media::TrackKind::video)
    return grid_.boundary(open_->number + 1, timing_.timescale);
  const auto led = grid_.led(open_->number, timing_.timescale);
  return led ? led->end : std::nullopt;
}

void Segmenter::append_led(const media::Packet& packet, std::vector<Cut>& out) {
  if (open_) {
    const Ticks time = packet.dts + decode_shift_;
    if (is_hole(time)) break_open(out);
    resolve_last(time, out);
    const auto end = led_end();
    if (end && time >= *end - half_frame())
      close_led(*end, out);
    else if (!pending_.empty() && pending_duration_ + duration_of(packet) > timing_.part_target)
      cut_part(out);
  }
  if (!open_ && !open_led(packet, out)) {
    ++dropped_;
    return;
  }
  add(packet, packet.dts + decode_shift_);
  const auto end = led_end();
  const bool last = end && open_->end >= *end - half_frame();
  if (part_is_full() || last) cut_part(out);
  if (last) close_led(*end, out);
}

bool Segmenter::open_led(const media::Packet& packet, std::vector<Cut>& out) {
  const auto follows = std::exchange(follows_, std::nullopt);
  std::optional<LedSegment> led;
  if (timing_.kind == media::TrackKind::video) {
    const Ticks time = packet.sync ? packet.pts : packet.dts + decode_shift_;
    led = grid_.led_at(time, half_frame(), timing_.timescale);
    // In a segment that begins without a sync picture only a rung that is running has what its
    // pictures refer to.
    if (led && !packet.sync && (led->sync || led->number != follows)) led.reset();
  } else {
    std::uint64_t number = next_segment_;
    while (packet.dts >= grid_.boundary(number + 1, timing_.timescale) - half_frame()) ++number;
    const Ticks start = grid_.boundary(number, timing_.timescale);
    if (packet.dts >= start - half_frame() && packet.dts <= start + half_frame())
      led = LedSegment{.number = number, .start = start, .end = {}, .sync = true};
  }
  if (!led || led->number < next_segment_) {
    // A hole is no fault of the encoder's.
    const Ticks late = packet.dts + decode_shift_ - segment_end_;
    if (follows && *follows >= next_segment_ && late <= timing_.frame * kHoleFrames)
      out.emplace_back(Misaligned{*follows});
    return false;
  }
  // Another worker's reorder delay may be another.
  if (led->number != follows) decode_shift_ = packet.sync ? packet.pts - packet.dts : Ticks{};
  if (led->number > next_segment_ || !has_history_)
    out.emplace_back(MissedAsLed{led->number, next_part_});
  const Ticks time = packet.dts + decode_shift_;
  open_ = Open{.number = led->number, .start = time, .end = time};
  next_segment_ = led->number + 1;
  has_history_ = true;
  out.emplace_back(SegmentBegins{led->number, time, next_part_});
  if (!packet.sync) out.emplace_back(CutWithoutSync{led->number});
  return true;
}

void Segmenter::break_open(std::vector<Cut>& out) {
  pending_.clear();
  if (!std::exchange(open_->broken, true)) out.emplace_back(SegmentBroken{open_->number});
}

void Segmenter::close_led(Ticks end, std::vector<Cut>& out) {
  cut_part(out);
  if (end - open_->end > timing_.frame * kHoleFrames) break_open(out);
  // A frame of sound goes over the boundary.
  if (timing_.kind != media::TrackKind::video && !open_->broken) end = open_->end;
  segment_end_ = end;
  follows_ = open_->number + 1;
  out.emplace_back(SegmentEnds{open_->number, open_->start, end - open_->start});
  open_.reset();
}

void Segmenter::give_up(std::uint64_t before, std::vector<Cut>& out) {
  if (open_ && open_->number < before) {
    break_open(out);
    // The leading rendition has ended it, or this is the end of the era.
    close_led(led_end().value_or(open_->end), out);
    follows_.reset();
  }
  if (next_segment_ >= before) return;
  out.emplace_back(MissedAsLed{before, next_part_});
  next_segment_ = before;
}

}  // namespace kapok::packaging
