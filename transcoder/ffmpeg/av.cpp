#include "transcoder/ffmpeg/av.hpp"

extern "C" {
#include <libavutil/cpu.h>
#include <libavutil/hwcontext.h>
#include <libavutil/imgutils.h>
#include <libavutil/mastering_display_metadata.h>
#include <libavutil/pixdesc.h>
}

#include <algorithm>
#include <cmath>
#include <cstring>
#include <new>

// For sanitized builds of whatever uses this folder. The libraries below us are not instrumented:
// their reference counts and threads look like races. libx265 3.5 leaks some 20 kB an encoder.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
extern "C" const char* __tsan_default_suppressions() {
  return "race:libavcodec\nrace:libavutil\nrace:libavfilter\nrace:libsw\nrace:libx26\n"
         "race:libSvtAv1\nrace:libdav1d\nrace:libzimg\nrace:libplacebo\nrace:libvulkan\nrace:"
         "libLLVM\nrace:libgst\nrace:libglib\nrace:libgobject\nrace:libgio\nrace:liborc\n";
}
#elif __has_feature(address_sanitizer)
extern "C" const char* __lsan_default_suppressions() {
  return "leak:libx265\nleak:libvulkan\nleak:libLLVM\nleak:libgst\nleak:libglib\nleak:libgobject\n";
}
#endif
#endif

