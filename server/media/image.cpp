#include "server/media/image.hpp"

namespace kapok::media {

std::string_view name_of(ImageKind kind) {
  return kind == ImageKind::poster ? "poster" : "thumbnail";
}

Result<void> validate(const Image& image) {
  const auto fits = [](std::uint32_t side) {
    return side >= kMinImageSide && side <= kMaxImageSide;
  };
  if (image.timescale == 0) return fail(Errc::malformed, "an image without a timescale");
  if (!fits(image.width) || !fits(image.height))
    return fail(Errc::limit, "an image of {}x{}", image.width, image.height);
  if (image.jpeg.size() > kMaxImageBytes)
    return fail(Errc::limit, "an image of {} bytes", image.jpeg.size());
  // [ISO/IEC 10918-1 B.1.1.3] SOI and EOI.
  const std::string_view bytes = image.jpeg.text();
  if (bytes.size() < 4 || !bytes.starts_with("\xff\xd8\xff") || !bytes.ends_with("\xff\xd9"))
    return fail(Errc::malformed, "an image that is no JPEG");
  return {};
}

}  // namespace kapok::media
