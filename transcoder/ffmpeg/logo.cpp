#include "transcoder/ffmpeg/logo.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "server/media/ladder.hpp"
#include "transcoder/ffmpeg/picture_graph.hpp"

namespace kapok::ffmpeg {

Result<Pixels> read_png(const Buffer& png) {
  const AVCodec* codec = avcodec_find_decoder(AV_CODEC_ID_PNG);
  if (codec == nullptr) return fail(Errc::unsupported, "this FFmpeg has no decoder of PNG");
  const ContextPtr context(avcodec_alloc_context3(codec));
  if (!context) throw std::bad_alloc();
  context->thread_count = 1;
  context->max_pixels = std::int64_t{media::kMaxLogoSide} * media::kMaxLogoSide;
  if (const int code = avcodec_open2(context.get(), codec, nullptr); code < 0)
    return std::unexpected(av_error(code, "logo"));
  const PacketPtr packet = make_packet();
  if (av_new_packet(packet.get(), static_cast<int>(png.size())) < 0) throw std::bad_alloc();
  std::memcpy(packet->data, png.data(), png.size());
  FramePtr frame = make_frame();
  int code = avcodec_send_packet(context.get(), packet.get());
  if (code >= 0) code = avcodec_receive_frame(context.get(), frame.get());
  if (code < 0) return std::unexpected(av_error(code, "logo"));
  frame->pts = 0;
  FramePtr rgba;
  PictureGraph graph({.text = "format=rgba", .device = nullptr, .timescale = 1, .threads = 1});
  KAPOK_TRY(graph.put({std::move(frame), Mark{}},
                      [&](Picture picture) { rgba = std::move(picture.frame); }));
  if (!rgba) return fail(Errc::malformed, "the logo has no picture");
  Pixels pixels{rgba->width, rgba->height, {}};
  pixels.at.reserve(static_cast<std::size_t>(pixels.width) * pixels.height);
  for (int y = 0; y < pixels.height; ++y) {
    const std::uint8_t* row = rgba->data[0] + std::ptrdiff_t{y} * rgba->linesize[0];
    for (int x = 0; x < pixels.width; ++x, row += 4) {
      constexpr float kFull = 255;
      const float cover = row[3] / kFull;
      pixels.at.push_back(
          {row[0] / kFull * cover, row[1] / kFull * cover, row[2] / kFull * cover, cover});
    }
  }
  return pixels;
}

namespace {

// What of `from` (so many places) each of `to` places covers: the first place and the weights.
struct Span {
  int first = 0;
  std::vector<float> weights;
};
std::vector<Span> spans(int from, int to) {
  std::vector<Span> out(static_cast<std::size_t>(to));
  const double step = static_cast<double>(from) / to;
  for (int i = 0; i < to; ++i) {
    const double begin = i * step;
    const double end = std::min<double>(from, begin + step);
    Span& span = out[static_cast<std::size_t>(i)];
    span.first = static_cast<int>(begin);
    for (int at = span.first; at < from && at < end; ++at)
      span.weights.push_back(
          static_cast<float>((std::min<double>(end, at + 1) - std::max<double>(begin, at)) / step));
  }
  return out;
}

}  // namespace

Pixels scaled(const Pixels& from, int width, int height) {
  const auto columns = spans(from.width, width);
  const auto rows = spans(from.height, height);
  Pixels out{width, height, {}};
  out.at.resize(static_cast<std::size_t>(width) * height);
  auto to = out.at.begin();
  for (const Span& row : rows)
    for (const Span& column : columns) {
      std::array<float, 4>& sum = *to++;
      for (std::size_t j = 0; j < row.weights.size(); ++j)
        for (std::size_t i = 0; i < column.weights.size(); ++i) {
          const auto& pixel =
              from.at[(static_cast<std::size_t>(row.first) + j) * from.width + column.first + i];
          const float weight = row.weights[j] * column.weights[i];
          for (std::size_t c = 0; c < sum.size(); ++c) sum[c] += pixel[c] * weight;
        }
    }
  return out;
}

}  // namespace kapok::ffmpeg