namespace kapok::ffmpeg {

namespace {

template <class Number>
Number scaled(AVRational value, double unit) {
  const double number = std::round(av_q2d(value) / unit);
  return static_cast<Number>(
      std::clamp(number, 0.0, static_cast<double>(std::numeric_limits<Number>::max())));
}

void read_light(const AVFrame& frame, media::VideoFacts& facts) {
  if (const auto* side = av_frame_get_side_data(&frame, AV_FRAME_DATA_MASTERING_DISPLAY_METADATA)) {
    const auto& found = *reinterpret_cast<const AVMasteringDisplayMetadata*>(side->data);
    if (found.has_primaries != 0 && found.has_luminance != 0) {
      constexpr double kChromaticity = 0.00002;
      constexpr double kLuminance = 0.0001;
      media::MasteringDisplay display;
      constexpr int kGreenBlueRed[] = {1, 2, 0};  // libav has red, green, blue
      for (int i = 0; i < 3; ++i) {
        const auto& primary = found.display_primaries[kGreenBlueRed[i]];
        display.primaries_x[i] = scaled<std::uint16_t>(primary[0], kChromaticity);
        display.primaries_y[i] = scaled<std::uint16_t>(primary[1], kChromaticity);
      }
      display.white_x = scaled<std::uint16_t>(found.white_point[0], kChromaticity);
      display.white_y = scaled<std::uint16_t>(found.white_point[1], kChromaticity);
      display.max_luminance = scaled<std::uint32_t>(found.max_luminance, kLuminance);
      display.min_luminance = scaled<std::uint32_t>(found.min_luminance, kLuminance);
      facts.mastering = display;
    }
  }
  if (const auto* side = av_frame_get_side_data(&frame, AV_FRAME_DATA_CONTENT_LIGHT_LEVEL)) {
    const auto& found = *reinterpret_cast<const AVContentLightMetadata*>(side->data);
    facts.light = media::ContentLight{static_cast<std::uint16_t>(std::min(found.MaxCLL, 0xffffU)),
                                      static_cast<std::uint16_t>(std::min(found.MaxFALL, 0xffffU))};
  }
}

}  // namespace

FramePtr make_frame() {
  FramePtr frame(av_frame_alloc());
  if (!frame) throw std::bad_alloc();
  return frame;
}

PacketPtr make_packet() {
  PacketPtr packet(av_packet_alloc());
  if (!packet) throw std::bad_alloc();
  return packet;
}

FramePtr share(const AVFrame& frame) {
  FramePtr copy(av_frame_clone(&frame));
  if (!copy) throw std::bad_alloc();
  return copy;
}

Error av_error(int code, std::string_view what) {
  char text[AV_ERROR_MAX_STRING_SIZE] = {};
  av_strerror(code, text, sizeof text);
  return {code == AVERROR_INVALIDDATA ? Errc::malformed : Errc::internal,
          fmt::format("{}: {}", what, text)};
}

AVCodecID codec_id(media::Codec codec) {
  switch (codec) {
    case media::Codec::avc:
      return AV_CODEC_ID_H264;
    case media::Codec::hevc:
      return AV_CODEC_ID_HEVC;
    case media::Codec::av1:
      return AV_CODEC_ID_AV1;
    case media::Codec::aac:
      return AV_CODEC_ID_AAC;
    case media::Codec::opus:
      return AV_CODEC_ID_OPUS;
    case media::Codec::ac3:
      return AV_CODEC_ID_AC3;
    case media::Codec::eac3:
      return AV_CODEC_ID_EAC3;
    case media::Codec::flac:
      return AV_CODEC_ID_FLAC;
    case media::Codec::mp2:
      return AV_CODEC_ID_MP2;
    case media::Codec::mp3:
      return AV_CODEC_ID_MP3;
    default:
      return AV_CODEC_ID_NONE;
  }
}

const AVCodec* decoder_of(const media::Track& track) {
  constexpr std::string_view kForeign[] = {
      "mpeg1video", "mpeg2video", "mpeg4",     "prores",    "dnxhd",     "jpeg2000",  "mjpeg",
      "vp8",        "vp9",        "ffv1",      "v210",      "pcm_s16le", "pcm_s16be", "pcm_s24le",
      "pcm_s24be",  "alac",       "pcm_s32le", "pcm_s32be", "pcm_f32le", "pcm_f32be", "pcm_f64le",
      "vorbis",     "pcm_bluray", "pcm_dvd",   "s302m",     "dca",
  };
  if (track.codec != media::Codec::unknown) return avcodec_find_decoder(codec_id(track.codec));
  if (std::ranges::find(kForeign, track.codec_string) == std::end(kForeign)) return nullptr;
  return avcodec_find_decoder_by_name(track.codec_string.c_str());
}

Result<void> set_extradata(AVCodecContext& context, ByteSpan config) {
  if (config.empty()) return {};
  context.extradata =
      static_cast<std::uint8_t*>(av_mallocz(config.size() + AV_INPUT_BUFFER_PADDING_SIZE));
  if (context.extradata == nullptr) return std::unexpected(av_error(AVERROR(ENOMEM), "extradata"));
  std::memcpy(context.extradata, config.data(), config.size());
  context.extradata_size = static_cast<int>(config.size());
  return {};
}

media::VideoFacts facts_of(const AVFrame& frame, const media::VideoFacts& track) {
  media::VideoFacts facts = track;
  facts.width = static_cast<std::uint32_t>(frame.width);
  facts.height = static_cast<std::uint32_t>(frame.height);
  const auto* format = av_pix_fmt_desc_get(pixels_of(frame));
  if (format != nullptr) facts.bit_depth = static_cast<std::uint8_t>(format->comp[0].depth);
  if (frame.sample_aspect_ratio.num > 0 && frame.sample_aspect_ratio.den > 0)
    facts.sample_aspect = {static_cast<std::uint32_t>(frame.sample_aspect_ratio.num),
                           static_cast<std::uint32_t>(frame.sample_aspect_ratio.den)};
  media::Colour& colour = facts.colour;
  if (colour.primaries == 2) colour.primaries = static_cast<std::uint8_t>(frame.color_primaries);
  if (colour.transfer == 2) colour.transfer = static_cast<std::uint8_t>(frame.color_trc);
  if (colour.matrix == 2) colour.matrix = static_cast<std::uint8_t>(frame.colorspace);
  colour.full_range = frame.color_range == AVCOL_RANGE_JPEG;
  read_light(frame, facts);
  return facts;
}

void complete_colour(AVFrame& frame, const media::VideoFacts& track) {
  constexpr std::uint8_t kUnknown = 2;
  const media::Colour& colour = track.colour;
  if (colour.primaries != kUnknown)
    frame.color_primaries = static_cast<AVColorPrimaries>(colour.primaries);
  if (colour.transfer != kUnknown)
    frame.color_trc = static_cast<AVColorTransferCharacteristic>(colour.transfer);
  if (colour.matrix != kUnknown) frame.colorspace = static_cast<AVColorSpace>(colour.matrix);
}

std::size_t bytes_of(const AVFrame& frame) {
  const int size = av_image_get_buffer_size(pixels_of(frame), frame.width, frame.height, 1);
  return size > 0 ? static_cast<std::size_t>(size) : 0;
}

bool is_on_device(const AVFrame& frame) {
  return frame.hw_frames_ctx != nullptr;
}

AVPixelFormat pixels_of(const AVFrame& frame) {
  if (!is_on_device(frame)) return static_cast<AVPixelFormat>(frame.format);
  return reinterpret_cast<const AVHWFramesContext*>(frame.hw_frames_ctx->data)->sw_format;
}

unsigned usable_cores() {
  return static_cast<unsigned>(std::max(1, av_cpu_count()));
}

}  // namespace kapok::ffmpeg
