#include "transcoder/ffmpeg/video_encoder.hpp"

#include <utility>

#include "server/media/av1.hpp"
#include "server/media/describe.hpp"
#include "transcoder/ffmpeg/encoder_options.hpp"
#include "transcoder/ladder/sample_nals.hpp"

namespace kapok::ffmpeg {

Result<std::unique_ptr<VideoEncoder>> VideoEncoder::open(VideoRungSetup setup, const AVFrame& first,
                                                         const media::VideoFacts& source,
                                                         ladder::RungSink& sink,
                                                         RungCounters& counters) {
  const DeviceRow* row = setup.device ? &setup.device->row() : nullptr;
  const char* name =
      row != nullptr ? encoder_name(*row, setup.rung.codec) : encoder_name(setup.rung.codec);
  const AVCodec* codec = avcodec_find_encoder_by_name(name);
  if (codec == nullptr)
    return fail(Errc::unsupported, "{} is not in this libavcodec: {} cannot be encoded", name,
                name_of(setup.rung.codec));
  ContextPtr context(avcodec_alloc_context3(codec));
  context->width = first.width;
  context->height = first.height;
  context->pix_fmt = static_cast<AVPixelFormat>(first.format);
  context->sample_aspect_ratio = first.sample_aspect_ratio;
  context->color_primaries = first.color_primaries;
  context->color_trc = first.color_trc;
  context->colorspace = first.colorspace;
  context->color_range = AVCOL_RANGE_MPEG;
  context->chroma_sample_location = first.chroma_location;
  if (is_on_device(first)) {
    context->hw_frames_ctx = av_buffer_ref(first.hw_frames_ctx);
    context->sw_pix_fmt = pixels_of(first);
  }
  const media::Colour colour{.transfer = static_cast<std::uint8_t>(first.color_trc)};
  const bool hdr = dynamic_range_of(colour) != media::DynamicRange::sdr;
  Options options;
  configure(*context, options, setup, hdr ? &source : nullptr);
  if (const int code = avcodec_open2(context.get(), codec, options.get()); code < 0)
    return std::unexpected(av_error(code, name));
  if (const auto* unknown = av_dict_get(*options.get(), "", nullptr, AV_DICT_IGNORE_SUFFIX))
    return fail(Errc::config, "{} does not know the option {}", name, unknown->key);
  std::unique_ptr<VideoEncoder> made(
      new VideoEncoder(std::move(setup), std::move(context), sink, counters));
  if (hdr) made->light_ = source;
  return made;
}

VideoEncoder::VideoEncoder(VideoRungSetup setup, ContextPtr context, ladder::RungSink& sink,
                           RungCounters& counters)
    : setup_(std::move(setup)), context_(std::move(context)), sink_(sink), counters_(counters) {}

Result<void> VideoEncoder::encode(Picture picture) {
  if (!base_) base_ = picture.mark.pts;
  marks_.add(picture.mark);
  AVFrame& frame = *picture.frame;
  frame.pts = (picture.mark.pts - *base_).count;
  // An encoder that is asked for an I picture makes an IDR of it (forced-idr, or by nature).
  frame.pict_type = picture.mark.starts_segment ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
  if (const int code = avcodec_send_frame(context_.get(), &frame); code < 0)
    return std::unexpected(av_error(code, context_->codec->name));
  return receive();
}

Result<void> VideoEncoder::finish() {
  if (const int code = avcodec_send_frame(context_.get(), nullptr); code < 0)
    return std::unexpected(av_error(code, context_->codec->name));
  return receive();
}

Result<void> VideoEncoder::receive() {
  while (true) {
    PacketPtr packet = make_packet();
    const int code = avcodec_receive_packet(context_.get(), packet.get());
    if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) return {};
    if (code < 0) return std::unexpected(av_error(code, context_->codec->name));
    KAPOK_TRY(give(std::move(packet)));
  }
}

Result<void> VideoEncoder::give(PacketPtr packet) {
  media::Packet made;
  made.track = setup_.id;
  made.pts = media::Ticks{packet->pts} + *base_;
  // A temporal unit of AV1 shows one frame, so both orders are one.
  made.dts = setup_.rung.codec == media::Codec::av1 ? made.pts : media::Ticks{packet->dts} + *base_;
  made.sync = (packet->flags & AV_PKT_FLAG_KEY) != 0;
  const auto mark = marks_.take(made.pts);
  if (!mark) return fail(Errc::internal, "{} made a packet of no frame", context_->codec->name);
  made.duration = mark->duration;
  made.arrival = mark->arrival;
  if (!announced_) {
    auto header = KAPOK_TRY(read_headers());
    sei_ = std::move(header.sei);
    if (sei_.empty() && light_ && setup_.rung.codec == media::Codec::hevc)
      sei_ = ladder::display_sei(*light_);
    made.payload = payload_of(std::move(packet));
    auto track = KAPOK_TRY(media::describe_track({.id = setup_.id,
                                                  .codec = setup_.rung.codec,
                                                  .timescale = setup_.timescale,
                                                  .config = std::move(header.config),
                                                  .language = {}}));
    media::Track described = *media::enriched(track, made.payload.bytes());
    auto& facts = std::get<media::VideoFacts>(described.facts);
    // Encoders that take each frame's own time write no rate; those of devices may write no light.
    facts.frame_rate = setup_.frame_rate;
    if (light_ && !facts.mastering) facts.mastering = light_->mastering;
    if (light_ && !facts.light) facts.light = light_->light;
    sink_.track(setup_.rung.name, std::make_shared<const media::Track>(std::move(described)));
    announced_ = true;
  } else {
    made.payload = payload_of(std::move(packet));
  }
  ++counters_.encoded;
  sink_.packet(setup_.rung.name, std::move(made));
  return {};
}

bool VideoEncoder::writes_start_codes() const {
  return setup_.device && setup_.rung.codec != media::Codec::av1;
}

Result<ladder::EncoderHeader> VideoEncoder::read_headers() const {
  const ByteSpan written =
      as_bytes(context_->extradata, static_cast<std::size_t>(context_->extradata_size));
  const media::Codec codec = setup_.rung.codec;
  if (!writes_start_codes()) return ladder::read_header(codec, written);
  return ladder::read_header(
      codec, ladder::length_prefixed(codec, written, ladder::ParameterSetsIn::keep));
}

Buffer VideoEncoder::payload_of(PacketPtr packet) const {
  const ByteSpan written = as_bytes(packet->data, static_cast<std::size_t>(packet->size));
  const bool is_key = (packet->flags & AV_PKT_FLAG_KEY) != 0;
  const media::Codec codec = setup_.rung.codec;
  Buffer payload;
  if (writes_start_codes())
    payload = Buffer(ladder::length_prefixed(codec, written, ladder::ParameterSetsIn::leave_out));
  else
    payload = Buffer(written, std::shared_ptr<AVPacket>(std::move(packet)));
  if (codec == media::Codec::av1) return media::av1::without_delimiters(payload);
  return is_key ? ladder::with_sei(std::move(payload), sei_) : payload;
}

}  // namespace kapok::ffmpeg
