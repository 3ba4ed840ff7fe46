#include "server/picture/channel/rungs.hpp"

#include <algorithm>
#include <utility>

#include "server/picture/channel/rendition_names.hpp"

namespace kapok::channel {

Rungs::Rungs(ChildProgram transcoder, WorkerServices services, EraKeeper& era)
    : services_(services),
      era_(era),
      anomalies_(services_.channel, services_.log, services_.metrics, services_.evidence),
      worker_(std::move(transcoder), WorkerLimits{}, std::move(services), *this) {}

Rungs::~Rungs() = default;

void Rungs::configure(std::optional<media::Ladder> ladder) {
  if (ladder_ == ladder) return;
  ladder_ = std::move(ladder);
  fit();
}

void Rungs::start(const std::vector<packaging::RenditionTrack>& tracks) {
  worker_.discontinuity();
  video_.reset();
  sounds_.clear();
  segment_.reset();
  std::vector<packaging::RenditionTrack> taken;
  for (const packaging::RenditionTrack& track : tracks)
    if (take(track)) taken.push_back(track);
  fit();
  for (const packaging::RenditionTrack& track : taken)
    if (is_wanted(*track.track)) worker_.track(track.track);
}

void Rungs::track(const packaging::RenditionTrack& track) {
  if (!take(track)) return;
  fit();
  if (is_wanted(*track.track)) worker_.track(track.track);
}

// Whether the worker is told of it: it counts the sounds.
bool Rungs::is_wanted(const media::Track& track) const {
  if (track.kind == media::TrackKind::video) return !fitted_.video.empty();
  return !fitted_.audio.empty() || listens();
}

// To the first sound, for silence; where there is a worker anyway.
bool Rungs::listens() const {
  return fitted_.detect.silence > microseconds::zero() &&
         !(fitted_.video.empty() && fitted_.audio.empty());
}

bool Rungs::wants(media::TrackId track) const {
  if (video_ && video_->track->id == track) return is_wanted(*video_->track);
  for (std::size_t i = 0; i < sounds_.size(); ++i)
    if (sounds_[i]->id == track)
      return (i == 0 && listens()) ||
             std::ranges::any_of(fitted_.audio,
                                 [&](const media::AudioRung& rung) { return rung.source == i; });
  return false;
}

// Rungs are made of the first video and of every sound.
bool Rungs::take(const packaging::RenditionTrack& track) {
  const media::Track& told = *track.track;
  const bool is_mpeg = told.codec == media::Codec::mp2 || told.codec == media::Codec::mp3;
  // Beside a rendition, whose era its rungs join.
  if (track.rendition.empty() && (!is_mpeg || (!video_ && sounds_.empty()))) return false;
  if (told.kind == media::TrackKind::video) {
    if (video_ && video_->track->id != told.id) return false;
    video_ = track;
    return true;
  }
  if (told.kind != media::TrackKind::audio || told.audio() == nullptr) return false;
  const auto known =
      std::ranges::find(sounds_, told.id, [](const auto& sound) { return sound->id; });
  if (known != sounds_.end())
    *known = track.track;
  else if (sounds_.size() < media::kMaxAudioSources)
    sounds_.push_back(track.track);
  else
    return false;
  return true;
}

media::FittedLadder Rungs::fitted_to_source() const {
  if (!ladder_ || (!video_ && sounds_.empty())) return {};
  std::vector<media::AudioSource> sounds;
  for (const auto& sound : sounds_)
    sounds.push_back({sound->codec, *sound->audio(), sound->language});
  return media::fit(*ladder_, video_ ? video_->track->video() : nullptr, sounds);
}

// Which rungs there are for what is on air now. While nothing is, those of the last source.
void Rungs::fit() {
  media::FittedLadder fitted = fitted_to_source();
  if (fitted.left_out.size() != left_out_.size() || fitted.ladder != fitted_) {
    for (const media::RungLeftOut& left : fitted.left_out)
      services_.log.warn("ladder.rung_left_out", {{"rung", left.rung}, {"why", left.why}});
    for (const media::RungAdded& added : fitted.added)
      services_.log.info("ladder.rung_added", {{"rung", added.rung}, {"why", added.why}});
  }
  left_out_ = std::move(fitted.left_out);
  if (fitted.ladder == fitted_) return;
  fitted_ = std::move(fitted.ladder);
  for (const auto& [name, rung] : rungs_)
    if (rung.track) era_.rung_away(name);
  rungs_.clear();
  for (const media::VideoRung& rung : fitted_.video) make_rung(rung.name, rung.bit_rate);
  for (const media::AudioRung& rung : fitted_.audio) make_rung(rung.name, rung.bit_rate);
  if (rungs_.empty()) {
    worker_.rest();
    return;
  }
  worker_.make(fitted_);
  // A reload may want what no rung was made of before.
  if (video_ && is_wanted(*video_->track)) worker_.track(video_->track);
  for (const auto& sound : sounds_)
    if (is_wanted(*sound)) worker_.track(sound);
}

void Rungs::make_rung(const std::string& name, std::uint32_t bit_rate) {
  const MetricLabels labels{{"channel", services_.channel}, {"rung", name}};
  Metrics& metrics = services_.metrics;
  Rung& rung = rungs_[name];
  rung.bit_rate = bit_rate;
  rung.facts.track.rendition = name;
  rung.packets =
      &metrics.counter("kapok_rung_packets_total", "Packets that came of the rung", labels);
  rung.bytes = &metrics.counter("kapok_rung_bytes_total", "Their payload", labels);
  rung.dropped = &metrics.counter("kapok_rung_dropped_packets_total",
                                  "Of them, those from before the era or out of order", labels);
  rung.shed = &metrics.counter(
      "kapok_rung_shed_frames_total",
      "Frames that the transcoder left out because the machine was too slow", labels);
}

void Rungs::packet(const media::Packet& packet) {
  if (!wants(packet.track)) return;
  if (video_ && packet.track == video_->track->id) {
    // Which packets begin segments is the packager's to say. Until it knows, all that could.
    const auto segment = era_.open_segment(video_->rendition);
    const bool begins = !segment || segment != segment_;
    segment_ = segment;
    newest_ = std::max(newest_, media::to_nanoseconds(packet.pts, video_->track->timescale));
    if (!given_from_) given_from_ = newest_;
    worker_.packet(packet, packet.sync && begins ? SegmentStart::yes : SegmentStart::no);
    return;
  }
  if (fitted_.video.empty()) {
    const auto sound =
        std::ranges::find(sounds_, packet.track, [](const auto& track) { return track->id; });
    newest_ = std::max(newest_, media::to_nanoseconds(packet.pts, (*sound)->timescale));
    if (!given_from_) given_from_ = newest_;
  }
  worker_.packet(packet, SegmentStart::no);
}

void Rungs::end() {
  worker_.discontinuity();
}

Task<> Rungs::close() {
  return worker_.close();
}

void Rungs::rung_track(const std::string& name, std::shared_ptr<const media::Track> track) {
  const auto found = rungs_.find(name);
  if (found == rungs_.end()) return;
  Rung& rung = found->second;
  std::vector<std::string> languages;
  for (const auto& sound : sounds_) languages.push_back(sound->language);
  rung.track = told_apart(fitted_.audio, languages, name, std::move(track));
  rung.joined = 0;
  TrackFacts& facts = rung.facts.track;
  facts.id = rung.track->id;
  facts.kind = rung.track->kind;
  facts.codec = rung.track->codec;
  facts.codec_string = rung.track->codec_string;
  facts.language = rung.track->language;
  if (const auto* video = rung.track->video()) facts.video = *video;
  if (const auto* audio = rung.track->audio()) facts.audio = *audio;
}

void Rungs::rung_packet(const std::string& name, media::Packet packet) {
  const auto found = rungs_.find(name);
  if (found == rungs_.end()) return;
  Rung& rung = found->second;
  rung.packets->increment();
  rung.bytes->add(static_cast<double>(packet.payload.size()));
  if (!rung.track) return refuse(rung, name, "its track was never told");
  const media::Timescale timescale = rung.track->timescale;
  rung.newest = media::to_nanoseconds(packet.pts, timescale);
  rung.meter.add(media::to_nanoseconds(packet.dts, timescale), packet.payload.size(), packet.sync);
  const bool current = era_.covers(packet.pts, timescale);
  if (current && rung.joined != era_.eras()) {
    era_.add_rung({name, rung.track, packaging::Origin::rung, rung.bit_rate});
    rung.joined = era_.eras();
  }
  // Until a rung joins the new era it completes its last segments of the one before. One that has
  // joined neither begins early: sound does, by its encoder's delay.
  if (!current && (rung.joined == era_.eras() || rung.joined == 0)) return drop(rung);
  if (auto appended = era_.append_rung(name, packet); !appended)
    refuse(rung, name, appended.error().message);
}

void Rungs::drop(Rung& rung) {
  ++rung.facts.dropped_packets;
  rung.dropped->increment();
}

void Rungs::refuse(Rung& rung, const std::string& name, std::string_view why) {
  drop(rung);
  if (!std::exchange(rung.told_of_refusal, true))
    services_.log.warn("rung.packet_refused", {{"rung", name}, {"why", why}});
}

void Rungs::rung_shed(const std::string& name, std::uint64_t frames) {
  const auto found = rungs_.find(name);
  if (found == rungs_.end()) return;
  std::uint64_t& before = found->second.facts.frames_shed;
  if (frames > before) found->second.shed->add(static_cast<double>(frames - before));
  before = frames;
}

void Rungs::anomaly(const media::AnomalyEvent& event) {
  if (!given_from_) return;
  const auto us = [](nanoseconds time) { return std::chrono::duration_cast<microseconds>(time); };
  anomalies_.take(event, {us(*given_from_), us(newest_)});
}

void Rungs::image(media::Image image) {
  // A reload may have done away with what is still on its way.
  const bool wanted =
      ladder_ && (image.kind == media::ImageKind::poster ? ladder_->poster.enabled
                                                         : ladder_->thumbnails.enabled);
  if (wanted && era_.covers(image.pts, image.timescale)) era_.add_image(std::move(image));
}

void Rungs::worker_ended() {
  anomalies_.end_all();
  given_from_.reset();
  for (auto& [name, rung] : rungs_) {
    if (std::exchange(rung.track, nullptr)) era_.rung_away(name);
    rung.joined = 0;
    rung.facts.frames_shed = 0;
  }
}

std::optional<LadderFacts> Rungs::facts() const {
  if (!ladder_) return std::nullopt;
  LadderFacts facts;
  facts.name = ladder_->name;
  facts.left_out = left_out_;
  worker_.fill(facts.worker);
  const auto add = [&](const std::string& name) {
    const auto found = rungs_.find(name);
    if (found == rungs_.end()) return;
    const Rung& rung = found->second;
    RungFacts& out = facts.rungs.emplace_back(rung.facts);
    rung.meter.fill(out.track);
    if (rung.track && rung.newest > nanoseconds::zero())
      out.lag = std::chrono::duration_cast<microseconds>(
          std::max(nanoseconds::zero(), newest_ - rung.newest));
  };
  for (const media::VideoRung& rung : fitted_.video) add(rung.name);
  for (const media::AudioRung& rung : fitted_.audio) add(rung.name);
  return facts;
}

}  // namespace kapok::channel
