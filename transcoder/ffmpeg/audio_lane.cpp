#include "transcoder/ffmpeg/audio_lane.hpp"

extern "C" {
#include <libavutil/mathematics.h>
}

#include <algorithm>
#include <utility>

namespace kapok::ffmpeg {

namespace {

// One silent sound beside another is a language that nobody speaks just then.
media::Detection watched(const media::Ladder& ladder, std::uint8_t source) {
  media::Detection detection = ladder.detect;
  if (source != 0) detection.silence = microseconds(0);
  return detection;
}

}  // namespace

AudioLane::AudioLane(const media::Ladder& ladder, std::uint8_t source, ladder::Pace pace,
                     ladder::RungSink& sink, Counters& counters, std::span<RungCounters> rungs)
    : ladder_(ladder),
      source_(source),
      pace_(pace),
      sink_(sink),
      counters_(counters),
      rung_counters_(rungs),
      watch_(watched(ladder, source), sink),
      thread_([this] { run(); }) {}

AudioLane::~AudioLane() {
  queue_.close();
  thread_.join();
}

Result<void> AudioLane::check(const media::Track& track) {
  if (track.audio() == nullptr || decoder_of(track) == nullptr)
    return fail(Errc::unsupported, "{} cannot be decoded here", name_of(track.codec));
  return {};
}

void AudioLane::packet(const media::Packet& packet, media::Timescale timescale) {
  if (!queue_.push({packet, ladder::SegmentStart::no}, timescale, pace_)) ++counters_.dropped;
}

void AudioLane::run() {
  while (auto item = queue_.pop()) {
    if (auto* track = std::get_if<std::shared_ptr<const media::Track>>(&*item)) {
      change_track(std::move(*track));
    } else if (const auto* source = std::get_if<ladder::SourcePacket>(&*item)) {
      if (decoder_)
        decode(source->packet);
      else
        ++counters_.dropped;
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
  media::Ladder audio = ladder_;
  audio.video.clear();
  std::erase_if(audio.audio, [&](const auto& rung) { return rung.source != source_; });
  const auto fitted = media::rungs_for(audio, nullptr, track_->audio());
  for (const auto& left_out : fitted.left_out)
    sink_.notice(LogLevel::info, "rung.left_out",
                 fmt::format("{}: {}", left_out.rung, left_out.why));
  for (const auto& rung : fitted.ladder.audio) {
    const auto place = std::ranges::find(ladder_.audio, rung.name, &media::AudioRung::name);
    const auto index = static_cast<std::size_t>(place - ladder_.audio.begin());
    rungs_.push_back({.setup = {.rung = rung,
                                .id = static_cast<media::TrackId>(ladder_.video.size() + index + 1),
                                .language = track_->language},
                      .counters = &rung_counters_[index],
                      .encoder = nullptr});
  }
  if (const auto opened = open_decoder(); !opened)
    sink_.notice(LogLevel::error, "source.refused", opened.error().message);
}

Result<void> AudioLane::open_decoder() {
  decoder_.reset();
  parser_.reset();
  next_pts_.reset();
  const AVCodec* codec = decoder_of(*track_);
  if (codec == nullptr) return check(*track_);
  ContextPtr context(avcodec_alloc_context3(codec));
  // AC-3 needs none, and its dac3 is nothing that libavcodec reads.
  if (track_->codec != media::Codec::ac3 && track_->codec != media::Codec::eac3)
    KAPOK_TRY(set_extradata(*context, track_->config.bytes()));
  context->pkt_timebase = {1, static_cast<int>(track_->timescale)};
  context->sample_rate = static_cast<int>(track_->audio()->sample_rate);
  if (track_->codec == media::Codec::unknown)
    av_channel_layout_default(&context->ch_layout, track_->audio()->channels);
  if (const int code = avcodec_open2(context.get(), codec, nullptr); code < 0)
    return std::unexpected(av_error(code, codec->name));
  decoder_ = std::move(context);
  // As they came in PES packets: several frames each, and not always whole ones.
  if (track_->codec == media::Codec::mp2 || track_->codec == media::Codec::mp3)
    parser_.reset(av_parser_init(codec->id));
  return {};
}

void AudioLane::decode(const media::Packet& packet) {
  if (!parser_) return decode(packet.payload.bytes(), packet.pts.count, packet.arrival);
  ByteSpan left = packet.payload.bytes();
  std::int64_t pts = packet.pts.count;
  while (!left.empty()) {
    std::uint8_t* frame = nullptr;
    int size = 0;
    const int used = av_parser_parse2(parser_.get(), decoder_.get(), &frame, &size, as_u8(left),
                                      static_cast<int>(left.size()), pts, pts, 0);
    if (used < 0 || (used == 0 && size == 0)) break;
    left = left.subspan(static_cast<std::size_t>(used));
    pts = AV_NOPTS_VALUE;
    if (size > 0)
      decode(as_bytes(frame, static_cast<std::size_t>(size)), parser_->pts, packet.arrival);
  }
}

void AudioLane::decode(ByteSpan bytes, std::int64_t pts, MonoTime arrival) {
  const PacketPtr input = make_packet();
  // See VideoDecoder::decode().
  input->data = const_cast<std::uint8_t*>(as_u8(bytes));
  input->size = static_cast<int>(bytes.size());
  input->pts = pts;
  input->dts = pts;
  if (bytes.empty() || avcodec_send_packet(decoder_.get(), input.get()) < 0)
    ++counters_.decode_errors;
  receive(arrival);
}

void AudioLane::receive(MonoTime arrival) {
  while (true) {
    const FramePtr frame = make_frame();
    const int code = avcodec_receive_frame(decoder_.get(), frame.get());
    if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) return;
    if (code < 0) {
      ++counters_.decode_errors;
      return;
    }
    // Of the frames of one packet only the first is told its time.
    if (frame->pts == AV_NOPTS_VALUE && next_pts_) frame->pts = *next_pts_;
    if (frame->pts == AV_NOPTS_VALUE || frame->sample_rate <= 0) continue;
    next_pts_ = frame->pts + av_rescale(frame->nb_samples, track_->timescale, frame->sample_rate);
    watch_.hear(*frame, media::to_microseconds({frame->pts}, track_->timescale));
    encode(*frame, arrival);
  }
}

void AudioLane::encode(const AVFrame& frame, MonoTime arrival) {
  for (Rung& rung : rungs_)
    if (!rung.failed) check(rung, encode(rung, frame, arrival));
}

Result<void> AudioLane::encode(Rung& rung, const AVFrame& frame, MonoTime arrival) {
  const auto pts = media::to_nanoseconds({frame.pts}, track_->timescale);
  if (rung.encoder && !rung.encoder->continues(frame, pts)) {
    KAPOK_TRY(rung.encoder->finish());
    rung.encoder.reset();
  }
  if (!rung.encoder)
    rung.encoder = KAPOK_TRY(AudioEncoder::open(rung.setup, frame, sink_, *rung.counters));
  return rung.encoder->encode(frame, pts, arrival);
}

void AudioLane::check(Rung& rung, const Result<void>& done) {
  if (done || std::exchange(rung.failed, true)) return;
  sink_.notice(LogLevel::error, "rung.failed",
               fmt::format("{}: {}", rung.setup.rung.name, done.error().message));
}

void AudioLane::finish() {
  if (!decoder_) return;
  avcodec_send_packet(decoder_.get(), nullptr);
  receive(MonoTime{});
  avcodec_flush_buffers(decoder_.get());
  next_pts_.reset();
  watch_.end();
  for (Rung& rung : rungs_) {
    if (rung.encoder && !rung.failed) check(rung, rung.encoder->finish());
    rung.encoder.reset();
    rung.failed = false;
  }
}

}  // namespace kapok::ffmpeg
