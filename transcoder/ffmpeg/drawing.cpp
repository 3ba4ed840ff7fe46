#include "transcoder/ffmpeg/drawing.hpp"

extern "C" {
#include <libavutil/pixdesc.h>
}

#include <algorithm>
#include <chrono>
#include <cmath>

#include "transcoder/ffmpeg/logo.hpp"

namespace kapok::ffmpeg {

namespace {

using media::DynamicRange;

// [BT.2408 2.1]
constexpr double kGraphicsWhite = 203;
constexpr double kPqPeak = 10'000;
constexpr double kHlgPeak = 1'000;  // the display that HLG's system gamma of 1.2 is for

// [IEC 61966-2-1]
double srgb_to_linear(double v) {
  return v <= 0.04045 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4);
}
double linear_to_srgb(double v) {
  return v <= 0.0031308 ? v * 12.92 : 1.055 * std::pow(v, 1 / 2.4) - 0.055;
}
// [BT.2100 table 4] of 1 = 10'000 cd/m2.
double pq(double light) {
  constexpr double kM1 = 2610.0 / 16384;
  constexpr double kM2 = 2523.0 / 4096 * 128;
  constexpr double kC1 = 3424.0 / 4096;
  constexpr double kC2 = 2413.0 / 4096 * 32;
  constexpr double kC3 = 2392.0 / 4096 * 32;
  const double power = std::pow(std::max(0.0, light), kM1);
  return std::pow((kC1 + kC2 * power) / (1 + kC3 * power), kM2);
}
// [BT.2100 table 5] the OETF.
double hlg(double scene) {
  constexpr double kA = 0.17883277;
  constexpr double kB = 1 - 4 * kA;
  const double c = 0.5 - kA * std::log(4 * kA);
  return scene <= 1.0 / 12 ? std::sqrt(3 * std::max(0.0, scene))
                           : kA * std::log(12 * scene - kB) + c;
}
// [BT.2087] linear BT.709 to BT.2020.
std::array<double, 3> widened(const std::array<double, 3>& v) {
  return {0.6274 * v[0] + 0.3293 * v[1] + 0.0433 * v[2],
          0.0691 * v[0] + 0.9195 * v[1] + 0.0114 * v[2],
          0.0164 * v[0] + 0.0880 * v[1] + 0.8956 * v[2]};
}

// Rows of five dots, the highest bit first.
struct Glyph {
  std::array<std::uint8_t, 7> rows;
};
constexpr int kGlyphWidth = 5;
constexpr int kGlyphHeight = 7;
constexpr int kCellWidth = kGlyphWidth + 1;
constexpr int kCellHeight = kGlyphHeight + 1;
constexpr Glyph kGlyphs[] = {{{0x0e, 0x11, 0x13, 0x15, 0x19, 0x11, 0x0e}},   // 0
                             {{0x04, 0x0c, 0x04, 0x04, 0x04, 0x04, 0x0e}},   // 1
                             {{0x0e, 0x11, 0x01, 0x02, 0x04, 0x08, 0x1f}},   // 2
                             {{0x1f, 0x02, 0x04, 0x02, 0x01, 0x11, 0x0e}},   // 3
                             {{0x02, 0x06, 0x0a, 0x12, 0x1f, 0x02, 0x02}},   // 4
                             {{0x1f, 0x10, 0x1e, 0x01, 0x01, 0x11, 0x0e}},   // 5
                             {{0x06, 0x08, 0x10, 0x1e, 0x11, 0x11, 0x0e}},   // 6
                             {{0x1f, 0x01, 0x02, 0x04, 0x08, 0x08, 0x08}},   // 7
                             {{0x0e, 0x11, 0x11, 0x0e, 0x11, 0x11, 0x0e}},   // 8
                             {{0x0e, 0x11, 0x11, 0x0f, 0x01, 0x02, 0x0c}},   // 9
                             {{0x00, 0x04, 0x04, 0x00, 0x04, 0x04, 0x00}},   // :
                             {{0x00, 0x00, 0x00, 0x1f, 0x00, 0x00, 0x00}},   // -
                             {{0x00, 0x00, 0x00, 0x00, 0x00, 0x0c, 0x0c}},   // .
                             {{0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00}}};  // a space
static_assert(std::size(kGlyphs) == kClockCharacters.size());

Sprite sprite_of(const Pixels& pixels, double opacity, const GraphicsColour& colour) {
  Sprite sprite;
  sprite.width = pixels.width;
  sprite.height = pixels.height;
  const auto covered = [&](double cover) {
    return static_cast<std::uint16_t>(std::lround(cover * opacity * Sprite::kOpaque));
  };
  const auto colour_of = [&](const std::array<float, 4>& pixel) {
    const double cover = std::max<double>(pixel[3], 1e-6);  // nothing is seen of it then
    const auto part = [&](std::size_t c) { return std::clamp(pixel[c] / cover, 0.0, 1.0); };
    return colour(part(0), part(1), part(2));
  };
  for (const auto& pixel : pixels.at) {
    sprite.y.push_back(colour_of(pixel)[0]);
    sprite.cover.push_back(covered(pixel[3]));
  }
  for (int y = 0; y < pixels.height; y += 2)
    for (int x = 0; x < pixels.width; x += 2) {
      std::array<float, 4> mean{};
      for (const int dy : {0, 1})
        for (const int dx : {0, 1})
          for (std::size_t c = 0; c < mean.size(); ++c)
            mean[c] += pixels.at[static_cast<std::size_t>(y + dy) * pixels.width + x + dx][c] / 4;
      const auto values = colour_of(mean);
      sprite.cb.push_back(values[1]);
      sprite.cr.push_back(values[2]);
      sprite.cover_c.push_back(covered(mean[3]));
    }
  return sprite;
}

template <class Sample>
void blend(std::uint8_t* plane, int stride, int width, int height,
           const std::vector<std::uint16_t>& values, const std::vector<std::uint16_t>& cover) {
  std::size_t at = 0;
  for (int y = 0; y < height; ++y) {
    auto* row = reinterpret_cast<Sample*>(plane + std::ptrdiff_t{y} * stride);
    for (int x = 0; x < width; ++x, ++at) {
      const std::uint32_t mix = row[x] * (Sprite::kOpaque - cover[at]) + values[at] * cover[at];
      row[x] = static_cast<Sample>((mix + Sprite::kOpaque / 2) / Sprite::kOpaque);
    }
  }
}

template <class Sample>
void blend(AVFrame& frame, const Sprite& sprite, int x, int y) {
  const auto place = [&](int plane, int px, int py) {
    return frame.data[plane] + std::ptrdiff_t{py} * frame.linesize[plane] +
           std::ptrdiff_t{px} * static_cast<int>(sizeof(Sample));
  };
  blend<Sample>(place(0, x, y), frame.linesize[0], sprite.width, sprite.height, sprite.y,
                sprite.cover);
  const int width = sprite.width / 2;
  const int height = sprite.height / 2;
  blend<Sample>(place(1, x / 2, y / 2), frame.linesize[1], width, height, sprite.cb,
                sprite.cover_c);
  blend<Sample>(place(2, x / 2, y / 2), frame.linesize[2], width, height, sprite.cr,
                sprite.cover_c);
}

void blend(AVFrame& frame, const Sprite& sprite, int x, int y, std::uint8_t bit_depth) {
  if (x < 0 || y < 0 || x + sprite.width > frame.width || y + sprite.height > frame.height) return;
  if (bit_depth > 8)
    blend<std::uint16_t>(frame, sprite, x, y);
  else
    blend<std::uint8_t>(frame, sprite, x, y);
}

int even(double length) {
  return std::max(2, static_cast<int>(std::lround(length / 2)) * 2);
}

}  // namespace

