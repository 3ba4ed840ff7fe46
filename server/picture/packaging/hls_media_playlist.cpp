#include "server/picture/packaging/hls_media_playlist.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <iterator>

namespace kapok::packaging {

namespace {

double seconds_of(microseconds time) {
  return static_cast<double>(time.count()) / 1e6;
}

}  // namespace

std::string format_seconds(Ticks duration, Timescale timescale) {
  const std::int64_t units = media::rescale(duration, timescale, 100'000).count;
  return fmt::format("{}.{:05}", units / 100'000, units % 100'000);
}

void HlsMediaPlaylist::append_seconds(std::string& out, Ticks duration) const {
  const std::int64_t units = media::rescale(duration, info_.timescale, 100'000).count;
  fmt::format_to(std::back_inserter(out), "{}.{:05}", units / 100'000, units % 100'000);
}

void HlsMediaPlaylist::set_info(const RenditionInfo& info) {
  info_ = info;
}

std::uint64_t HlsMediaPlaylist::first_number() const {
  return settled_.empty() ? recent_.front().entry.number : settled_.front().number;
}

const HlsMediaPlaylist::Entry& HlsMediaPlaylist::entry_at(std::size_t index) const {
  return index < settled_.size() ? settled_[index] : recent_[index - settled_.size()].entry;
}

void HlsMediaPlaylist::open_segment(const Segment& segment, std::uint32_t discontinuity_sequence) {
  Recent recent;
  Entry& entry = recent.entry;
  entry.number = segment.number;
  entry.duration = segment.duration;
  entry.discontinuity = segment.discontinuity;
  entry.discontinuity_sequence = discontinuity_sequence;
  entry.init = segment.init ? segment.init->name : last_init_;
  entry.own_map = entry.init != last_init_ || segment.discontinuity;
  last_init_ = entry.init;
  auto out = std::back_inserter(recent.head);
  if (entry.discontinuity) recent.head += "#EXT-X-DISCONTINUITY\n";
  if (entry.own_map) fmt::format_to(out, "#EXT-X-MAP:URI=\"{}\"\n", entry.init);
  fmt::format_to(out, "#EXT-X-PROGRAM-DATE-TIME:{}\n", format_utc(segment.start_utc));
  recent_.push_back(std::move(recent));
  for (const Part& part : segment.parts) add_part(part);
  settle();
}

void HlsMediaPlaylist::add_part(const Part& part) {
  assert(!recent_.empty() && recent_.back().tail.empty());
  Recent& recent = recent_.back();
  recent.parts += "#EXT-X-PART:DURATION=";
  append_seconds(recent.parts, part.duration);
  fmt::format_to(std::back_inserter(recent.parts), ",URI=\"p{}.m4s\"{}\n", part.number,
                 part.independent ? ",INDEPENDENT=YES" : "");
  recent.entry.duration += part.duration;
  settle();
}

void HlsMediaPlaylist::close_segment(const Segment& segment, std::uint32_t discontinuity_sequence) {
  if (recent_.empty() || recent_.back().entry.number != segment.number)
    open_segment(segment, discontinuity_sequence);
  Recent& recent = recent_.back();
  recent.entry.duration = segment.duration;
  if (segment.gap) {
    // [RFC 8216bis 4.4.4.7] a gap has no bytes to load, so it lists no parts either.
    recent.parts.clear();
    recent.tail = "#EXT-X-GAP\n";
  }
  recent.tail += "#EXTINF:";
  append_seconds(recent.tail, segment.duration);
  fmt::format_to(std::back_inserter(recent.tail), ",\n{}{}.m4s\n",
                 segment_name_prefix(discontinuity_sequence), segment.number);
  settle();
}

void HlsMediaPlaylist::settle() {
  const Ticks keep{static_cast<std::int64_t>(info_.target_duration_s) * kPartTargets *
                   info_.timescale};
  Ticks after;
  for (const Recent& recent : recent_) after += recent.entry.duration;
  while (recent_.size() > 1 && !recent_.front().tail.empty()) {
    Recent& front = recent_.front();
    after -= front.entry.duration;
    if (after < keep) break;
    front.entry.text_size = front.head.size() + front.tail.size();
    settled_text_ += front.head;
    settled_text_ += front.tail;
    settled_.push_back(std::move(front.entry));
    recent_.pop_front();
  }
}

void HlsMediaPlaylist::expire_before(std::uint64_t number) {
  while (!settled_.empty() && settled_.front().number < number) {
    settled_from_ += settled_.front().text_size;
    settled_.pop_front();
  }
  if (settled_from_ * 2 > settled_text_.size()) {
    settled_text_.erase(0, settled_from_);
    settled_from_ = 0;
  }
  while (settled_.empty() && !recent_.empty() && !recent_.front().tail.empty() &&
         recent_.front().entry.number < number)
    recent_.pop_front();
}

std::string HlsMediaPlaylist::header(const Entry& first) const {
  std::string out;
  const double target = info_.target_duration_s;
  // Rounded up: no listed part may look longer than the target only for want of decimals.
  const double part_target = static_cast<double>((info_.part_target.count() + 9) / 10) / 100'000;
  const double hold_back =
      std::max(3 * part_target, seconds_of(kMinPartHoldBack)) + seconds_of(ahead_);
  // [RFC 8216bis 4.4.3.3] the discontinuity sequence is that of the first listed segment before its
  // own EXT-X-DISCONTINUITY counts.
  const std::uint32_t sequence =
      first.discontinuity_sequence - (first.discontinuity && first.discontinuity_sequence > 0);
  fmt::format_to(std::back_inserter(out),
                 "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:{}\n"
                 "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK={:.3f},"
                 "HOLD-BACK={:.1f},CAN-SKIP-UNTIL={:.1f}\n"
                 "#EXT-X-PART-INF:PART-TARGET={:.5f}\n#EXT-X-MEDIA-SEQUENCE:{}\n"
                 "#EXT-X-DISCONTINUITY-SEQUENCE:{}\n",
                 info_.target_duration_s, hold_back, 3 * target, kSkipTargets * target, part_target,
                 first.number, sequence);
  if (info_.independent_segments) out += "#EXT-X-INDEPENDENT-SEGMENTS\n";
  return out;
}

std::string HlsMediaPlaylist::render(PlaylistForm form) const {
  if (empty()) return {};
  const std::size_t count = settled_.size() + recent_.size();
  std::size_t skipped = 0;
  std::size_t skipped_bytes = 0;
  if (form == PlaylistForm::delta) {
    // [RFC 8216bis 4.4.5.2] everything before the skip boundary, and only settled segments, so that
    // what is left always holds all the parts.
    const Ticks boundary{static_cast<std::int64_t>(info_.target_duration_s) * kSkipTargets *
                         info_.timescale};
    Ticks after;
    for (const Recent& recent : recent_) after += recent.entry.duration;
    skipped = settled_.size();
    std::size_t kept_bytes = 0;
    while (skipped > 0 && after < boundary) {
      --skipped;
      after += settled_[skipped].duration;
      kept_bytes += settled_[skipped].text_size;
    }
    skipped_bytes = settled_text_.size() - settled_from_ - kept_bytes;
    if (skipped == 0) skipped_bytes = 0;
  }
  const Entry& first = entry_at(0);
  std::string out = header(first);
  std::size_t recent_bytes = 0;
  for (const Recent& recent : recent_)
    recent_bytes += recent.head.size() + recent.parts.size() + recent.tail.size();
  out.reserve(out.size() + settled_text_.size() - settled_from_ + recent_bytes + 512);
  if (skipped > 0)
    fmt::format_to(std::back_inserter(out), "#EXT-X-SKIP:SKIPPED-SEGMENTS={}\n", skipped);
  // Also after a skip: some players attach the map to the segments that follow it and do not look
  // into the playlist they had before.
  if (skipped < count && !entry_at(skipped).own_map)
    fmt::format_to(std::back_inserter(out), "#EXT-X-MAP:URI=\"{}\"\n", entry_at(skipped).init);
  out.append(settled_text_, settled_from_ + skipped_bytes);
  for (const Recent& recent : recent_) {
    // An open segment without a part yet has nothing to say: its lines come with the first part.
    if (recent.parts.empty() && recent.tail.empty()) continue;
    out += recent.head;
    out += recent.parts;
    out += recent.tail;
  }
  if (hint_)
    fmt::format_to(std::back_inserter(out), "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"p{}.m4s\"\n",
                   *hint_);
  for (const RenditionReport& report : reports_) {
    fmt::format_to(std::back_inserter(out),
                   "#EXT-X-RENDITION-REPORT:URI=\"../{}/media.m3u8\",LAST-MSN={}", report.rendition,
                   report.last_msn);
    if (report.last_part)
      fmt::format_to(std::back_inserter(out), ",LAST-PART={}", *report.last_part);
    out += '\n';
  }
  return out;
}

}  // namespace kapok::packaging
