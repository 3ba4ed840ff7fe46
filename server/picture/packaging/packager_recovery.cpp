#include <algorithm>

#include "server/picture/containers/cmaf/init.hpp"
#include "server/picture/packaging/packager_state.hpp"

namespace kapok::packaging {

namespace {

UtcTime utc_of(Ticks ticks, Timescale timescale) {
  return UtcTime(media::to_microseconds(ticks, timescale));
}

}  // namespace

Result<UtcTime> Packager::State::open() {
  const SpoolRecovery recovery = KAPOK_TRY(spool->open());
  const SpoolIndex& index = spool->index();
  timing = index.timing();
  UtcTime end;
  if (!index.eras().empty()) last_era = index.eras().back();
  for (const Era& era : index.eras()) services.windows.publish(event(EraOpened{era}));
  // Before the segments: of a thumbnail that comes long behind its segment nobody would know.
  republish_images();
  for (const auto& [id, rendition] : index.in_order()) republish(std::string(id), *rendition, end);
  if (last_era) services.windows.publish(event(EraEnded{last_era->id}));
  if (recovery.records > 0)
    services.log.info("spool.recovered", {{"records", recovery.records},
                                          {"segments", recovery.segments},
                                          {"lost_segments", recovery.lost_segments},
                                          {"orphans", recovery.orphans},
                                          {"torn", recovery.torn},
                                          {"end", format_utc(end)}});
  retention.set_available(spool->available_bytes());
  retire();
  return end;
}

void Packager::State::republish(const std::string& id, const SpoolIndex::Rendition& from,
                                UtcTime& end) {
  if (from.appearances.empty()) return;
  Live& rendition = live[id];
  rendition.id = id;
  rendition.info = from.appearances.back().info;
  rendition.average_bits = rendition.info.average_bandwidth;
  // One more than was hinted: see end_era.
  rendition.next_part = from.next_part + 1;
  last_target = std::max(last_target, rendition.info.target_duration_s);
  std::map<std::string, std::shared_ptr<const InitSegment>> inits;
  for (const IndexedRendition& appearance : from.appearances) {
    const auto init = recovered_init(appearance);
    if (!init) continue;
    inits[appearance.init] = init;
    rendition.init = init;
    rendition.track = init->track;
    services.windows.publish(event(RenditionOpened{appearance.era, appearance.info, init}));
  }
  for (const SpoolIndex::KeptSegment& kept_one : from.segments) {
    Segment segment;
    segment.number = kept_one.opened.number;
    segment.era = kept_one.opened.era;
    segment.discontinuity = kept_one.opened.discontinuity;
    segment.gap = kept_one.closed.gap;
    segment.complete = true;
    segment.start = kept_one.opened.start;
    segment.duration = kept_one.closed.duration;
    segment.start_utc = utc_of(segment.start, rendition.info.timescale);
    segment.first_part = kept_one.opened.first_part;
    segment.parts = kept_one.parts;
    segment.bytes = kept_one.closed.bytes;
    const auto init = inits.find(kept_one.opened.init);
    segment.init = init == inits.end() ? rendition.init : init->second;
    if (!segment.gap) segment.file = spool->file_of(id, segment.number);
    const UtcTime until = utc_of(segment.start + segment.duration, rendition.info.timescale);
    end = std::max(end, until);
    rendition.next_segment = segment.number + 1;
    rendition.ended = segment.start + segment.duration;
    rendition.last_era = segment.era;
    retention.add(id, segment.number, segment.start_utc, until, segment.bytes);
    // Without its init segment nothing of it can be played: its numbers count, no more.
    if (!rendition.init) continue;
    rendition.has_history = true;
    services.windows.publish(event(SegmentClosed{id, std::move(segment)}));
  }
  if (from.expired_before > 0 && rendition.has_history) {
    retention.set_listed_from(id, from.expired_before);
    services.windows.publish(event(SegmentsExpired{id, from.expired_before}));
  }
}

std::shared_ptr<const InitSegment> Packager::State::recovered_init(
    const IndexedRendition& appearance) const {
  const auto bytes = spool->read_init(appearance.info.id, appearance.init);
  if (!bytes) {
    services.log.error("spool.init_lost",
                       {{"rendition", appearance.info.id}, {"error", bytes.error().message}});
    return nullptr;
  }
  const auto read = cmaf::read_init(*bytes, 1);
  if (!read) {
    services.log.error("spool.init_unreadable",
                       {{"rendition", appearance.info.id}, {"error", read.error().message}});
    return nullptr;
  }
  auto track = std::make_shared<media::Track>(**read);
  track->language = appearance.info.language;
  auto init = std::make_shared<InitSegment>();
  init->name = appearance.init;
  init->bytes = *bytes;
  init->track = with_frame_rate(std::move(track), appearance.frame_rate);
  return init;
}

}  // namespace kapok::packaging
