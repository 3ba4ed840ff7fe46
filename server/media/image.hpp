// A still picture made of a channel's frames: a poster for pages that list channels, or a thumbnail
// for a seek bar. A worker encodes it, the wire carries it, the packager keeps it. Whoever takes
// one from a worker calls validate() first: its bytes are bounded and framed as JPEG, and are
// handed to browsers without being looked at any further.
#pragma once

#include <cstdint>
#include <string_view>

#include "server/base/buffer.hpp"
#include "server/base/result.hpp"
#include "server/media/time.hpp"

namespace kapok::media {

// A poster of 1920x1080 in the worst noise at our quality has half of this.
constexpr std::size_t kMaxImageBytes = std::size_t{2} * 1024 * 1024;
constexpr std::uint32_t kMinImageSide = 16;
constexpr std::uint32_t kMaxImageSide = 1920;

enum class ImageKind : std::uint8_t {
  poster,
  thumbnail,  // of a frame that starts a segment
};

struct Image {
  ImageKind kind = ImageKind::poster;
  Ticks pts;  // of the frame, in channel time
  Timescale timescale = 1;
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  Buffer jpeg;
};

std::string_view name_of(ImageKind kind);
// Errors: malformed, limit.
Result<void> validate(const Image& image);

}  // namespace kapok::media