GraphicsColour::GraphicsColour(const media::Colour& colour, std::uint32_t height,
                               std::uint8_t bit_depth)
    : range_(dynamic_range_of(colour)), bit_depth_(bit_depth) {
  const bool hdr = range_ != DynamicRange::sdr;
  wide_ = colour.primaries == 9 || (hdr && colour.primaries == 2);
  constexpr std::uint32_t kFirstHdLines = 720;
  const bool unsaid = colour.matrix == 2;
  if (colour.matrix == 9 || (hdr && unsaid)) {
    kr_ = 0.2627;  // [BT.2020]
    kb_ = 0.0593;
  } else if (colour.matrix == 5 || colour.matrix == 6 || (unsaid && height < kFirstHdLines)) {
    kr_ = 0.299;  // [BT.601]
    kb_ = 0.114;
  } else {
    kr_ = 0.2126;  // [BT.709]
    kb_ = 0.0722;
  }
}

std::array<std::uint16_t, 3> GraphicsColour::operator()(double red, double green,
                                                        double blue) const {
  std::array<double, 3> v{red, green, blue};
  if (wide_ || range_ != DynamicRange::sdr) {
    for (double& part : v) part = srgb_to_linear(part);
    if (wide_) v = widened(v);
    if (range_ == DynamicRange::pq) {
      for (double& part : v) part = pq(part * kGraphicsWhite / kPqPeak);
    } else if (range_ == DynamicRange::hlg) {
      // [BT.2100 table 5] back through the system gamma, so that it is seen as it was meant.
      constexpr double kGamma = 1.2;
      for (double& part : v) part *= kGraphicsWhite / kHlgPeak;
      const double light = 0.2627 * v[0] + 0.6780 * v[1] + 0.0593 * v[2];
      const double gain = light > 0 ? std::pow(light, (1 - kGamma) / kGamma) : 0;
      for (double& part : v) part = hlg(part * gain);
    } else {
      for (double& part : v) part = linear_to_srgb(part);
    }
  }
  const double y = kr_ * v[0] + (1 - kr_ - kb_) * v[1] + kb_ * v[2];
  const double cb = (v[2] - y) / (2 * (1 - kb_));
  const double cr = (v[0] - y) / (2 * (1 - kr_));
  const int scale = 1 << (bit_depth_ - 8);
  const auto code = [&](double value) {
    return static_cast<std::uint16_t>(
        std::clamp<long>(std::lround(value * scale), 1L * scale, 254L * scale));
  };
  return {code(16 + 219 * y), code(128 + 224 * cb), code(128 + 224 * cr)};
}

