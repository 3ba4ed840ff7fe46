#include "transcoder/ffmpeg/image_maker.hpp"

extern "C" {
#include <libavutil/opt.h>
}

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "server/media/jpeg_sheet.hpp"
#include "transcoder/ffmpeg/graph_text.hpp"

namespace kapok::ffmpeg {

namespace {

// Of MJPEG's 2 to 31. At 4 nothing is seen of it, and a poster has some 100 kB.
constexpr int kQuality = 4;

std::string text_for(const ImageSize& to, const media::VideoFacts& from) {
  std::string text;
  // One field: the frame before is a segment away, so nothing can be woven from it.
  if (from.interlaced) text = "field=type=top,";
  text += fmt::format("scale=w={}:h={}:flags=bicubic", to.width, to.height);
  const bool maps = ladder::sdr_tones(from) == ladder::Tones::bt709;
  if (maps) {
    text += ":out_range=tv," + tone_text(from) + ",scale=in_color_matrix=bt709";
  } else {
    // Pictures that do not say it are BT.601 where they are small and BT.709 else [H.273 leaves it
    // to the application; this is what players do].
    constexpr std::uint32_t kFirstHdLines = 720;
    if (from.colour.matrix == 2)
      text += from.height < kFirstHdLines ? ":in_color_matrix=bt601" : ":in_color_matrix=bt709";
  }
  // [JFIF 1.02] full range, the matrix of BT.601.
  return text + ":out_color_matrix=bt601:out_range=pc,setsar=1,format=yuvj420p";
}

}  // namespace

ImageSize image_size(const media::VideoFacts& source, std::uint32_t side) {
  const double aspect =
      source.sample_aspect.numerator > 0 && source.sample_aspect.denominator > 0
          ? static_cast<double>(source.sample_aspect.numerator) / source.sample_aspect.denominator
          : 1;
  double width = source.width * aspect;
  double height = source.height;
  const double shrink = std::min(1.0, side / std::max(width, height));
  const auto even = [&](double length) {
    const auto pairs = static_cast<std::uint32_t>(std::lround(length * shrink / 2));
    return std::clamp(pairs * 2, media::kMinImageSide, media::kMaxImageSide);
  };
  return {even(width), even(height)};
}

ImageSize tile_size(const media::VideoFacts& source, std::uint32_t side) {
  const ImageSize whole = image_size(source, side);
  constexpr std::uint32_t kStep = media::kSheetRowStep;
  const std::uint32_t height = std::max(whole.height / kStep * kStep, kStep);
  const double width = static_cast<double>(whole.width) * height / whole.height;
  const auto pairs = static_cast<std::uint32_t>(std::lround(width / 2));
  return {std::clamp(pairs * 2, media::kMinImageSide, whole.width), height};
}

ImageMaker::ImageMaker(media::ImageKind kind, std::uint32_t side, const media::VideoFacts& from,
                       media::Timescale timescale)
    : kind_(kind),
      size_(kind == media::ImageKind::thumbnail ? tile_size(from, side) : image_size(from, side)),
      timescale_(timescale),
      graph_(GraphSetup{
          .text = text_for(size_, from), .device = nullptr, .timescale = timescale, .threads = 1}) {
}

Result<void> ImageMaker::open(const AVFrame& first) {
  const AVCodec* codec = avcodec_find_encoder(AV_CODEC_ID_MJPEG);
  if (codec == nullptr) return fail(Errc::unsupported, "this FFmpeg has no encoder of JPEG");
  ContextPtr context(avcodec_alloc_context3(codec));
  if (!context) throw std::bad_alloc();
  context->width = first.width;
  context->height = first.height;
  context->pix_fmt = static_cast<AVPixelFormat>(first.format);
  context->color_range = AVCOL_RANGE_JPEG;
  context->time_base = {1, static_cast<int>(timescale_)};
  // Several threads would hold a picture back.
  context->thread_count = 1;
  context->flags |= AV_CODEC_FLAG_QSCALE | AV_CODEC_FLAG_BITEXACT;
  context->global_quality = FF_QP2LAMBDA * kQuality;
  // Thumbnails are joined to sheets, and a JPEG has one set of tables: so they have those of
  // [ITU-T T.81 K.3], a tenth more bytes than with their own.
  if (kind_ == media::ImageKind::thumbnail)
    if (const int code = av_opt_set(context->priv_data, "huffman", "default", 0); code < 0)
      return std::unexpected(av_error(code, "JPEG encoder, option huffman"));
  if (const int code = avcodec_open2(context.get(), codec, nullptr); code < 0)
    return std::unexpected(av_error(code, "JPEG encoder"));
  encoder_ = std::move(context);
  return {};
}

Result<Buffer> ImageMaker::encode(const AVFrame& frame) {
  if (!encoder_) KAPOK_TRY(open(frame));
  // A segment's start is marked as a key frame for the rungs; here each picture is one.
  const FramePtr input = share(frame);
  input->pict_type = AV_PICTURE_TYPE_NONE;
  input->quality = encoder_->global_quality;
  if (const int code = avcodec_send_frame(encoder_.get(), input.get()); code < 0)
    return std::unexpected(av_error(code, "JPEG encoder"));
  const PacketPtr packet = make_packet();
  if (const int code = avcodec_receive_packet(encoder_.get(), packet.get()); code < 0)
    return std::unexpected(av_error(code, "JPEG encoder"));
  return Buffer::copy_of(as_bytes(packet->data, static_cast<std::size_t>(packet->size)));
}

Result<media::Image> ImageMaker::make(const Picture& picture) {
  std::optional<Result<Buffer>> jpeg;
  KAPOK_TRY(graph_.put({share(*picture.frame), picture.mark}, [&](const Picture& scaled) {
    if (!jpeg) jpeg = encode(*scaled.frame);
  }));
  if (!jpeg) return fail(Errc::internal, "a picture did not come out of its filters");
  media::Image image{.kind = kind_,
                     .pts = picture.mark.pts,
                     .timescale = timescale_,
                     .width = size_.width,
                     .height = size_.height,
                     .jpeg = KAPOK_TRY(std::move(*jpeg))};
  KAPOK_TRY(media::validate(image));
  return image;
}

}  // namespace kapok::ffmpeg
