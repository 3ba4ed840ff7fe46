#include "transcoder/ffmpeg/audio_encoder.hpp"

extern "C" {
#include <libavutil/audio_fifo.h>
#include <libavutil/opt.h>
}

#include <algorithm>
#include <cstdlib>
#include <utility>
#include <vector>

#include "server/media/describe.hpp"

namespace kapok::ffmpeg {

namespace {

constexpr AVSampleFormat kFormat = AV_SAMPLE_FMT_FLTP;  // what libavcodec's aac takes
// A tenth of a per cent is a pitch that nobody hears.
constexpr std::int64_t kResampleShare = 1000;

// What players take without another resampling; Opus knows no other.
int rung_rate(media::Codec codec, int source) {
  constexpr int kUsual = 48000;
  if (codec == media::Codec::opus) return kUsual;
  return source == 44100 || source == 32000 ? source : kUsual;
}

const AVCodec* encoder_for(media::Codec codec) {
  // libavcodec's own Opus is an experiment [its documentation].
  return codec == media::Codec::opus ? avcodec_find_encoder_by_name("libopus")
                                     : avcodec_find_encoder(codec_id(codec));
}

// The same samples, each channel's beside the others'.
Result<FramePtr> side_by_side(const AVFrame& planar) {
  FramePtr frame = make_frame();
  frame->format = AV_SAMPLE_FMT_FLT;
  frame->nb_samples = planar.nb_samples;
  frame->sample_rate = planar.sample_rate;
  int code = av_channel_layout_copy(&frame->ch_layout, &planar.ch_layout);
  if (code >= 0) code = av_frame_get_buffer(frame.get(), 0);
  if (code < 0) return std::unexpected(av_error(code, "audio frame"));
  auto* out = reinterpret_cast<float*>(frame->extended_data[0]);
  for (int i = 0; i < planar.nb_samples; ++i)
    for (int c = 0; c < planar.ch_layout.nb_channels; ++c)
      *out++ = reinterpret_cast<const float*>(planar.extended_data[c])[i];
  return frame;
}

}  // namespace

Result<std::unique_ptr<AudioEncoder>> AudioEncoder::open(const AudioRungSetup& setup,
                                                         const AVFrame& first,
                                                         ladder::RungSink& sink,
                                                         RungCounters& counters) {
  std::unique_ptr<AudioEncoder> made(new AudioEncoder(setup, sink, counters));
  KAPOK_TRY(made->open_encoder(first));
  KAPOK_TRY(made->open_resampler(first));
  const auto channels = setup.rung.channels;
  if (setup.rung.loudness != 0)
    made->rider_.emplace(static_cast<std::uint32_t>(made->context_->sample_rate), channels,
                         setup.rung.loudness);
  made->queued_ = av_audio_fifo_alloc(kFormat, channels, made->context_->frame_size * 2);
  if (made->queued_ == nullptr) return std::unexpected(av_error(AVERROR(ENOMEM), "audio queue"));
  return made;
}

Result<void> AudioEncoder::open_encoder(const AVFrame& first) {
  const media::AudioRung& rung = setup_.rung;
  const AVCodec* codec = encoder_for(rung.codec);
  if (codec == nullptr)
    return fail(Errc::unsupported, "{} cannot be encoded here", name_of(rung.codec));
  context_.reset(avcodec_alloc_context3(codec));
  AVCodecContext& context = *context_;
  context.sample_rate = rung_rate(rung.codec, first.sample_rate);
  // libopus takes channels side by side.
  context.sample_fmt = rung.codec == media::Codec::opus ? AV_SAMPLE_FMT_FLT : kFormat;
  av_channel_layout_default(&context.ch_layout, rung.channels);
  context.bit_rate = rung.bit_rate;
  context.time_base = {1, context.sample_rate};
  context.flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  if (const int code = avcodec_open2(&context, codec, nullptr); code < 0)
    return std::unexpected(av_error(code, codec->name));
  return {};
}

Result<void> AudioEncoder::open_resampler(const AVFrame& first) {
  SwrContext* resampler = nullptr;
  AVChannelLayout from = first.ch_layout;  // shares what it points to: libav 5.1 wants no const
  int code =
      swr_alloc_set_opts2(&resampler, &context_->ch_layout, kFormat, context_->sample_rate, &from,
                          static_cast<AVSampleFormat>(first.format), first.sample_rate, 0, nullptr);
  resampler_.reset(resampler);
  // Also at equal rates: drift is resampled away.
  if (code >= 0) code = av_opt_set_int(resampler, "flags", SWR_FLAG_RESAMPLE, 0);
  if (code >= 0) code = swr_init(resampler);
  if (code < 0) return std::unexpected(av_error(code, "swresample"));
  in_rate_ = first.sample_rate;
  in_channels_ = first.ch_layout.nb_channels;
  in_format_ = first.format;
  return {};
}

AudioEncoder::AudioEncoder(const AudioRungSetup& setup, ladder::RungSink& sink,
                           RungCounters& counters)
    : setup_(setup), sink_(sink), counters_(counters) {}

AudioEncoder::~AudioEncoder() {
  if (queued_ != nullptr) av_audio_fifo_free(queued_);
}

std::int64_t AudioEncoder::samples(std::chrono::nanoseconds time) const {
  return media::from_nanoseconds(time, static_cast<media::Timescale>(context_->sample_rate)).count;
}

std::int64_t AudioEncoder::error_of(std::chrono::nanoseconds pts) const {
  const std::int64_t inside = swr_get_delay(resampler_.get(), context_->sample_rate) +
                              (rider_ ? static_cast<std::int64_t>(rider_->delayed()) : 0);
  return samples(pts) - (base_->count + written_ + inside - to_skip_);
}

bool AudioEncoder::continues(const AVFrame& frame, std::chrono::nanoseconds pts) const {
  if (frame.sample_rate != in_rate_ || frame.ch_layout.nb_channels != in_channels_ ||
      frame.format != in_format_)
    return false;
  return !base_ || std::abs(error_of(pts)) <= samples(kMaxGap);
}

void AudioEncoder::correct(std::int64_t error) {
  if (error > samples(kMaxError)) {
    swr_inject_silence(resampler_.get(),
                       static_cast<int>(error * in_rate_ / context_->sample_rate));
  } else if (error < -samples(kMaxError)) {
    to_skip_ -= error;
  } else if (std::abs(error) > samples(kResampledAbove) && written_ >= resampling_until_) {
    const std::int64_t most = context_->sample_rate / kResampleShare;
    swr_set_compensation(resampler_.get(), static_cast<int>(std::clamp(error, -most, most)),
                         context_->sample_rate);
    resampling_until_ = written_ + context_->sample_rate;
  }
}

Result<void> AudioEncoder::encode(const AVFrame& frame, std::chrono::nanoseconds pts,
                                  MonoTime arrival) {
  if (!base_) {
    // At a multiple of its frames since the clock's zero: one that begins anew goes on where the
    // frames of the one before it lay.
    const std::int64_t first = samples(pts);
    const std::int64_t size = std::max(1, context_->frame_size);
    base_ = media::Ticks{(first + size - 1) / size * size};
    to_skip_ = base_->count - first;
  }
  arrival_ = arrival;
  correct(error_of(pts));
  KAPOK_TRY(resample(&frame));
  return encode_queued(context_->frame_size);
}

Result<void> AudioEncoder::finish() {
  if (!base_) return {};
  KAPOK_TRY(resample(nullptr));
  if (rider_) KAPOK_TRY(queue(rider_->finish()));
  KAPOK_TRY(encode_queued(1));
  if (const int code = avcodec_send_frame(context_.get(), nullptr); code < 0)
    return std::unexpected(av_error(code, context_->codec->name));
  return receive();
}

Result<void> AudioEncoder::resample(const AVFrame* frame) {
  const int in = frame == nullptr ? 0 : frame->nb_samples;
  const FramePtr out = make_frame();
  out->format = kFormat;
  out->nb_samples = std::max(1, swr_get_out_samples(resampler_.get(), in));
  out->sample_rate = context_->sample_rate;
  int code = av_channel_layout_copy(&out->ch_layout, &context_->ch_layout);
  if (code >= 0) code = av_frame_get_buffer(out.get(), 0);
  if (code >= 0)
    code = swr_convert(
        resampler_.get(), out->extended_data, out->nb_samples,
        frame == nullptr ? nullptr : const_cast<const std::uint8_t**>(frame->extended_data), in);
  if (code < 0) return std::unexpected(av_error(code, "swresample"));
  const auto skipped = static_cast<int>(std::min<std::int64_t>(to_skip_, code));
  to_skip_ -= skipped;
  const int left = code - skipped;
  if (left == 0) return {};
  ladder::Planes planes;
  for (int i = 0; i < context_->ch_layout.nb_channels; ++i) {
    const auto* plane = reinterpret_cast<const float*>(out->extended_data[i]) + skipped;
    planes.emplace_back(plane, plane + left);
  }
  if (rider_) rider_->ride(planes);
  return queue(planes);
}

Result<void> AudioEncoder::queue(const ladder::Planes& planes) {
  const auto samples = static_cast<int>(planes.front().size());
  if (samples == 0) return {};
  std::vector<void*> pointers;
  for (const auto& plane : planes) pointers.push_back(const_cast<float*>(plane.data()));
  if (av_audio_fifo_write(queued_, pointers.data(), samples) < samples)
    return std::unexpected(av_error(AVERROR(ENOMEM), "audio queue"));
  written_ += samples;
  return {};
}

Result<void> AudioEncoder::encode_queued(int at_least) {
  while (av_audio_fifo_size(queued_) >= at_least) {
    FramePtr frame = make_frame();
    frame->format = kFormat;
    frame->nb_samples = std::min(context_->frame_size, av_audio_fifo_size(queued_));
    frame->sample_rate = context_->sample_rate;
    int code = av_channel_layout_copy(&frame->ch_layout, &context_->ch_layout);
    if (code >= 0) code = av_frame_get_buffer(frame.get(), 0);
    if (code >= 0)
      code = av_audio_fifo_read(queued_, reinterpret_cast<void**>(frame->extended_data),
                                frame->nb_samples);
    if (code >= 0 && context_->sample_fmt != kFormat) frame = KAPOK_TRY(side_by_side(*frame));
    frame->pts = encoded_;
    encoded_ += frame->nb_samples;
    if (code >= 0) code = avcodec_send_frame(context_.get(), frame.get());
    if (code < 0) return std::unexpected(av_error(code, context_->codec->name));
    KAPOK_TRY(receive());
  }
  return {};
}

Result<void> AudioEncoder::receive() {
  while (true) {
    PacketPtr packet = make_packet();
    const int code = avcodec_receive_packet(context_.get(), packet.get());
    if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) return {};
    if (code < 0) return std::unexpected(av_error(code, context_->codec->name));
    if (!std::exchange(announced_, true)) KAPOK_TRY(announce());
    media::Packet made;
    made.track = setup_.id;
    made.pts = media::Ticks{packet->pts} + *base_;
    made.dts = made.pts;
    made.duration = media::Ticks{context_->frame_size};
    made.sync = true;
    made.arrival = arrival_;
    const ByteSpan bytes = as_bytes(packet->data, static_cast<std::size_t>(packet->size));
    made.payload = Buffer(bytes, std::shared_ptr<AVPacket>(std::move(packet)));
    ++counters_.encoded;
    sink_.packet(setup_.rung.name, std::move(made));
  }
}

Result<void> AudioEncoder::announce() {
  const ByteSpan config =
      as_bytes(context_->extradata, static_cast<std::size_t>(context_->extradata_size));
  sink_.track(setup_.rung.name,
              KAPOK_TRY(media::describe_track(
                  {.id = setup_.id,
                   .codec = setup_.rung.codec,
                   .timescale = static_cast<media::Timescale>(context_->sample_rate),
                   .config = Buffer::copy_of(config),
                   .language = setup_.language})));
  return {};
}

}  // namespace kapok::ffmpeg
