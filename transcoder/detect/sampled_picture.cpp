#include "transcoder/detect/sampled_picture.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace kapok::detect {

namespace {

// From a sample's number to the common scale. [BT.709, BT.2100] limited range has black at 16 and
// white at 235 of 255, chroma within 16 and 240, in any depth; what lies beyond is cut.
struct Scale {
  int zero = 0;
  std::int64_t per_step = 1;  // in 1/65536
  int least = 0;
  int most = 0;

  static Scale luma(const Planes& planes) {
    const int one = 1 << (planes.bit_depth - 8);
    if (planes.full_range) return of(0, 256 * one - 1, 0, kWhite);
    return of(16 * one, 219 * one, 0, kWhite);
  }
  static Scale chroma(const Planes& planes) {
    const int one = 1 << (planes.bit_depth - 8);
    const int span = planes.full_range ? 256 * one - 1 : 224 * one;
    return of(128 * one, span, -kWhite / 2, kWhite / 2);
  }
  static Scale of(int zero, int span, int least, int most) {
    return {zero, (std::int64_t{kWhite} << 16) / span, least, most};
  }
  std::int16_t operator()(int sample) const {
    const std::int64_t scaled = ((sample - zero) * per_step + 32768) >> 16;
    return static_cast<std::int16_t>(std::clamp<std::int64_t>(scaled, least, most));
  }
};

class Reader {
 public:
  Reader(const Planes& planes, const Plane& plane, Scale scale)
      : plane_(plane), wide_(planes.bit_depth > 8), low_bits_(planes.low_bits), scale_(scale) {}

  std::int16_t operator()(std::uint32_t column, std::uint32_t row) const {
    const std::byte* at = plane_.first + static_cast<std::ptrdiff_t>(row) * plane_.row_bytes +
                          static_cast<std::size_t>(column) * plane_.step_bytes;
    if (!wide_) return scale_(std::to_integer<int>(*at));
    std::uint16_t sample = 0;
    std::memcpy(&sample, at, sizeof sample);
    return scale_(sample >> low_bits_);
  }

 private:
  Plane plane_;
  bool wide_;
  std::uint8_t low_bits_;
  Scale scale_;
};

// The middle of the i-th of n equal parts of `size`.
std::uint32_t middle_of(std::uint32_t i, std::uint32_t n, std::uint32_t size) {
  return static_cast<std::uint32_t>((std::uint64_t{2} * i + 1) * size / (std::uint64_t{2} * n));
}

}  // namespace

bool sample(const Planes& planes, SampledPicture& into) {
  const bool usable = planes.luma.first != nullptr && planes.width > 0 && planes.height > 0 &&
                      planes.bit_depth >= 8 && planes.bit_depth + planes.low_bits <= 16;
  if (!usable) return false;
  into.columns = std::min(planes.width, SampledPicture::kMaxColumns);
  into.rows = std::min(planes.height, SampledPicture::kMaxRows);
  std::array<std::uint32_t, SampledPicture::kMaxColumns> columns{};
  for (std::uint32_t i = 0; i < into.columns; ++i)
    columns[i] = middle_of(i, into.columns, planes.width);

  const Reader luma(planes, planes.luma, Scale::luma(planes));
  into.luma.resize(std::size_t{into.columns} * into.rows);
  auto out = into.luma.begin();
  for (std::uint32_t row = 0; row < into.rows; ++row) {
    const std::uint32_t y = middle_of(row, into.rows, planes.height);
    for (std::uint32_t i = 0; i < into.columns; ++i) *out++ = luma(columns[i], y);
  }

  into.band.clear();
  if (planes.cb.first == nullptr || planes.cr.first == nullptr) return true;
  const Reader cb(planes, planes.cb, Scale::chroma(planes));
  const Reader cr(planes, planes.cr, Scale::chroma(planes));
  for (std::uint32_t row = 0; row < SampledPicture::kColourRows; ++row) {
    const std::uint32_t y =
        planes.height / 10 + middle_of(row, SampledPicture::kColourRows, planes.height * 2 / 5);
    const std::uint32_t y_chroma = y >> planes.chroma_height_shift;
    for (std::uint32_t i = 0; i < into.columns; ++i) {
      const std::uint32_t x_chroma = columns[i] >> planes.chroma_width_shift;
      into.band.push_back({luma(columns[i], y), cb(x_chroma, y_chroma), cr(x_chroma, y_chroma)});
    }
  }
  return true;
}

}  // namespace kapok::detect
