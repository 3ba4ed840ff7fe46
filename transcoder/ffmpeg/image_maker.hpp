// One kind of still pictures: a frame in, a JPEG out, scaled in square pixels, in sRGB's colours
// (HDR is tone-mapped). Thumbnails all have the same tables, so that the server can join them to
// sheets. Used by one thread.
#pragma once

#include <cstdint>

#include "server/media/image.hpp"
#include "transcoder/ffmpeg/picture_graph.hpp"

namespace kapok::ffmpeg {

struct ImageSize {
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  bool operator==(const ImageSize&) const = default;
};
// The source's shape with `side` as its longer side; never larger than the source.
ImageSize image_size(const media::VideoFacts& source, std::uint32_t side);
// The same, made smaller until it is as high as a row of a sheet can be.
ImageSize tile_size(const media::VideoFacts& source, std::uint32_t side);

class ImageMaker {
 public:
  // `from` tells of the frames.
  ImageMaker(media::ImageKind kind, std::uint32_t side, const media::VideoFacts& from,
             media::Timescale timescale);

  Result<media::Image> make(const Picture& picture);

 private:
  Result<void> open(const AVFrame& first);
  Result<Buffer> encode(const AVFrame& frame);

  media::ImageKind kind_;
  ImageSize size_;
  media::Timescale timescale_;
  PictureGraph graph_;
  ContextPtr encoder_;
};

}  // namespace kapok::ffmpeg