int clock_dot(std::uint32_t height) {
  constexpr std::uint32_t kLines = 20;  // of text in a picture
  return std::max(2, static_cast<int>(height / (kLines * kCellHeight)));
}

std::string clock_text(media::Ticks pts, media::Timescale timescale) {
  const UtcTime at(media::to_microseconds(pts, timescale));
  const auto day = std::chrono::floor<std::chrono::days>(at);
  const std::chrono::year_month_day date(day);
  const auto ms = std::chrono::floor<milliseconds>(at - day).count();
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:03}", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     ms / 3'600'000, ms / 60'000 % 60, ms / 1000 % 60, ms % 1000);
}

Drawing::Drawing(const media::Ladder& ladder, const DrawingSetup& setup)
    : setup_(setup), colour_(setup.colour, setup.height, setup.bit_depth), clock_(ladder.clock) {}

Result<std::unique_ptr<Drawing>> Drawing::make(const media::Ladder& ladder,
                                               const DrawingSetup& setup) {
  const media::OverlayWish& wish = ladder.overlay;
  if (wish.png.empty() && !ladder.clock) return nullptr;
  std::unique_ptr<Drawing> drawing(new Drawing(ladder, setup));
  constexpr double kWhole = 100;
  if (!wish.png.empty()) {
    const Pixels pixels = KAPOK_TRY(read_png(wish.png));
    const double pixel_shape =
        setup.sample_aspect.numerator > 0 && setup.sample_aspect.denominator > 0
            ? static_cast<double>(setup.sample_aspect.numerator) / setup.sample_aspect.denominator
            : 1;
    const double margin = setup.height * wish.margin_percent / kWhole;
    double height = setup.height * wish.height_percent / kWhole;
    double width = height * pixels.width / pixels.height / pixel_shape;
    // A banner that is wider than the picture is made smaller, not cut.
    const double room = setup.width - 2 * margin / pixel_shape;
    const double shrink = std::min(1.0, room / width);
    height *= shrink;
    width *= shrink;
    const Pixels small = scaled(pixels, even(width), even(height));
    drawing->logo_ = sprite_of(small, wish.opacity_percent / kWhole, drawing->colour_);
    const bool right =
        wish.corner == media::Corner::top_right || wish.corner == media::Corner::bottom_right;
    const bool bottom =
        wish.corner == media::Corner::bottom_left || wish.corner == media::Corner::bottom_right;
    const int mx = static_cast<int>(margin / pixel_shape) / 2 * 2;
    const int my = static_cast<int>(margin) / 2 * 2;
    drawing->logo_x_ = right ? static_cast<int>(setup.width) / 2 * 2 - small.width - mx : mx;
    drawing->logo_y_ = bottom ? static_cast<int>(setup.height) / 2 * 2 - small.height - my : my;
  }
  if (ladder.clock) {
    const int dot = clock_dot(setup.height);
    for (const Glyph& glyph : kGlyphs) {
      Pixels cell{even(kCellWidth * dot), even(kCellHeight * dot), {}};
      for (int y = 0; y < cell.height; ++y)
        for (int x = 0; x < cell.width; ++x) {
          const int column = x / dot;
          const int row = y / dot;
          const bool lit = column < kGlyphWidth && row < kGlyphHeight &&
                           (glyph.rows[row] >> (kGlyphWidth - 1 - column) & 1) != 0;
          const float value = lit ? 1 : 0;
          cell.at.push_back({value, value, value, 1});
        }
      drawing->glyphs_.push_back(sprite_of(cell, 1, drawing->colour_));
    }
  }
  return drawing;
}

