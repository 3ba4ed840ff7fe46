#include "server/picture/packaging/packager.hpp"

#include <boost/asio/post.hpp>
#include <cassert>
#include <cmath>

#include "server/picture/containers/cmaf/chunk.hpp"
#include "server/picture/containers/cmaf/init.hpp"
#include "server/picture/packaging/packager_state.hpp"

namespace kapok::packaging {

namespace {

// A measured peak is published with this much room, so that it grows rarely.
constexpr double kBandwidthRoom = 1.1;
// Weight of the newest segment in the average rate.
constexpr double kAverageWeight = 0.05;

UtcTime utc_of(Ticks ticks, Timescale timescale) {
  return UtcTime(media::to_microseconds(ticks, timescale));
}

evidence::PictureFacts picture_facts(const media::Track& track) {
  evidence::PictureFacts facts;
  facts.codec = track.codec;
  if (const media::VideoFacts* video = track.video()) {
    facts.width = video->width;
    facts.height = video->height;
    facts.bit_depth = video->bit_depth;
    facts.frame_rate = video->frame_rate;
    facts.colour = video->colour;
  }
  return facts;
}

}  // namespace

std::uint32_t rounded_bandwidth(double bits_per_second) {
  double step = 1'000;
  while (step * 100 < bits_per_second) step *= 10;
  const double rounded = std::ceil(bits_per_second / step) * step;
  return static_cast<std::uint32_t>(std::min(rounded, 4e9));
}

std::shared_ptr<const media::Track> with_frame_rate(std::shared_ptr<const media::Track> track,
                                                    const media::Rational& rate) {
  const media::VideoFacts* video = track->video();
  if (!video || video->frame_rate.numerator > 0 || rate.numerator == 0) return track;
  auto completed = std::make_shared<media::Track>(*track);
  std::get<media::VideoFacts>(completed->facts).frame_rate = rate;
  return completed;
}

std::shared_ptr<const InitSegment> make_init(std::shared_ptr<const media::Track> track) {
  auto init = std::make_shared<InitSegment>();
  init->bytes = Buffer(cmaf::write_init(*track));
  const Digest256 digest = sha256(init->bytes.bytes());
  init->name = "init-" + to_hex(ByteSpan(digest).first(8)) + ".mp4";
  init->track = std::move(track);
  return init;
}

std::uint32_t peak_of(std::uint64_t bytes, Ticks duration, Timescale timescale) {
  return rounded_bandwidth(static_cast<double>(bytes) * 8 * timescale /
                           static_cast<double>(duration.count) * kBandwidthRoom);
}

// ---- jobs ----

bool Packager::State::submit(std::function<Outcome(Spool&)> work, std::size_t bytes) {
  auto weak = weak_from_this();
  const bool taken = services.writer.submit(
      [weak, files = spool, home = services.home, work = std::move(work)] {
        auto outcome = std::make_shared<Outcome>(work(*files));
        boost::asio::post(home, [weak, outcome] {
          if (const auto self = weak.lock()) self->finished(*outcome);
        });
      },
      bytes);
  if (taken) ++jobs_out;
  if (!taken && !std::exchange(writer_behind, true))
    services.log.error("packager.writer_behind",
                       {{"waiting", services.writer.waiting()},
                        {"waiting_bytes", services.writer.waiting_bytes()}});
  if (taken && std::exchange(writer_behind, false)) services.log.info("packager.writer_caught_up");
  return taken;
}

void Packager::State::finished(const Outcome& outcome) {
  --jobs_out;
  for (const EventPointer& what : outcome.events) services.windows.publish(what);
  if (outcome.published) services.evidence.report(*outcome.published);
  if (outcome.bytes > 0) {
    series.parts.increment();
    series.bytes.add(static_cast<double>(outcome.bytes));
  }
  if (outcome.arrived) {
    if (outcome.of_rung && !series.rung_parts)
      series.rung_parts.emplace(
          PackagerSeries::part_delay(services.metrics, options.channel, "rung"));
    (outcome.of_rung ? *series.rung_parts : series.feed_parts)
        .observe(services.clock.mono() - *outcome.arrived);
  }
  if (outcome.error) report(*outcome.error, outcome.rendition);
  if (outcome.then) outcome.then();
  if (jobs_out == 0) idle.cancel();
}

void Packager::State::report(const Error& error, const std::string& rendition) {
  series.write_errors.increment();
  if (error.code == Errc::closed) return;  // the rest of a segment that was reported already
  if (error.code == Errc::full) {
    retention.no_room();
    if (!std::exchange(disk_full, true))
      services.log.error("spool.disk_full", {{"rendition", rendition},
                                             {"window_bytes", retention.total_bytes()},
                                             {"remedy",
                                              "free space under data.dir, or lower "
                                              "the window"}});
    return;
  }
  services.log.error("spool.write_failed", {{"rendition", rendition}, {"error", error.message}});
}

void Packager::State::submit_structure(std::function<Outcome(Spool&)> work) {
  must_run.push_back(std::move(work));
  retry_structure();
}

void Packager::State::retry_structure() {
  while (!must_run.empty() && submit(must_run.front(), 0)) must_run.pop_front();
}

bool Packager::State::submit_media(std::function<Outcome(Spool&)> work, std::size_t bytes) {
  retry_structure();
  return must_run.empty() && submit(std::move(work), bytes);
}

// ---- cuts ----

Result<void> Packager::State::append(const std::string& id, const media::Packet& packet) {
  const bool of_last_era = completes_last_era(id, packet);
  if (!of_last_era) {
    // Held until the first GOP is complete; false: this packet begins the second.
    if (waiting && hold(id, packet)) return {};
    if (!running) return fail(Errc::closed, "no era is open");
  }
  const auto found = live.find(id);
  const bool declared =
      found != live.end() && found->second.segmenter && (of_last_era || found->second.grid == grid);
  if (!declared) return fail(Errc::not_found, "rendition {} is not part of this era", id);
  Live& rendition = found->second;
  if (rendition.fed == rendition.info.timescale) return append_told(rendition, packet);
  media::Packet told = packet;
  for (Ticks* time : {&told.dts, &told.pts, &told.duration})
    *time = media::rescale(*time, rendition.fed, rendition.info.timescale);
  return append_told(rendition, told);
}

bool Packager::State::completes_last_era(const std::string& id, const media::Packet& packet) const {
  const auto found = live.find(id);
  return found != live.end() && found->second.segmenter && found->second.grid != grid &&
         utc_of(packet.pts, found->second.fed) < era_start;
}

Result<void> Packager::State::append_told(Live& rendition, const media::Packet& packet) {
  if (rendition.last_dts && packet.dts <= *rendition.last_dts)
    return fail(Errc::malformed, "dts of {} did not rise", rendition.id);
  if (rendition.info.rung)
    KAPOK_TRY(rung_reaches(rendition, packet));
  else
    feed_reaches(utc_of(packet.pts, rendition.info.timescale));
  wrong_rhythm(rendition, packet);  // may begin a new era
  rendition.last_dts = packet.dts;
  return append_cut(rendition, packet);
}

Result<void> Packager::State::append_cut(Live& rendition, const media::Packet& packet) {
  std::vector<Cut> cuts;
  rendition.segmenter->append(packet, cuts);
  if (const std::uint64_t dropped = rendition.segmenter->dropped();
      dropped != rendition.dropped_before) {
    series.dropped_packets.add(static_cast<double>(dropped - rendition.dropped_before));
    rendition.dropped_before = dropped;
  }
  apply(rendition, cuts);
  return {};
}

void Packager::State::flush() {
  if (waiting && !held.empty()) decide_without_gop();
  for (auto& [id, rendition] : live) {
    if (!rendition.segmenter) continue;
    std::vector<Cut> cuts;
    rendition.segmenter->flush(cuts);
    apply(rendition, cuts);
  }
}

void Packager::State::apply(Live& rendition, std::vector<Cut>& cuts) {
  for (Cut& cut : cuts) std::visit([&](auto& what) { on(rendition, what); }, cut);
}

void Packager::State::on(Live& rendition, SegmentBegins& cut) {
  Segment segment;
  segment.number = cut.number;
  segment.era = rendition.grid->era_of(cut.number).id;
  segment.discontinuity = begins_discontinuity(rendition, cut.number);
  segment.start = cut.start;
  segment.start_utc = utc_of(cut.start, rendition.info.timescale);
  segment.init = rendition.init;
  segment.first_part = cut.first_part;
  rendition.segment = std::move(segment);
  rendition.announced = false;
  rendition.segment_bytes = 0;
  if (std::exchange(rendition.rung.away, false))
    services.log.info("rung.back", {{"rendition", rendition.id}, {"segment", cut.number}});
}

bool Packager::State::begins_discontinuity(const Live& rendition, std::uint64_t number) {
  return number == rendition.grid->base() && rendition.grid->current().discontinuity_sequence > 0;
}

void Packager::State::on(Live& rendition, PartCut& cut) {
  cmaf::ChunkSpec spec;
  spec.sequence = ++rendition.sequence;
  spec.place =
      cut.opens_segment ? cmaf::ChunkPlace::opens_segment : cmaf::ChunkPlace::inside_segment;
  spec.decode_shift = cut.decode_shift;
  std::vector<cmaf::Sample> samples;
  samples.reserve(cut.frames.size());
  for (const CutFrame& frame : cut.frames)
    samples.push_back(cmaf::sample_of(frame.packet, frame.duration));
  auto chunk = std::make_shared<const cmaf::Chunk>(cmaf::write_chunk(spec, samples));
  if (rendition.info.bandwidth == 0) measure_rate(rendition, chunk->size, cut.duration);
  rendition.segment_bytes += chunk->size;

  IndexedPart part{rendition.id, cut.segment, {}};
  part.part.number = cut.number;
  part.part.start = cut.start;
  part.part.duration = cut.duration;
  part.part.independent = cut.independent;
  std::optional<Segment> opening;
  if (!std::exchange(rendition.announced, true)) opening = rendition.segment;
  std::optional<IndexedSegment> opening_record;
  if (opening) opening_record = indexed(rendition, *opening);
  if (opening && rendition.info.rung) measure_delay(rendition, cut);
  if (rendition.lost_part) return;  // the rest of a damaged segment is of no use
  const bool taken = submit_media(
      [this_channel = options.channel, part, opening, opening_record, chunk,
       arrived = cut.frames.back().packet.arrival,
       of_rung = rendition.info.rung](Spool& files) mutable {
        Outcome outcome;
        outcome.rendition = part.rendition;
        outcome.of_rung = of_rung;
        const auto done = files.write_part(opening_record, part, *chunk);
        if (!done) {
          outcome.error = done.error();
          return outcome;
        }
        part.part.offset = done->offset;
        part.part.size = static_cast<std::uint32_t>(chunk->size);
        if (opening) {
          opening->file = done->file;
          outcome.events.push_back(std::make_shared<const WindowEvent>(
              WindowEvent{this_channel, SegmentOpened{part.rendition, *opening}}));
        }
        outcome.events.push_back(std::make_shared<const WindowEvent>(
            WindowEvent{this_channel, PartAdded{part.rendition, part.segment, part.part}}));
        outcome.bytes = chunk->size;
        outcome.arrived = arrived;
        return outcome;
      },
      chunk->size);
  if (!taken) {
    rendition.lost_part = true;
    series.write_errors.increment();
  }
}

void Packager::State::on(Live& rendition, SegmentEnds& cut) {
  rendition.next_segment = cut.number + 1;
  rendition.ended = cut.start + cut.duration;
  rendition.has_history = true;
  const bool lost = std::exchange(rendition.lost_part, false);
  if (!lost) measure_rate(rendition, rendition.segment_bytes, cut.duration);
  Segment closed = rendition.segment;
  closed.duration = cut.duration;
  closed.complete = true;
  rendition.last_era = closed.era;
  const IndexedSegment record = indexed(rendition, closed);
  evidence::Published published;
  published.channel = options.channel;
  published.rendition = rendition.id;
  published.number = cut.number;
  published.interval = {utc_of(cut.start, rendition.info.timescale),
                        utc_of(cut.start + cut.duration, rendition.info.timescale)};
  published.picture = picture_facts(*rendition.track);
  submit_structure([self = weak_from_this(), channel = options.channel, closed, record, lost,
                    published](Spool& files) mutable {
    Outcome outcome;
    outcome.rendition = record.rendition;
    if (lost) files.damage(record.rendition);
    // The window wants a closed segment's parts too; the index has them.
    const auto& segments = files.index().renditions().at(record.rendition).segments;
    if (!segments.empty() && segments.back().opened.number == closed.number)
      closed.parts = segments.back().parts;
    const SegmentDone done = files.close_segment(record, closed.duration);
    closed.gap = done.gap;
    closed.bytes = done.bytes;
    closed.file = done.file;
    if (done.gap) closed.parts.clear();
    if (!done.gap) {
      published.sha256 = done.sha256;
      outcome.published = published;
    }
    outcome.events.push_back(std::make_shared<const WindowEvent>(
        WindowEvent{channel, SegmentClosed{record.rendition, closed}}));
    outcome.then = [self, record, done, interval = published.interval,
                    available = files.available_bytes()] {
      if (const auto state = self.lock())
        state->kept(record.rendition, record.number, interval.from, interval.to, done, available);
    };
    return outcome;
  });
  if (!lost) rendition.rung.misaligned = false;
  if (rendition.id == pace) pace_rungs(cut.number);
}

void Packager::State::on(Live& rendition, SegmentMissed& cut) {
  rendition.next_segment = cut.number + 1;
  rendition.ended = cut.start + cut.duration;
  Segment gap;
  gap.number = cut.number;
  gap.era = cut.number < rendition.grid->base() ? rendition.last_era
                                                : rendition.grid->era_of(cut.number).id;
  gap.discontinuity = begins_discontinuity(rendition, cut.number);
  gap.gap = true;
  gap.complete = true;
  gap.start = cut.start;
  gap.duration = cut.duration;
  gap.start_utc = utc_of(cut.start, rendition.info.timescale);
  gap.init = rendition.init;
  gap.first_part = cut.first_part;
  const IndexedSegment record = indexed(rendition, gap);
  const UtcTime end = utc_of(cut.start + cut.duration, rendition.info.timescale);
  submit_structure(
      [self = weak_from_this(), channel = options.channel, gap, record, end](Spool& files) {
        Outcome outcome;
        outcome.rendition = record.rendition;
        files.write_gap(record, gap.duration);
        outcome.events.push_back(std::make_shared<const WindowEvent>(
            WindowEvent{channel, SegmentClosed{record.rendition, gap}}));
        SegmentDone done;
        done.gap = true;
        outcome.then = [self, record, done, start = gap.start_utc, end,
                        available = files.available_bytes()] {
          if (const auto state = self.lock())
            state->kept(record.rendition, record.number, start, end, done, available);
        };
        return outcome;
      });
  if (rendition.id == pace) pace_rungs(cut.number);
}

void Packager::State::on(Live&, GridMoved&) {
  publish_era(grid->current());
  for (auto& [id, rendition] : live)
    if (rendition.segmenter && rendition.grid == grid) publish_rendition(rendition);
  services.log.info("packager.grid_moved",
                    {{"era", grid->current().id}, {"base", grid->current().base}});
}

void Packager::State::on(Live& rendition, CutWithoutSync& cut) {
  services.log.warn("packager.cut_without_sync",
                    {{"rendition", rendition.id},
                     {"segment", cut.number},
                     {"target_duration_s", rendition.info.target_duration_s},
                     {"remedy", "set a fixed GOP of 1 or 2 s in the encoder"}});
  if (!rendition.info.independent_segments) return;
  rendition.info.independent_segments = false;
  publish_rendition(rendition);
}

// [RFC 8216bis 4.4.6.2] BANDWIDTH is the peak segment rate; what was promised is never taken back.
void Packager::State::measure_rate(Live& rendition, std::uint64_t bytes, Ticks duration) {
  const double length = static_cast<double>(duration.count) / rendition.info.timescale;
  if (length <= 0 || bytes == 0) return;
  const double rate = static_cast<double>(bytes) * 8 / length;
  rendition.average_bits =
      rendition.average_bits == 0
          ? rate
          : rendition.average_bits + (rate - rendition.average_bits) * kAverageWeight;
  // The last segment of an era may be one frame, and one sync frame is no rate.
  const bool short_one =
      length * 2 < static_cast<double>(rendition.grid->current().segment_duration.count()) / 1e6;
  if (short_one && rendition.info.bandwidth > 0) return;
  constexpr unsigned kSettled = 5;
  const double told = rendition.info.average_bandwidth;
  const bool average_off =
      ++rendition.measured_segments >= kSettled &&
      (rendition.average_bits > told * 1.5 || rendition.average_bits < told / 1.5);
  if (average_off) rendition.info.average_bandwidth = rounded_bandwidth(rendition.average_bits);
  if (average_off && rate <= rendition.info.bandwidth) publish_rendition(rendition);
  if (rate <= rendition.info.bandwidth) return;
  rendition.info.bandwidth = peak_of(bytes, duration, rendition.info.timescale);
  rendition.info.average_bandwidth = rounded_bandwidth(rendition.average_bits);
  if (rendition.open) publish_rendition(rendition);
}

// ---- window ----

void Packager::State::kept(const std::string& id, std::uint64_t number, UtcTime start, UtcTime end,
                           const SegmentDone& done, std::optional<std::uint64_t> available) {
  (done.gap ? series.gaps : series.segments).increment();
  if (!done.gap && std::exchange(disk_full, false)) services.log.info("spool.room_again");
  retention.add(id, number, start, end, done.bytes);
  retention.set_available(available);
  retire();
}

void Packager::State::retire() {
  const microseconds longest = seconds(last_target);
  for (const Leaving& leaving : retention.expire(longest)) {
    submit_structure([channel = options.channel, leaving](Spool& files) {
      Outcome outcome;
      files.record(IndexedExpiry{leaving.rendition, leaving.before});
      outcome.events.push_back(std::make_shared<const WindowEvent>(
          WindowEvent{channel, SegmentsExpired{leaving.rendition, leaving.before}}));
      return outcome;
    });
  }
  for (const Leaving& leaving : retention.unlink()) {
    const auto found = live.find(leaving.rendition);
    const bool leads = found != live.end() && !found->second.info.rung &&
                       found->second.info.kind == media::TrackKind::video;
    submit_structure([channel = options.channel, leaving, leads](Spool& files) {
      Outcome outcome;
      files.unlink_before(leaving.rendition, leaving.before);
      if (leads) files.images().unlink_before(leaving.before);
      outcome.events.push_back(std::make_shared<const WindowEvent>(
          WindowEvent{channel, SegmentsUnlinked{leaving.rendition, leaving.before}}));
      return outcome;
    });
  }
  series.spool_bytes.set(static_cast<double>(retention.total_bytes()));
  if (grid && retention.promised_window() < grid->current().window) {
    services.log.warn("spool.window_shrunk",
                      {{"seconds", retention.promised_window().count() / 1'000'000}});
    Era era = grid->current();
    era.window = retention.promised_window();
    grid->set_window(era.window);
    publish_era(era);
  }
}

void Packager::State::set_window(microseconds window, std::uint64_t bytes) {
  retention.set_limits({window, bytes});
  if (!grid || retention.promised_window() >= grid->current().window) return;
  Era era = grid->current();
  era.window = retention.promised_window();
  grid->set_window(era.window);
  publish_era(era);
}

// ---- the interface ----

Packager::Packager(PackagerOptions options, PackagerServices services)
    : state_(std::make_shared<State>(std::move(options), std::move(services))) {}
Packager::~Packager() = default;

Result<UtcTime> Packager::open() {
  return state_->open();
}
void Packager::start_era(UtcTime start, std::vector<RenditionTrack> tracks) {
  state_->start_era(start, std::move(tracks));
}
void Packager::add_track(RenditionTrack track) {
  state_->add_track(std::move(track));
}
void Packager::track_away(const std::string& rendition) {
  state_->track_away(rendition);
}
void Packager::update_track(RenditionTrack track) {
  state_->update_track(std::move(track));
}
Result<void> Packager::append(const std::string& rendition, const media::Packet& packet) {
  return state_->append(rendition, packet);
}

std::optional<std::uint64_t> Packager::open_segment(const std::string& rendition) const {
  const auto found = state_->live.find(rendition);
  if (!state_->running || found == state_->live.end() || !found->second.segmenter)
    return std::nullopt;
  return found->second.segment.number;
}

void Packager::add_image(media::Image image) {
  state_->add_image(std::move(image));
}

std::optional<UtcTime> Packager::poster() const {
  return state_->poster_at;
}

void Packager::set_window(microseconds window, std::uint64_t bytes) {
  state_->set_window(window, bytes);
}

void Packager::feed_live() {
  state_->submit_structure(
      [channel = state_->options.channel, since = state_->services.clock.utc()](Spool&) {
        Outcome outcome;
        outcome.events.push_back(
            std::make_shared<const WindowEvent>(WindowEvent{channel, ChannelLive{since}}));
        return outcome;
      });
}

void Packager::feed_idle() {
  state_->flush();
  state_->submit_structure(
      [channel = state_->options.channel, since = state_->services.clock.utc()](Spool&) {
        Outcome outcome;
        outcome.events.push_back(
            std::make_shared<const WindowEvent>(WindowEvent{channel, ChannelIdle{since}}));
        return outcome;
      });
}

Task<> Packager::close() {
  const auto state = state_;
  if (state->waiting) state->decide_without_gop();
  state->end_era();
  for (auto& [id, rendition] : state->live)
    if (rendition.segmenter) state->finish(rendition);
  while (state->jobs_out > 0 || !state->must_run.empty()) {
    // A full queue empties by itself; look again soon.
    if (state->jobs_out == 0) {
      state->idle.expires_after(milliseconds(5));
    } else {
      state->idle.expires_at(boost::asio::steady_timer::time_point::max());
    }
    [[maybe_unused]] auto [error] = co_await state->idle.async_wait(kAsValue);
    state->retry_structure();
  }
}

}  // namespace kapok::packaging
