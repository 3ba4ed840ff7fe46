// What the packager does for renditions that come from a worker: they are held against the
// rendition that sets the pace, and what they have not got is listed as gaps.
#include <algorithm>

#include <utility>

#include "server/picture/packaging/packager_state.hpp"

namespace kapok::packaging {

namespace {

// A rung that joins late lists as many numbers as the source does, so that a player of it can seek
// as far back and switches to another rendition there. Half an hour of segments of 2 s; a rung of a
// longer window begins with a later number.
constexpr std::size_t kMaxGaps = 1000;

// No encoder reorders so much.
constexpr microseconds kReorder{10'000'000};

// The segments before `before` that `led` lists and the rendition, whose newest is `own`, has not.
std::vector<SpoolIndex::KeptSegment> missed_of(const SpoolIndex::Rendition& led,
                                               const SpoolIndex::Rendition& own,
                                               std::uint64_t before) {
  std::uint64_t from = led.expired_before;
  if (!own.segments.empty()) from = std::max(from, own.segments.back().opened.number + 1);
  std::vector<SpoolIndex::KeptSegment> missed;
  for (auto at = led.segments.rbegin(); at != led.segments.rend(); ++at) {
    const std::uint64_t number = at->opened.number;
    if (number < from || missed.size() >= kMaxGaps) break;
    if (number < before && at->complete) missed.push_back({at->opened, {}, true, at->closed});
  }
  std::ranges::reverse(missed);
  return missed;
}

}  // namespace

void Packager::State::on(Live& rendition, SegmentBroken&) {
  rendition.lost_part = true;
}

// Its times are those of the leading rendition, out of the index: the writer has them all by now.
void Packager::State::on(Live& rendition, MissedAsLed& cut) {
  const bool listed_before = std::exchange(rendition.has_history, true);
  rendition.next_segment = std::max(rendition.next_segment, cut.before);
  submit_structure([self = weak_from_this(), channel = options.channel, led_id = pace,
                    id = rendition.id, init = rendition.init, before = cut.before,
                    first_part = cut.first_part, listed_before](Spool& files) {
    Outcome outcome;
    outcome.rendition = id;
    const auto& renditions = files.index().renditions();
    const auto led = renditions.find(led_id);
    const auto own = renditions.find(id);
    if (led == renditions.end() || own == renditions.end()) return outcome;
    const Timescale led_timescale = led->second.appearances.back().info.timescale;
    const Timescale timescale = own->second.appearances.back().info.timescale;
    const auto missed = missed_of(led->second, own->second, before);
    const std::uint64_t first = missed.empty() ? before : missed.front().opened.number;
    std::optional<std::uint64_t> anew;
    if (listed_before && !own->second.segments.empty() &&
        own->second.segments.back().opened.number + 1 < first) {
      // [RFC 8216bis 4.4.3.2] numbers are consecutive: what is before a hole that cannot be filled
      // is listed no longer.
      anew = first;
      files.record(IndexedExpiry{id, first});
      outcome.events.push_back(
          std::make_shared<const WindowEvent>(WindowEvent{channel, SegmentsExpired{id, first}}));
    }
    std::vector<Segment> gaps;
    for (const SpoolIndex::KeptSegment& other : missed) {
      Segment gap;
      gap.number = other.opened.number;
      gap.era = other.opened.era;
      gap.discontinuity = other.opened.discontinuity;
      gap.gap = true;
      gap.complete = true;
      gap.start = media::rescale(other.opened.start, led_timescale, timescale);
      gap.duration = media::rescale(other.closed.duration, led_timescale, timescale);
      gap.start_utc = UtcTime(media::to_microseconds(gap.start, timescale));
      gap.init = init;
      gap.first_part = first_part;
      files.write_gap(
          {id, gap.number, gap.era, gap.discontinuity, gap.start, first_part, init->name},
          gap.duration);
      outcome.events.push_back(
          std::make_shared<const WindowEvent>(WindowEvent{channel, SegmentClosed{id, gap}}));
      gaps.push_back(std::move(gap));
    }
    outcome.then = [self, id, anew, gaps = std::move(gaps), timescale] {
      const auto state = self.lock();
      if (!state) return;
      if (anew) state->retention.set_listed_from(id, *anew);
      for (const Segment& gap : gaps) {
        state->series.gaps.increment();
        state->retention.add(id, gap.number, gap.start_utc,
                             UtcTime(media::to_microseconds(gap.start + gap.duration, timescale)),
                             0);
      }
      state->retire();
    };
    return outcome;
  });
}

void Packager::State::on(Live& rendition, Misaligned& cut) {
  if (std::exchange(rendition.rung.misaligned, true)) return;
  services.log.warn("rung.misaligned", {{"rendition", rendition.id},
                                        {"segment", cut.number},
                                        {"remedy",
                                         "its encoder must begin a closed GOP where the source's "
                                         "segment begins"}});
}

void Packager::State::give_up(Live& rendition, std::uint64_t before) {
  std::vector<Cut> cuts;
  rendition.segmenter->give_up(before, cuts);
  apply(rendition, cuts);
}

void Packager::State::track_away(const std::string& id) {
  const auto found = live.find(id);
  if (found == live.end() || !found->second.info.rung || !found->second.segmenter) return;
  Live& rendition = found->second;
  if (rendition.grid != grid) return finish(rendition);
  rendition.rung.away = true;
  if (const auto led = live.find(pace); led != live.end())
    give_up(rendition, led->second.next_segment);
}

// A pause of the feed is no delay of its rungs.
void Packager::State::feed_reaches(UtcTime time) {
  constexpr microseconds kPause{500'000};
  const microseconds step = time - newest;
  if (step > kPause)
    for (auto& [id, rendition] : live) rendition.rung.heard += step;
  newest = std::max(newest, time);
}

// A worker decodes what strangers send, so its times are not believed.
Result<void> Packager::State::rung_reaches(Live& rendition, const media::Packet& packet) const {
  const Timescale timescale = rendition.info.timescale;
  const auto at = [&](UtcTime time) {
    return media::from_microseconds(time.time_since_epoch(), timescale);
  };
  if (packet.pts > at(newest + kRungAhead))
    return fail(Errc::malformed, "{} is ahead of what it is made of", rendition.id);
  if (packet.pts < at(newest - kRungBehind))
    return fail(Errc::malformed, "{} is far behind what it is made of", rendition.id);
  const Ticks reorder = media::from_microseconds(kReorder, timescale);
  if (packet.dts > packet.pts + reorder || packet.dts < packet.pts - reorder)
    return fail(Errc::malformed, "dts of {} is far from its pts", rendition.id);
  rendition.rung.heard =
      std::max(rendition.rung.heard, UtcTime(media::to_microseconds(packet.pts, timescale)));
  return {};
}

// The rendition that sets the pace has ended that segment.
void Packager::State::pace_rungs(std::uint64_t ended) {
  for (auto& [id, rendition] : live) {
    if (!rendition.info.rung || !rendition.segmenter) continue;
    if (rendition.grid != grid) {
      if (newest - grid->current().start_utc > kRungPatience) finish(rendition);
      continue;
    }
    Rung& rung = rendition.rung;
    if (!rung.away && newest - rung.heard > kRungPatience) {
      rung.away = true;
      services.log.warn("rung.away", {{"rendition", id},
                                      {"segment", ended},
                                      {"behind_ms", (newest - rung.heard).count() / 1000}});
    }
    if (rung.away) give_up(rendition, ended + 1);
  }
}

void Packager::State::measure_delay(Live& rendition, const PartCut& first_part) {
  const Timescale timescale = rendition.info.timescale;
  // The part of the source with the same pictures was there with the last of them.
  const Ticks last = first_part.start + first_part.duration - rendition.segmenter->timing().frame;
  const UtcTime same(media::to_microseconds(last, timescale));
  if (!rendition.rung.delay.add(newest - same)) return;
  rendition.info.delay = rendition.rung.delay.told();
  publish_rendition(rendition);
}

}  // namespace kapok::packaging
