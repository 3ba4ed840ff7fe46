#include "transcoder/gstreamer/audio_lane.hpp"

#include <algorithm>
#include <utility>

#include "transcoder/gstreamer/video_decoder.hpp"

namespace kapok::gstreamer {

AudioLane::AudioLane(const Setup& setup, const Toolbox& toolbox, ladder::RungSink& sink,
                     ladder::Counters& counters, std::span<ladder::RungCounters> rungs)
    : setup_(setup),
      toolbox_(toolbox),
      sink_(sink),
      counters_(counters),
      rung_counters_(rungs),
      thread_([this] { run(); }) {}

AudioLane::~AudioLane() {
  queue_.close();
  thread_.join();
}

Result<void> AudioLane::check(const media::Track& track) const {
  if (track.audio() == nullptr)
    return fail(Errc::unsupported, "{} is no sound", name_of(track.codec));
  KAPOK_TRY(toolbox_.decoder(track.codec));
  return {};
}

void AudioLane::packet(const media::Packet& packet, media::Timescale timescale) {
  if (!queue_.push({packet, ladder::SegmentStart::no}, timescale, setup_.pace)) ++counters_.dropped;
}

void AudioLane::run() {
  while (auto item = queue_.pop()) {
    if (auto* track = std::get_if<std::shared_ptr<const media::Track>>(&*item)) {
      change_track(std::move(*track));
    } else if (const auto* source = std::get_if<ladder::SourcePacket>(&*item)) {
      decode(source->packet);
    } else {
      finish();
      if (const auto& done = std::get<ladder::Flush>(*item).done) done->set_value();
    }
  }
  finish();
}

void AudioLane::change_track(std::shared_ptr<const media::Track> track) {
  finish();
  track_ = std::move(track);
  rungs_.clear();
  media::Ladder audio = setup_.ladder;
  audio.video.clear();
  std::erase_if(audio.audio, [&](const auto& rung) { return rung.source != setup_.source; });
  const auto fitted = media::rungs_for(audio, nullptr, track_->audio());
  for (const auto& left_out : fitted.left_out)
    sink_.notice(LogLevel::info, "rung.left_out",
                 fmt::format("{}: {}", left_out.rung, left_out.why));
  for (const auto& rung : fitted.ladder.audio) {
    const auto place = std::ranges::find(setup_.ladder.audio, rung.name, &media::AudioRung::name);
    const auto index = static_cast<std::size_t>(place - setup_.ladder.audio.begin());
    rungs_.push_back({.rung = rung,
                      .id = static_cast<media::TrackId>(setup_.ladder.video.size() + index + 1),
                      .counters = &rung_counters_[index],
                      .encoder = nullptr});
  }
}

Result<void> AudioLane::open_decoder() {
  const Decoder* decoder = KAPOK_TRY(toolbox_.decoder(track_->codec));
  CapsPtr coded = KAPOK_TRY(coded_caps_of(*track_));
  constexpr std::size_t kQueuedPackets = 8;
  Pipe::Setup setup{.text = decoder_text(*decoder, 1) + " ! audioconvert",
                    .after = {},
                    .in = std::move(coded),
                    .out = caps_of("audio/x-raw,format=F32LE,layout=interleaved"),
                    .queued = kQueuedPackets};
  decoder_ = KAPOK_TRY(Pipe::open(std::move(setup), [this](GstSample& sample) { hear(sample); }));
  return {};
}

void AudioLane::decode(const media::Packet& packet) {
  if (!track_ || rungs_.empty()) return;
  if (packet.payload.empty()) {
    ++counters_.decode_errors;
    return;
  }
  // A clock that ran backwards without a word: what was before is finished.
  if (times_ && times_->at(packet.pts).count() < 0) finish();
  if (!decoder_) {
    times_ = Times{packet.pts, track_->timescale};
    if (const auto opened = open_decoder(); !opened) {
      sink_.notice(LogLevel::error, "source.refused", opened.error().message);
      rungs_.clear();
      return;
    }
  }
  arrival_ = packet.arrival;
  BufferPtr buffer = wrap(packet.payload.bytes(), std::make_shared<const Buffer>(packet.payload));
  GST_BUFFER_PTS(buffer.get()) = static_cast<GstClockTime>(times_->at(packet.pts).count());
  if (decoder_->push(std::move(buffer))) return;
  ++counters_.decode_errors;
  end_decoder();
}

void AudioLane::end_decoder() {
  if (!decoder_) return;
  counters_.decode_errors += decoder_->warnings();
  decoder_.reset();
}

void AudioLane::hear(GstSample& sample) {
  const auto at = running_time(sample, GST_BUFFER_PTS(gst_sample_get_buffer(&sample)));
  if (!at) return;
  const auto pts = *at - Times::kOrigin + media::to_nanoseconds(times_->base, times_->timescale);
  for (Rung& rung : rungs_)
    if (!rung.failed) check(rung, encode(rung, sample, pts));
}

Result<void> AudioLane::encode(Rung& rung, GstSample& sample, std::chrono::nanoseconds pts) {
  GstCaps* caps = gst_sample_get_caps(&sample);
  if (rung.encoder && !rung.encoder->continues(*caps, pts)) {
    KAPOK_TRY(rung.encoder->finish());
    rung.encoder.reset();
  }
  if (!rung.encoder) {
    AudioEncoder::Setup setup{.rung = rung.rung,
                              .id = rung.id,
                              .language = track_->language,
                              .element = KAPOK_TRY(toolbox_.audio_encoder(rung.rung)),
                              .samples = CapsPtr(gst_caps_ref(caps))};
    rung.encoder = KAPOK_TRY(AudioEncoder::open(std::move(setup), sink_, *rung.counters));
  }
  GstBuffer* buffer = gst_sample_get_buffer(&sample);
  std::vector<float> samples(gst_buffer_get_size(buffer) / sizeof(float));
  gst_buffer_extract(buffer, 0, samples.data(), samples.size() * sizeof(float));
  return rung.encoder->encode(samples, pts, arrival_);
}

void AudioLane::check(Rung& rung, const Result<void>& done) {
  if (done || std::exchange(rung.failed, true)) return;
  sink_.notice(LogLevel::error, "rung.failed",
               fmt::format("{}: {}", rung.rung.name, done.error().message));
}

void AudioLane::finish() {
  if (decoder_ && !decoder_->finish()) ++counters_.decode_errors;
  end_decoder();
  times_.reset();
  for (Rung& rung : rungs_) {
    if (rung.encoder && !rung.failed) check(rung, rung.encoder->finish());
    rung.encoder.reset();
    rung.failed = false;
  }
}

}  // namespace kapok::gstreamer