Result<void> Drawing::draw(AVFrame& frame, media::Ticks pts) const {
  const AVPixelFormat format = setup_.bit_depth > 8 ? AV_PIX_FMT_YUV420P10LE : AV_PIX_FMT_YUV420P;
  if (frame.format != format || frame.width != static_cast<int>(setup_.width) ||
      frame.height != static_cast<int>(setup_.height))
    return fail(Errc::internal, "nothing can be drawn into pictures of the format {}",
                av_get_pix_fmt_name(static_cast<AVPixelFormat>(frame.format)));
  // Where the filters changed nothing it is the decoder's own, which it still refers to.
  if (const int code = av_frame_make_writable(&frame); code < 0)
    return std::unexpected(av_error(code, "drawing"));
  if (logo_.width > 0) blend(frame, logo_, logo_x_, logo_y_, setup_.bit_depth);
  if (clock_) draw_clock(frame, pts);
  return {};
}

void Drawing::draw_clock(AVFrame& frame, media::Ticks pts) const {
  const Sprite& any = glyphs_.front();
  int x = any.width;
  const int y = static_cast<int>(setup_.height) / 2 * 2 - 2 * any.height;
  for (const char c : clock_text(pts, setup_.timescale)) {
    const std::size_t glyph = kClockCharacters.find(c);
    if (glyph != std::string_view::npos) blend(frame, glyphs_[glyph], x, y, setup_.bit_depth);
    x += any.width;
  }
}

}  // namespace kapok::ffmpeg
