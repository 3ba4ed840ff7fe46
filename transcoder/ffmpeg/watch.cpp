#include "transcoder/ffmpeg/watch.hpp"

extern "C" {
#include <libavutil/pixdesc.h>
}

#include <algorithm>

namespace kapok::ffmpeg {

namespace {

detect::Plane plane_of(const AVFrame& frame, const AVComponentDescriptor& component) {
  return {reinterpret_cast<const std::byte*>(frame.data[component.plane]) + component.offset,
          frame.linesize[component.plane], static_cast<std::uint32_t>(component.step)};
}

template <class Sample>
double loudest(const AVFrame& frame, bool planar) {
  const auto channels = static_cast<std::size_t>(frame.ch_layout.nb_channels);
  const auto count = static_cast<std::size_t>(frame.nb_samples);
  double most = 0;
  for (std::size_t i = 0; i < channels; ++i) {
    detect::Channel<Sample> channel{.first = nullptr, .count = count, .step = 1};
    if (planar) {
      channel.first = reinterpret_cast<const Sample*>(frame.extended_data[i]);
    } else {
      channel.first = reinterpret_cast<const Sample*>(frame.extended_data[0]) + i;
      channel.step = channels;
    }
    most = std::max(most, detect::power(channel));
  }
  return most;
}

}  // namespace

std::optional<detect::Planes> planes_of(const AVFrame& frame) {
  const AVPixFmtDescriptor* format = av_pix_fmt_desc_get(static_cast<AVPixelFormat>(frame.format));
  constexpr std::uint64_t kNotOurs = AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL |
                                     AV_PIX_FMT_FLAG_HWACCEL | AV_PIX_FMT_FLAG_BITSTREAM |
                                     AV_PIX_FMT_FLAG_FLOAT | AV_PIX_FMT_FLAG_BE;
  if (format == nullptr || (format->flags & kNotOurs) != 0 || frame.data[0] == nullptr ||
      frame.width <= 0 || frame.height <= 0)
    return std::nullopt;
  const AVComponentDescriptor& luma = format->comp[0];
  if (luma.depth < 8 || luma.depth + luma.shift > 16) return std::nullopt;
  detect::Planes planes;
  planes.luma = plane_of(frame, luma);
  if (format->nb_components >= 3) {
    planes.cb = plane_of(frame, format->comp[1]);
    planes.cr = plane_of(frame, format->comp[2]);
  }
  planes.width = static_cast<std::uint32_t>(frame.width);
  planes.height = static_cast<std::uint32_t>(frame.height);
  planes.chroma_width_shift = format->log2_chroma_w;
  planes.chroma_height_shift = format->log2_chroma_h;
  planes.bit_depth = static_cast<std::uint8_t>(luma.depth);
  planes.low_bits = static_cast<std::uint8_t>(luma.shift);
  planes.full_range = frame.color_range == AVCOL_RANGE_JPEG;
  return planes;
}

std::optional<double> loudest_of(const AVFrame& frame) {
  const auto format = static_cast<AVSampleFormat>(frame.format);
  const bool planar = av_sample_fmt_is_planar(format) != 0;
  switch (av_get_packed_sample_fmt(format)) {
    case AV_SAMPLE_FMT_FLT:
      return loudest<float>(frame, planar);
    case AV_SAMPLE_FMT_DBL:
      return loudest<double>(frame, planar);
    case AV_SAMPLE_FMT_S16:
      return loudest<std::int16_t>(frame, planar);
    case AV_SAMPLE_FMT_S32:
      return loudest<std::int32_t>(frame, planar);
    default:
      return std::nullopt;
  }
}

void PictureWatch::look(const AVFrame& frame, microseconds at, microseconds duration) {
  if (!detector_.wants(at)) return;
  if (const auto planes = planes_of(frame)) detector_.look(*planes, at, duration, found_);
  tell();
}

void PictureWatch::end() {
  detector_.end(found_);
  tell();
}

void PictureWatch::tell() {
  for (const media::AnomalyEvent& event : found_) sink_.anomaly(event);
  found_.clear();
}

void SoundWatch::hear(const AVFrame& frame, microseconds at) {
  if (!listens_ || frame.sample_rate <= 0) return;
  if (const auto loudest = loudest_of(frame))
    detector_.hear(*loudest, at,
                   microseconds(std::int64_t{frame.nb_samples} * 1'000'000 / frame.sample_rate),
                   found_);
  tell();
}

void SoundWatch::end() {
  detector_.end(found_);
  tell();
}

void SoundWatch::tell() {
  for (const media::AnomalyEvent& event : found_) sink_.anomaly(event);
  found_.clear();
}

}  // namespace kapok::ffmpeg
