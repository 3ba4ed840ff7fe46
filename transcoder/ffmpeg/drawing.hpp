// What is drawn into pictures: a logo and a clock. Prepared for pictures of one size, depth and
// colour, then blended into a frame's own memory. White is that of the picture: in HDR graphics
// white of 203 cd/m2 [BT.2408 2.1], never the peak. Used by one thread.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/media/ladder.hpp"
#include "transcoder/ffmpeg/mark.hpp"

namespace kapok::ffmpeg {

// sRGB to what a picture has, as Y'CbCr of its depth, in limited range.
class GraphicsColour {
 public:
  GraphicsColour(const media::Colour& colour, std::uint32_t height, std::uint8_t bit_depth);
  // Components from 0 to 1.
  std::array<std::uint16_t, 3> operator()(double red, double green, double blue) const;

 private:
  media::DynamicRange range_;
  bool wide_;
  double kr_;
  double kb_;
  std::uint8_t bit_depth_;
};

// A picture with transparency, in 4:2:0 at even places.
struct Sprite {
  int width = 0;  // even
  int height = 0;
  std::vector<std::uint16_t> y, cb, cr;       // of width x height, and half of both
  std::vector<std::uint16_t> cover, cover_c;  // 0 to kOpaque: of the same places
  static constexpr std::uint32_t kOpaque = 1U << 12;
};

struct DrawingSetup {
  std::uint32_t width = 0;  // of the pictures
  std::uint32_t height = 0;
  std::uint8_t bit_depth = 8;
  media::Colour colour = {};
  media::Rational sample_aspect{1, 1};
  media::Timescale timescale = 1;
};

class Drawing {
 public:
  // Null where the ladder asks for nothing. Errors: malformed, unsupported (a logo that is none).
  static Result<std::unique_ptr<Drawing>> make(const media::Ladder& ladder,
                                               const DrawingSetup& setup);

  // The frame is a planar 4:2:0 one of the setup. Errors: internal (it is not, or no memory).
  Result<void> draw(AVFrame& frame, media::Ticks pts) const;

 private:
  Drawing(const media::Ladder& ladder, const DrawingSetup& setup);
  void draw_clock(AVFrame& frame, media::Ticks pts) const;

  DrawingSetup setup_;
  GraphicsColour colour_;
  Sprite logo_;
  int logo_x_ = 0;
  int logo_y_ = 0;
  bool clock_;
  std::vector<Sprite> glyphs_;  // of kClockCharacters
};

// How the clock shows a moment: "2026-11-29 11:05:33.440". A cell of the clock is 6 x 8 dots, a
// glyph 5 x 7 of them.
std::string clock_text(media::Ticks pts, media::Timescale timescale);
constexpr std::string_view kClockCharacters = "0123456789:-. ";
// Dots of a cell, in pixels; the clock is at the bottom left, one cell from the edges.
int clock_dot(std::uint32_t height);

}  // namespace kapok::ffmpeg
