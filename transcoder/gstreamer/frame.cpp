#include "transcoder/gstreamer/frame.hpp"

extern "C" {
#include <libavutil/pixdesc.h>
}
#include <gst/video/video.h>

#include <algorithm>
#include <array>
#include <utility>

namespace kapok::gstreamer {

namespace {

// What decoders give and encoders take: the same bytes under two names.
constexpr std::pair<GstVideoFormat, AVPixelFormat> kFormats[] = {
    {GST_VIDEO_FORMAT_I420, AV_PIX_FMT_YUV420P},
    {GST_VIDEO_FORMAT_I420_10LE, AV_PIX_FMT_YUV420P10LE},
    {GST_VIDEO_FORMAT_I420_12LE, AV_PIX_FMT_YUV420P12LE},
    {GST_VIDEO_FORMAT_NV12, AV_PIX_FMT_NV12},
    {GST_VIDEO_FORMAT_P010_10LE, AV_PIX_FMT_P010LE},
    {GST_VIDEO_FORMAT_Y42B, AV_PIX_FMT_YUV422P},
    {GST_VIDEO_FORMAT_I422_10LE, AV_PIX_FMT_YUV422P10LE},
    {GST_VIDEO_FORMAT_Y444, AV_PIX_FMT_YUV444P},
    {GST_VIDEO_FORMAT_Y444_10LE, AV_PIX_FMT_YUV444P10LE},
};

Result<GstVideoFormat> format_of(const AVFrame& frame) {
  const auto found = std::ranges::find(kFormats, static_cast<AVPixelFormat>(frame.format),
                                       &std::pair<GstVideoFormat, AVPixelFormat>::second);
  if (found != std::end(kFormats)) return found->first;
  const char* name = av_get_pix_fmt_name(static_cast<AVPixelFormat>(frame.format));
  return fail(Errc::unsupported, "GStreamer gets no pictures in {} from us",
              name == nullptr ? "this format" : name);
}

// What a frame of frame_of() reads.
struct Held {
  BufferPtr buffer;
  GstVideoFrame mapped{};
  Held(GstBuffer& from, GstVideoFrame frame) : buffer(gst_buffer_ref(&from)), mapped(frame) {}
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  ~Held() { gst_video_frame_unmap(&mapped); }
};

// The frame's reference to it goes wherever properties of frames are copied to, scaled ones too.
const Held* held_by(const AVFrame& frame) {
  if (frame.opaque_ref == nullptr || frame.opaque_ref->data != frame.data[0]) return nullptr;
  return static_cast<const Held*>(av_buffer_get_opaque(frame.opaque_ref));
}

void set_colour(AVFrame& frame, const GstVideoInfo& info) {
  const GstVideoColorimetry& colour = info.colorimetry;
  frame.color_primaries =
      static_cast<AVColorPrimaries>(gst_video_color_primaries_to_iso(colour.primaries));
  frame.color_trc = static_cast<AVColorTransferCharacteristic>(
      gst_video_transfer_function_to_iso(colour.transfer));
  frame.colorspace = static_cast<AVColorSpace>(gst_video_color_matrix_to_iso(colour.matrix));
  frame.color_range =
      colour.range == GST_VIDEO_COLOR_RANGE_0_255 ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
  if (info.chroma_site == GST_VIDEO_CHROMA_SITE_MPEG2)
    frame.chroma_location = AVCHROMA_LOC_LEFT;
  else if (info.chroma_site == GST_VIDEO_CHROMA_SITE_COSITED)
    frame.chroma_location = AVCHROMA_LOC_TOPLEFT;
}

// "range:matrix:transfer:primaries", which GStreamer reads as well as its own names.
std::string colorimetry_of(const AVFrame& frame) {
  constexpr int kUnknown = 2;
  if (frame.color_primaries == kUnknown && frame.color_trc == kUnknown &&
      frame.colorspace == kUnknown)
    return {};
  const GstVideoColorimetry colorimetry{
      .range = frame.color_range == AVCOL_RANGE_JPEG ? GST_VIDEO_COLOR_RANGE_0_255
                                                     : GST_VIDEO_COLOR_RANGE_16_235,
      .matrix = gst_video_color_matrix_from_iso(static_cast<guint>(frame.colorspace)),
      .transfer = gst_video_transfer_function_from_iso(static_cast<guint>(frame.color_trc)),
      .primaries = gst_video_color_primaries_from_iso(static_cast<guint>(frame.color_primaries))};
  gchar* text = gst_video_colorimetry_to_string(&colorimetry);
  std::string made = text == nullptr ? "" : text;
  g_free(text);
  return made;
}

// One plane of a frame, which it holds.
GstMemory* memory_of(const AVFrame& frame, int plane, gsize bytes) {
  const auto release = [](gpointer held) {
    auto* held_frame = static_cast<AVFrame*>(held);
    av_frame_free(&held_frame);
  };
  return gst_memory_new_wrapped(GST_MEMORY_FLAG_READONLY, frame.data[plane], bytes, 0, bytes,
                                ffmpeg::share(frame).release(), release);
}

}  // namespace

Result<ffmpeg::FramePtr> frame_of(GstBuffer& buffer, const GstCaps& caps) {
  GstVideoInfo info;
  if (!gst_video_info_from_caps(&info, &caps))
    return fail(Errc::unsupported, "a decoder gave what is no picture");
  const auto found = std::ranges::find(kFormats, GST_VIDEO_INFO_FORMAT(&info),
                                       &std::pair<GstVideoFormat, AVPixelFormat>::first);
  if (found == std::end(kFormats))
    return fail(Errc::unsupported, "a decoder gave pictures in {}", GST_VIDEO_INFO_NAME(&info));
  GstVideoFrame mapped;
  if (!gst_video_frame_map(&mapped, &info, &buffer, GST_MAP_READ))
    return fail(Errc::internal, "a decoder's picture cannot be read");
  auto held = std::make_unique<Held>(buffer, mapped);
  ffmpeg::FramePtr frame = ffmpeg::make_frame();
  frame->format = found->second;
  frame->width = GST_VIDEO_FRAME_WIDTH(&mapped);
  frame->height = GST_VIDEO_FRAME_HEIGHT(&mapped);
  frame->sample_aspect_ratio = {GST_VIDEO_INFO_PAR_N(&info), GST_VIDEO_INFO_PAR_D(&info)};
  for (guint plane = 0; plane < GST_VIDEO_FRAME_N_PLANES(&mapped); ++plane) {
    frame->data[plane] = static_cast<std::uint8_t*>(GST_VIDEO_FRAME_PLANE_DATA(&mapped, plane));
    frame->linesize[plane] = GST_VIDEO_FRAME_PLANE_STRIDE(&mapped, plane);
  }
  const auto release = [](void* opaque, std::uint8_t*) { delete static_cast<Held*>(opaque); };
  frame->buf[0] = av_buffer_create(frame->data[0], gst_buffer_get_size(&buffer), release,
                                   held.get(), AV_BUFFER_FLAG_READONLY);
  if (frame->buf[0] == nullptr) throw std::bad_alloc();
  (void)held.release();  // of the frame's buffer now
  frame->opaque_ref = av_buffer_ref(frame->buf[0]);
  if (frame->opaque_ref == nullptr) throw std::bad_alloc();
  set_colour(*frame, info);
  frame->interlaced_frame = GST_VIDEO_FRAME_IS_INTERLACED(&mapped) ? 1 : 0;
  frame->top_field_first = GST_VIDEO_FRAME_IS_TFF(&mapped) ? 1 : 0;
  return frame;
}

Result<BufferPtr> buffer_of(const AVFrame& frame) {
  if (const Held* held = held_by(frame)) return BufferPtr(gst_buffer_copy(held->buffer.get()));
  const GstVideoFormat format = KAPOK_TRY(format_of(frame));
  const auto* described = av_pix_fmt_desc_get(static_cast<AVPixelFormat>(frame.format));
  BufferPtr buffer(gst_buffer_new());
  std::array<gsize, GST_VIDEO_MAX_PLANES> offsets{};
  std::array<gint, GST_VIDEO_MAX_PLANES> strides{};
  const int planes = av_pix_fmt_count_planes(static_cast<AVPixelFormat>(frame.format));
  gsize end = 0;
  for (int plane = 0; plane < planes; ++plane) {
    const auto at = static_cast<std::size_t>(plane);
    if (frame.linesize[plane] <= 0)
      return fail(Errc::unsupported, "a picture that is stored upside down");
    const int rows =
        plane == 0 ? frame.height : AV_CEIL_RSHIFT(frame.height, described->log2_chroma_h);
    const gsize bytes = static_cast<gsize>(frame.linesize[plane]) * static_cast<gsize>(rows);
    offsets[at] = end;
    strides[at] = frame.linesize[plane];
    gst_buffer_append_memory(buffer.get(), memory_of(frame, plane, bytes));
    end += bytes;
  }
  gst_buffer_add_video_meta_full(buffer.get(), GST_VIDEO_FRAME_FLAG_NONE, format,
                                 static_cast<guint>(frame.width), static_cast<guint>(frame.height),
                                 static_cast<guint>(planes), offsets.data(), strides.data());
  return buffer;
}

Result<CapsPtr> raw_caps(const AVFrame& frame, media::Rational frame_rate, Fields fields) {
  const GstVideoFormat format = KAPOK_TRY(format_of(frame));
  const auto number = [](std::uint32_t value) { return static_cast<int>(value); };
  const AVRational shape =
      frame.sample_aspect_ratio.num > 0 ? frame.sample_aspect_ratio : AVRational{1, 1};
  CapsPtr caps(gst_caps_new_simple(
      "video/x-raw", "format", G_TYPE_STRING, gst_video_format_to_string(format), "width",
      G_TYPE_INT, frame.width, "height", G_TYPE_INT, frame.height, "framerate", GST_TYPE_FRACTION,
      number(frame_rate.numerator), number(frame_rate.denominator), "pixel-aspect-ratio",
      GST_TYPE_FRACTION, shape.num, shape.den, nullptr));
  if (const std::string colorimetry = colorimetry_of(frame); !colorimetry.empty())
    gst_caps_set_simple(caps.get(), "colorimetry", G_TYPE_STRING, colorimetry.c_str(), nullptr);
  if (fields == Fields::mixed)
    gst_caps_set_simple(caps.get(), "interlace-mode", G_TYPE_STRING, "mixed", nullptr);
  return caps;
}

}  // namespace kapok::gstreamer
