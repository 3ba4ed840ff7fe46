#include "transcoder/ffmpeg/video_decoder.hpp"

#include <algorithm>
#include <utility>

namespace kapok::ffmpeg {

namespace {

// The decoder of a codec that can use such a device; null: this libavcodec has none. (libavcodec's
// first choice for AV1 is dav1d, which knows no device.)
const AVCodec* decoder_for(AVCodecID id, const DeviceRow& row) {
  void* at = nullptr;
  while (const AVCodec* codec = av_codec_iterate(&at)) {
    if (av_codec_is_decoder(codec) == 0 || codec->id != id) continue;
    for (int i = 0; const AVCodecHWConfig* way = avcodec_get_hw_config(codec, i); ++i)
      if (way->device_type == row.type &&
          (way->methods & AV_CODEC_HW_CONFIG_METHOD_HW_DEVICE_CTX) != 0)
        return codec;
  }
  return nullptr;
}

// The device's frames where it takes the bitstream, else what libavcodec decodes to in memory.
AVPixelFormat choose_format(AVCodecContext* context, const AVPixelFormat* offered) {
  const auto& row = *static_cast<const DeviceRow*>(context->opaque);
  const AVPixelFormat* last = offered;
  for (; *offered != AV_PIX_FMT_NONE; ++offered) {
    if (*offered == row.frames) return *offered;
    last = offered;
  }
  return *last;
}

}  // namespace

unsigned decoder_threads(const media::VideoFacts& facts, unsigned threads) {
  // Each frame thread holds a picture and adds a frame of delay; four keep up with 4K50 on the
  // cores that decode it at all.
  constexpr unsigned kMost = 4;
  // 8K pictures of 10 bits have 100 MB.
  constexpr unsigned kMostOfLarge = 2;
  constexpr std::uint64_t kLargePixels = std::uint64_t{4096} * 2304;
  const bool large = std::uint64_t{facts.width} * facts.height > kLargePixels;
  return std::min(threads, large ? kMostOfLarge : kMost);
}

Result<void> VideoDecoder::check(const media::Track& track) {
  const media::VideoFacts* facts = track.video();
  if (facts == nullptr || decoder_of(track) == nullptr)
    return fail(Errc::unsupported, "{} cannot be decoded here", name_of(track.codec));
  if (ladder::is_oversized(facts->width, facts->height))
    return fail(Errc::limit, "a picture of {}x{} is above {}x{}", facts->width, facts->height,
                ladder::kMaxLongSide, ladder::kMaxShortSide);
  return {};
}

Result<std::unique_ptr<VideoDecoder>> VideoDecoder::open(const media::Track& track,
                                                         unsigned threads, Counters& counters,
                                                         OnPicture out,
                                                         std::shared_ptr<HwDevice> device) {
  KAPOK_TRY(check(track));
  const media::VideoFacts* facts = track.video();
  const AVCodec* codec =
      device ? decoder_for(codec_id(track.codec), device->row()) : decoder_of(track);
  if (codec == nullptr)
    return fail(Errc::unsupported, "this libavcodec decodes no {} on {}", name_of(track.codec),
                name_of(device->row().kind));
  ContextPtr context(avcodec_alloc_context3(codec));
  if (track.codec == media::Codec::unknown) {
    // Some bitstreams do not say it themselves.
    context->width = static_cast<int>(facts->width);
    context->height = static_cast<int>(facts->height);
  }
  KAPOK_TRY(set_extradata(*context, track.config.bytes()));
  context->pkt_timebase = {1, static_cast<int>(track.timescale)};
  context->thread_count = static_cast<int>(decoder_threads(*facts, threads));
  // The bitstream may claim another size than the record: coded sizes are padded to 64.
  context->max_pixels =
      std::int64_t{ladder::kMaxLongSide + 64} * std::int64_t{ladder::kMaxShortSide + 64};
  if (device) {
    constexpr std::size_t kBytesPerPixel10 = 3;  // 4:2:0 in 16 bits a sample
    context->hw_device_ctx = av_buffer_ref(device->context());
    context->opaque = const_cast<DeviceRow*>(&device->row());
    context->get_format = choose_format;
    context->extra_hw_frames =
        extra_frames(std::size_t{facts->width} * facts->height * kBytesPerPixel10);
  }
  if (const int code = avcodec_open2(context.get(), codec, nullptr); code < 0)
    return std::unexpected(av_error(code, codec->name));
  return std::unique_ptr<VideoDecoder>(
      new VideoDecoder(track, std::move(context), counters, std::move(out), std::move(device)));
}

VideoDecoder::VideoDecoder(const media::Track& track, ContextPtr context, Counters& counters,
                           OnPicture out, std::shared_ptr<HwDevice> device)
    : facts_(*track.video()),
      device_(std::move(device)),
      context_(std::move(context)),
      counters_(counters),
      out_(std::move(out)) {}

void VideoDecoder::failed(int code) {
  ++counters_.decode_errors;
  broken_ = true;
  if (!device_ || code == AVERROR_INVALIDDATA) return;
  if (++device_errors_ == kMaxDeviceErrors) lost_ = av_error(code, context_->codec->name);
}

void VideoDecoder::decode(const media::Packet& packet, ladder::SegmentStart start) {
  const bool starts_segment = start == ladder::SegmentStart::yes;
  if (waits_for_sync_ && !packet.sync) {
    if (starts_segment) marks_.lose_start();
    ++counters_.dropped;
    return;
  }
  waits_for_sync_ = false;
  marks_.add({.pts = packet.pts,
              .duration = packet.duration,
              .arrival = packet.arrival,
              .starts_segment = starts_segment});
  const PacketPtr input = make_packet();
  // libavcodec copies what has no reference count, behind which it adds its padding; it never
  // writes to it.
  input->data = const_cast<std::uint8_t*>(as_u8(packet.payload.bytes()));
  input->size = static_cast<int>(packet.payload.size());
  input->pts = packet.pts.count;
  input->dts = packet.dts.count;
  if (packet.sync) input->flags |= AV_PKT_FLAG_KEY;
  int code = packet.payload.empty() ? AVERROR_INVALIDDATA : 0;
  if (code == 0) {
    code = avcodec_send_packet(context_.get(), input.get());
    if (code == AVERROR(EAGAIN)) {  // its output is full: take that first
      receive();
      code = avcodec_send_packet(context_.get(), input.get());
    }
  }
  if (code < 0) failed(code);
  if (!broken_) receive();
  if (broken_) flush();  // the good pictures before it are still inside
}

void VideoDecoder::flush() {
  avcodec_send_packet(context_.get(), nullptr);
  receive();
  avcodec_flush_buffers(context_.get());
  marks_.forget();
  waits_for_sync_ = true;
  broken_ = false;
}

void VideoDecoder::receive() {
  // After an error libavcodec goes on with the next packet that it holds; each is counted.
  while (true) {
    FramePtr frame = make_frame();
    const int code = avcodec_receive_frame(context_.get(), frame.get());
    if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) return;
    if (code < 0) {
      failed(code);
      if (code != AVERROR_INVALIDDATA) return;  // it would come again
      continue;
    }
    give(std::move(frame));
  }
}

void VideoDecoder::give(FramePtr frame) {
  auto mark = marks_.take({frame->pts});
  const bool is_whole =
      frame->decode_error_flags == 0 && (frame->flags & AV_FRAME_FLAG_CORRUPT) == 0;
  if (!mark || ladder::is_oversized(frame->width, frame->height)) {
    ++counters_.decode_errors;  // a picture out of order, twice, or one that lied about its size
    if (mark && mark->starts_segment) marks_.lose_start();
    return;
  }
  if (!is_whole) ++counters_.decode_errors;
  ++counters_.decoded;
  device_errors_ = 0;
  marks_.pass(*mark);
  complete_colour(*frame, facts_);
  out_({std::move(frame), *mark});
}

}  // namespace kapok::ffmpeg
