#include <algorithm>
#include <cassert>
#include <cstdlib>

#include "server/base/ids.hpp"
#include "server/picture/containers/cmaf/init.hpp"
#include "server/picture/packaging/packager_state.hpp"

namespace kapok::packaging {

namespace {

// While the first GOP is measured its packets wait here; at 400 Mbit/s this is ten seconds.
constexpr std::size_t kMaxHeldBytes = std::size_t{512} * 1024 * 1024;
// EXTINF must round to at most TARGETDURATION: a hair below the half.
constexpr microseconds kRounding{499'000};

// More missed numbers in a row than this are not listed as gaps.
constexpr std::uint64_t kMaxMissed = 64;

std::string first_of(const std::vector<RenditionTrack>& tracks, media::TrackKind kind) {
  for (const RenditionTrack& track : tracks)
    if (track.origin == Origin::feed && track.track->kind == kind) return track.rendition;
  return {};
}

bool can_package(const RenditionTrack& track) {
  const bool seen_or_heard =
      track.track->kind == media::TrackKind::video || track.track->kind == media::TrackKind::audio;
  return seen_or_heard && is_valid_id(track.rendition) && cmaf::can_write(track.track->codec);
}

const media::Track* track_of(const std::vector<RenditionTrack>& tracks, const std::string& id) {
  for (const RenditionTrack& track : tracks)
    if (track.rendition == id) return track.track.get();
  return nullptr;
}

bool same_rhythm_expected(const IndexedTiming& timing, const std::string& leader,
                          const media::Track& track) {
  const media::VideoFacts* video = track.video();
  return timing.rendition == leader && timing.timing.gop.count() > 0 && video &&
         timing.codec == media::name_of(track.codec) && timing.width == video->width &&
         timing.height == video->height;
}

}  // namespace

void Packager::State::start_era(UtcTime start, std::vector<RenditionTrack> with) {
  if (waiting) decide_without_gop();
  end_era();
  std::erase_if(with, [](const RenditionTrack& track) { return !can_package(track); });
  tracks = std::move(with);
  leader = first_of(tracks, media::TrackKind::video);
  pace = leader.empty() ? first_of(tracks, media::TrackKind::audio) : leader;
  era_start = start;
  last_dts_of_leader.reset();
  if (timing_known()) {
    begin_era(start);
    return;
  }
  waiting = true;
}

// With sound alone there is no GOP. The first era of a run trusts the last run of the same
// pictures, so that a restart costs viewers nothing. Later eras trust what was measured before only
// for the very same configuration record, which is the same encoder come back: a keyframe interval
// does not show in the parameters, and a wrong guess costs a second discontinuity.
bool Packager::State::timing_known() {
  timing_from_last_run = false;
  if (leader.empty()) return !tracks.empty();
  const media::Track* track = track_of(tracks, leader);
  const bool later_era = std::exchange(had_pictures, true);
  if (later_era && timing_config != sha256(track->config.bytes())) return false;
  if (!timing || !same_rhythm_expected(*timing, leader, *track)) return false;
  timing_from_last_run = true;
  return true;
}

bool Packager::State::hold(const std::string& id, const media::Packet& packet) {
  if (id == leader) {
    if (packet.sync && leader_gop_began) {
      std::vector<media::Packet> gop_packets;
      for (const auto& [rendition, waiting_packet] : held) {
        if (rendition != leader) continue;
        if (gop_packets.empty() && !waiting_packet.sync) continue;
        gop_packets.push_back(waiting_packet);
      }
      remember_timing(measure_gop(gop_packets, packet, track_of(tracks, leader)->timescale));
      begin_era(era_start);
      release_held();
      return false;
    }
    leader_gop_began |= packet.sync;
  }
  held.emplace_back(id, packet);
  held_bytes += packet.payload.size();
  const media::Track* track = track_of(tracks, id);
  const media::Track* first = track_of(tracks, held.front().first);
  if (!track || !first) return true;
  const microseconds span = media::to_microseconds(packet.dts, track->timescale) -
                            media::to_microseconds(held.front().second.dts, first->timescale);
  if (span > rules.ceiling || held_bytes > kMaxHeldBytes) decide_without_gop();
  return true;
}

void Packager::State::decide_without_gop() {
  services.log.warn("packager.no_gop", {{"ceiling_s", rules.ceiling.count() / 1'000'000},
                                        {"remedy", "set a fixed GOP of 1 or 2 s in the encoder"}});
  timing.reset();
  begin_era(era_start);
  release_held();
}

void Packager::State::release_held() {
  std::deque<std::pair<std::string, media::Packet>> packets;
  packets.swap(held);
  held_bytes = 0;
  for (const auto& [id, packet] : packets) {
    const auto ignored = append(id, packet);  // renditions that were never declared
    (void)ignored;
  }
  release_images();
}

void Packager::State::remember_timing(const GopTiming& measured) {
  const media::Track* track = track_of(tracks, leader);
  const media::VideoFacts* video = track ? track->video() : nullptr;
  if (!video) return;
  IndexedTiming record{leader, measured, std::string(media::name_of(track->codec)), video->width,
                       video->height};
  timing = record;
  timing_config = sha256(track->config.bytes());
  submit_structure([record](Spool& files) {
    files.record(record);
    return Outcome{};
  });
}

void Packager::State::end_era() {
  if (!running) return;
  // Rungs are behind and complete theirs; those that have not done so with the era before will not.
  for (auto& [id, rendition] : live)
    if (rendition.segmenter && (!rendition.info.rung || rendition.grid != grid)) finish(rendition);
  last_era = grid->current();
  submit_structure([channel = options.channel, era = last_era->id](Spool&) {
    Outcome outcome;
    outcome.events.push_back(
        std::make_shared<const WindowEvent>(WindowEvent{channel, EraEnded{era}}));
    return outcome;
  });
  grid.reset();
  running = false;
}

void Packager::State::finish(Live& rendition) {
  std::vector<Cut> cuts;
  rendition.segmenter->finish(cuts);
  apply(rendition, cuts);
  // The part that was hinted last will not come: its number is left out, so that whoever waits
  // for it gets a 404 and not the first part of another era.
  rendition.next_part = rendition.segmenter->position().next_part + 1;
  rendition.segmenter.reset();
  rendition.grid.reset();
}

void Packager::State::publish_era(const Era& era) {
  last_era = era;
  submit_structure([channel = options.channel, era](Spool& files) {
    Outcome outcome;
    files.record(era);
    outcome.events.push_back(
        std::make_shared<const WindowEvent>(WindowEvent{channel, EraOpened{era}}));
    return outcome;
  });
}

void Packager::State::begin_era(UtcTime start) {
  waiting = false;
  leader_gop_began = false;
  Era era;
  era.start_utc = start;
  era.segment_duration = segment_duration(leader.empty() ? microseconds(0) : gop().gop, rules);
  era.window = retention.promised_window();
  std::uint64_t next = 0;
  for (const auto& [id, rendition] : live) next = std::max(next, rendition.next_segment);
  if (next > 0) {
    era.base = next;
  } else {
    // [design: eras and numbers] so that two servers that start alone agree on the first number.
    era.base = static_cast<std::uint64_t>(start.time_since_epoch() / era.segment_duration);
  }
  if (last_era) {
    era.id = last_era->id + 1;
    era.discontinuity_sequence = last_era->discontinuity_sequence + 1;
  }
  // TARGETDURATION must not change within a playlist; a longer GOP leaves no choice but to raise
  // it, and it is never lowered.
  const std::uint32_t target =
      target_duration(era.segment_duration, leader.empty() ? GopTiming{} : gop());
  if (last_target > 0 && target > last_target)
    services.log.warn("packager.target_duration_raised", {{"from", last_target}, {"to", target}});
  last_target = std::max(last_target, target);
  grid = std::make_shared<EraGrid>(era);
  newest = start;
  running = true;
  publish_era(era);
  services.log.info("era.opened", {{"era", era.id},
                                   {"base", era.base},
                                   {"segment_ms", era.segment_duration.count() / 1000},
                                   {"target_duration_s", last_target}});
  for (const RenditionTrack& track : tracks) open_rendition(track, gop());
}

void Packager::State::open_rendition(const RenditionTrack& declared, GopTiming rhythm) {
  RenditionTrack with = declared;
  Live& rendition = live[with.rendition];
  if (rendition.segmenter) finish(rendition);
  rendition.id = with.rendition;
  rendition.grid = grid;
  const bool rung = with.origin == Origin::rung;
  // The timescale of a rendition is for ever: its older segments are told in it (a reconnect with
  // 44.1 instead of 48 kHz changes the packets, not the playlist).
  rendition.fed = with.track->timescale;
  const bool told = rendition.has_history || rendition.next_segment > 0;
  if (told && rendition.info.timescale != with.track->timescale) {
    auto same = std::make_shared<media::Track>(*with.track);
    same->timescale = rendition.info.timescale;
    with.track = std::move(same);
  }
  const bool video = with.track->kind == media::TrackKind::video;
  // A rung may have half of the source's frames, and its encoder has written how many.
  if (rung && video && with.track->video()->frame_rate.numerator > 0)
    rhythm.frame_rate = with.track->video()->frame_rate;
  rendition.track = video ? with_frame_rate(with.track, rhythm.frame_rate) : with.track;
  rendition.init = make_init(rendition.track);
  rendition.lost_part = false;
  rendition.announced = false;
  rendition.last_dts.reset();
  rendition.dropped_before = 0;

  Ticks frame = nominal_frame(*with.track, rhythm);
  const Timescale timescale = with.track->timescale;
  if (frame.count == 0)
    frame = media::rescale(held_frame(with.rendition), rendition.fed, timescale);
  RenditionTiming timing_of =
      rendition_timing(*with.track, frame, options.part_target, rhythm.coarse);
  timing_of.leads = with.rendition == leader;
  timing_of.follows = rung;
  timing_of.longest_segment = media::from_microseconds(seconds(last_target) + kRounding, timescale);
  if (video) {
    timing_of.largest_gop = media::from_microseconds(rhythm.gop, timescale);
    if (!rhythm.irregular) timing_of.gop = timing_of.largest_gop;
  }
  if (!rung && rendition.has_history && rendition.next_segment + kMaxMissed < grid->base())
    forget_history(rendition);
  rendition.segmenter = std::make_unique<Segmenter>(
      *grid, timing_of,
      Segmenter::Position{rendition.has_history ? rendition.next_segment : grid->current().base,
                          rendition.next_part, rendition.has_history, rendition.ended});

  RenditionInfo& info = rendition.info;
  info.id = with.rendition;
  info.kind = with.track->kind;
  info.language = with.track->language;
  info.timescale = timescale;
  info.part_target =
      microseconds((timing_of.part_target.count * 1'000'000 + timescale - 1) / timescale);
  info.target_duration_s = last_target;
  info.independent_segments = true;
  info.rung = rung;
  info.delay = rendition.rung.delay.told();
  rendition.rung.heard = newest;
  rendition.rung.away = false;
  rendition.open = false;
  if (with.bit_rate > 0) {
    info.bandwidth = std::max(info.bandwidth, peak_of(with.bit_rate, Ticks{8}, 1));
    if (info.average_bandwidth == 0) info.average_bandwidth = rounded_bandwidth(with.bit_rate);
  }
  if (info.bandwidth == 0) seed_bandwidth(rendition);
  rendition.open = true;
  publish_rendition(rendition);
  if (!rendition.has_history) return;
  if (rung) return give_up(rendition, grid->base());
  std::vector<Cut> cuts;
  rendition.segmenter->miss_until(grid->base(), cuts);
  apply(rendition, cuts);
}

// A rendition that comes back after a long absence: its playlist begins anew instead of listing
// hundreds of gaps that nobody could have watched.
void Packager::State::forget_history(Live& rendition) {
  const std::uint64_t before = grid->current().base;
  rendition.has_history = false;
  retention.set_listed_from(rendition.id, before);
  submit_structure([channel = options.channel, id = rendition.id, before](Spool& files) {
    Outcome outcome;
    files.record(IndexedExpiry{id, before});
    outcome.events.push_back(
        std::make_shared<const WindowEvent>(WindowEvent{channel, SegmentsExpired{id, before}}));
    return outcome;
  });
}

void Packager::State::publish_rendition(Live& rendition) {
  // A rung that completes the last era is no part of this one yet.
  if (rendition.grid != grid) return;
  // The newest that was announced: the grid may have moved within the cuts that are being applied.
  const std::uint32_t era = last_era->id;
  media::Rational rate;
  if (const media::VideoFacts* video = rendition.track->video()) rate = video->frame_rate;
  submit_structure([channel = options.channel, era, rate, info = rendition.info,
                    init = rendition.init](Spool& files) {
    Outcome outcome;
    outcome.rendition = info.id;
    if (const auto written = files.write_init(info.id, init->name, init->bytes); !written)
      outcome.error = written.error();
    files.record(IndexedRendition{era, info, init->name, rate});
    outcome.events.push_back(std::make_shared<const WindowEvent>(
        WindowEvent{channel, RenditionOpened{era, info, init}}));
    return outcome;
  });
}

// The rate of what waited while the first GOP was measured: better than the first part alone, most
// of which is a sync picture.
void Packager::State::seed_bandwidth(Live& rendition) {
  std::uint64_t bytes = 0;
  std::optional<Ticks> first;
  Ticks last;
  for (const auto& [id, packet] : held) {
    if (id != rendition.id) continue;
    if (!first) first = packet.dts;
    last = packet.dts;
    bytes += packet.payload.size();
  }
  // Half a second is enough for sound, and a whole GOP is what pictures waited for.
  if (first && (last - *first).count * 2 >= rendition.info.timescale)
    measure_rate(rendition, bytes, last - *first);
}

Ticks Packager::State::held_frame(const std::string& id) const {
  std::optional<Ticks> first;
  Ticks last;
  std::int64_t count = 0;
  for (const auto& [rendition, packet] : held) {
    if (rendition != id) continue;
    if (packet.duration.count > 0) return packet.duration;
    if (!first) first = packet.dts;
    last = packet.dts;
    ++count;
  }
  if (count < 2) return {};
  return {(last - *first).count / (count - 1)};
}

void Packager::State::add_track(RenditionTrack track) {
  if (!can_package(track)) return;
  const auto found = live.find(track.rendition);
  const bool there = found != live.end() && found->second.segmenter;
  if (there && found->second.grid == grid) {
    // Another worker took over.
    found->second.fed = track.track->timescale;
    found->second.rung.heard = newest;
    return update_track(std::move(track));
  }
  if (there) finish(found->second);
  std::erase_if(tracks,
                [&](const RenditionTrack& known) { return known.rendition == track.rendition; });
  tracks.push_back(track);
  // It joins at the number that is open now; a rung with the one that its first picture begins.
  if (running) open_rendition(track, gop());
}

void Packager::State::update_track(RenditionTrack track) {
  for (RenditionTrack& known : tracks)
    if (known.rendition == track.rendition) known.track = track.track;
  const auto found = live.find(track.rendition);
  if (!running || found == live.end() || !found->second.segmenter) return;
  Live& rendition = found->second;
  auto told = std::make_shared<media::Track>(*track.track);
  told->timescale = rendition.info.timescale;
  rendition.track = with_frame_rate(std::move(told), gop().frame_rate);
  auto init = make_init(rendition.track);
  if (init->name == rendition.init->name) return;
  // From the next segment on; a segment has one EXT-X-MAP.
  rendition.init = std::move(init);
  publish_rendition(rendition);
}

// The rhythm of the last run was trusted, so that the first part could go out at once. When the
// first GOP shows that segments cannot be cut by it, a new era begins here, once.
void Packager::State::wrong_rhythm(Live& rendition, const media::Packet& packet) {
  if (rendition.id != leader) return;
  // A hole is no GOP.
  const Ticks frame_ticks = rendition.segmenter->timing().frame;
  if (rendition.last_dts && packet.dts - *rendition.last_dts > frame_ticks * 6)
    last_dts_of_leader.reset();
  if (!packet.sync) return;
  const std::optional<Ticks> before = std::exchange(last_dts_of_leader, packet.dts);
  if (!before) return;
  const Timescale timescale = rendition.info.timescale;
  const microseconds length = media::to_microseconds(packet.dts - *before, timescale);
  const microseconds frame = media::to_microseconds(rendition.segmenter->timing().frame, timescale);
  const auto differs = [&](microseconds a, microseconds b) {
    return std::abs((a - b).count()) > frame.count() * 3 / 2;
  };
  const GopTiming known = gop();
  if (std::exchange(timing_from_last_run, false) && differs(length, known.gop)) {
    GopTiming measured = known;
    measured.gop = length;
    measured.irregular = false;
    const microseconds wanted = segment_duration(length, rules);
    remember_timing(measured);
    if (!differs(wanted, grid->current().segment_duration)) return;
    services.log.info("packager.rhythm_changed", {{"gop_ms", length.count() / 1000}});
    const UtcTime start(media::to_microseconds(packet.dts, timescale));
    end_era();
    begin_era(start);
    last_dts_of_leader = packet.dts;
    return;
  }
  // Remembered for the next era and the next run.
  if (known.gop.count() > 0 && differs(length, known.gop)) {
    GopTiming seen = known;
    seen.irregular = true;
    seen.gop = std::min(std::max(known.gop, length), rules.ceiling);
    if (!(seen == known)) {
      if (length > rules.ceiling)
        services.log.warn("packager.gop_above_ceiling", {{"gop_ms", length.count() / 1000}});
      remember_timing(seen);
    }
  }
}

}  // namespace kapok::packaging
