#include "transcoder/ffmpeg/drawing.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "transcoder/ffmpeg/clip_test.hpp"
#include "transcoder/ffmpeg/logo.hpp"

namespace kapok::ffmpeg {
namespace {

constexpr media::Colour kBt709{1, 1, 1, false};
constexpr media::Colour kPq{9, 16, 9, false};
constexpr media::Colour kHlg{9, 18, 9, false};

// A PNG of one colour: "0xRRGGBB@opacity" in libavfilter's language.
Buffer png(const std::string& colour, int width, int height) {
  const auto pictures =
      make_pictures(fmt::format("color=c={}:s={}x{},format=rgba", colour, width, height), 1);
  ContextPtr context(avcodec_alloc_context3(avcodec_find_encoder(AV_CODEC_ID_PNG)));
  context->width = width;
  context->height = height;
  context->pix_fmt = AV_PIX_FMT_RGBA;
  context->time_base = {1, 25};
  EXPECT_GE(avcodec_open2(context.get(), nullptr, nullptr), 0);
  EXPECT_GE(avcodec_send_frame(context.get(), pictures.at(0).get()), 0);
  const PacketPtr packet = make_packet();
  EXPECT_GE(avcodec_receive_packet(context.get(), packet.get()), 0);
  return Buffer::copy_of(as_bytes(packet->data, static_cast<std::size_t>(packet->size)));
}

media::Ladder ladder_with(Buffer png, media::Corner corner) {
  media::Ladder ladder;
  ladder.name = "test";
  ladder.overlay.png = std::move(png);
  ladder.overlay.corner = corner;
  ladder.overlay.height_percent = 20;
  ladder.overlay.margin_percent = 10;
  ladder.overlay.opacity_percent = 100;
  return ladder;
}

int luma(const AVFrame& frame, int x, int y) {
  const std::uint8_t* row = frame.data[0] + std::ptrdiff_t{y} * frame.linesize[0];
  if (frame.format == AV_PIX_FMT_YUV420P) return row[x];
  std::uint16_t value = 0;
  std::memcpy(&value, row + 2 * x, sizeof value);
  return value;
}

TEST(GraphicsColour, WhiteIsThatOfThePicture) {
  EXPECT_THAT(GraphicsColour(kBt709, 1080, 8)(1, 1, 1), testing::ElementsAre(235, 128, 128));
  EXPECT_THAT(GraphicsColour(kBt709, 1080, 10)(0, 0, 0), testing::ElementsAre(64, 512, 512));
  // [BT.2408 table 1] 203 cd/m2 are 58 % of PQ's signal and 75 % of HLG's: 573 and 721.
  EXPECT_NEAR(GraphicsColour(kPq, 2160, 10)(1, 1, 1)[0], 64 + 0.58 * 876, 3);
  EXPECT_NEAR(GraphicsColour(kHlg, 2160, 10)(1, 1, 1)[0], 64 + 0.75 * 876, 3);
  for (const auto& hdr : {kPq, kHlg}) {
    const auto white = GraphicsColour(hdr, 2160, 10)(1, 1, 1);
    EXPECT_NEAR(white[1], 512, 1);
    EXPECT_NEAR(white[2], 512, 1);
  }
}

TEST(GraphicsColour, ColoursHaveTheMatrixOfThePicture) {
  // [BT.709] and [BT.601] red at full saturation.
  EXPECT_THAT(GraphicsColour(kBt709, 1080, 8)(1, 0, 0), testing::ElementsAre(63, 102, 240));
  EXPECT_THAT(GraphicsColour({6, 6, 6, false}, 576, 8)(1, 0, 0), testing::ElementsAre(81, 90, 240));
  EXPECT_EQ(GraphicsColour({2, 2, 2, false}, 576, 8)(1, 0, 0)[0], 81);
  EXPECT_EQ(GraphicsColour({2, 2, 2, false}, 1080, 8)(1, 0, 0)[0], 63);
}

TEST(Logo, IsScaledWithoutColoursOfWhatIsNotSeen) {
  // Left half opaque red, right half transparent, and green where nobody sees it.
  Pixels half{4, 2, {}};
  for (int i = 0; i < 8; ++i)
    half.at.push_back(i % 4 < 2 ? std::array<float, 4>{1, 0, 0, 1} : std::array<float, 4>{});
  const Pixels one = scaled(half, 1, 1);
  EXPECT_FLOAT_EQ(one.at[0][0], 0.5F);
  EXPECT_FLOAT_EQ(one.at[0][1], 0);
  EXPECT_FLOAT_EQ(one.at[0][3], 0.5F);
  const Pixels same = scaled(half, 4, 2);
  EXPECT_EQ(same.at, half.at);
  EXPECT_EQ(scaled(half, 8, 6).at.size(), 48U);
}

TEST(Logo, WhatIsNoPngIsRefused) {
  const Buffer whole = png("red", 64, 64);
  EXPECT_TRUE(read_png(whole));
  EXPECT_FALSE(read_png(whole.slice(0, 40)));
  EXPECT_FALSE(read_png(Buffer::copy_of("not a picture")));
}

TEST(Drawing, ALogoIsInItsCornerAndNowhereElse) {
  // 640x360: 72 lines high, 36 from the edges, twice as wide as high.
  struct Case {
    media::Corner corner;
    int x;
    int y;
  };
  for (const Case& at :
       {Case{media::Corner::top_left, 36, 36}, Case{media::Corner::top_right, 640 - 36 - 144, 36},
        Case{media::Corner::bottom_left, 36, 360 - 36 - 72},
        Case{media::Corner::bottom_right, 640 - 36 - 144, 360 - 36 - 72}}) {
    const auto drawing =
        Drawing::make(ladder_with(png("white", 200, 100), at.corner),
                      {.width = 640, .height = 360, .colour = kBt709, .timescale = 90'000})
            .value();
    const auto pictures = make_pictures("color=c=black:s=640x360,format=yuv420p", 1);
    ASSERT_TRUE(drawing->draw(*pictures[0], {0}));
    const AVFrame& frame = *pictures[0];
    EXPECT_EQ(luma(frame, at.x + 1, at.y + 1), 235);
    EXPECT_EQ(luma(frame, at.x + 142, at.y + 70), 235);
    EXPECT_EQ(luma(frame, at.x - 2, at.y + 30), 16);
    EXPECT_EQ(luma(frame, at.x + 146, at.y + 30), 16);
    EXPECT_EQ(luma(frame, at.x + 70, at.y - 2), 16);
    EXPECT_EQ(luma(frame, at.x + 70, at.y + 74), 16);
    EXPECT_EQ(luma(frame, 320, 180), 16);
  }
}

TEST(Drawing, OpacityAndTheLogosOwnTransparencyMultiply) {
  media::Ladder ladder = ladder_with(png("white@0.5", 100, 100), media::Corner::top_left);
  ladder.overlay.opacity_percent = 50;
  const auto drawing =
      Drawing::make(ladder, {.width = 640, .height = 360, .colour = kBt709}).value();
  const auto pictures = make_pictures("color=c=black:s=640x360,format=yuv420p", 1);
  ASSERT_TRUE(drawing->draw(*pictures[0], {0}));
  EXPECT_NEAR(luma(*pictures[0], 60, 60), 16 + 219 / 4, 2);
}

TEST(Drawing, InHdrTheLogoIsAtGraphicsWhite) {
  const auto drawing = Drawing::make(ladder_with(png("white", 100, 100), media::Corner::top_left),
                                     {.width = 640, .height = 360, .bit_depth = 10, .colour = kPq})
                           .value();
  const auto pictures = make_pictures("color=c=black:s=640x360,format=yuv420p10le", 1);
  ASSERT_TRUE(drawing->draw(*pictures[0], {0}));
  EXPECT_NEAR(luma(*pictures[0], 60, 60), 573, 3);
}

TEST(Drawing, ABannerThatIsTooWideIsMadeSmaller) {
  const auto drawing = Drawing::make(ladder_with(png("white", 1000, 100), media::Corner::top_left),
                                     {.width = 640, .height = 360, .colour = kBt709})
                           .value();
  const auto pictures = make_pictures("color=c=black:s=640x360,format=yuv420p", 1);
  ASSERT_TRUE(drawing->draw(*pictures[0], {0}));
  EXPECT_EQ(luma(*pictures[0], 600, 60), 235);
  EXPECT_EQ(luma(*pictures[0], 608, 60), 16);
}

TEST(Drawing, AnotherKindOfPictureIsLeftAlone) {
  const auto drawing = Drawing::make(ladder_with(png("white", 100, 100), media::Corner::top_left),
                                     {.width = 640, .height = 360, .colour = kBt709})
                           .value();
  const auto pictures = make_pictures("color=c=black:s=320x180,format=yuv420p", 1);
  EXPECT_FALSE(drawing->draw(*pictures[0], {0}));
}

TEST(Drawing, NothingIsMadeWhereNothingIsAskedFor) {
  EXPECT_EQ(Drawing::make(media::Ladder{}, {.width = 640, .height = 360}).value(), nullptr);
}

TEST(Clock, ShowsChannelTime) {
  EXPECT_EQ(clock_text({161'100'000'000'000}, 90'000), "2026-09-21 14:13:20.000");
  EXPECT_EQ(clock_text({1}, 25), "1970-01-01 00:00:00.040");
}

// Reads the clock out of a picture, by its dots.
std::string read_clock(const AVFrame& frame) {
  const int dot = clock_dot(static_cast<std::uint32_t>(frame.height));
  const int cell_width = 6 * dot;
  const int cell_height = 8 * dot;
  const int top = frame.height - 2 * cell_height;
  const auto lit = [&](int cell, int column, int row) {
    return luma(frame, cell_width * (cell + 1) + column * dot + dot / 2,
                top + row * dot + dot / 2) > 125;
  };
  // What a glyph looks like is taken from a clock of that very character.
  const auto shape = [&](int cell) {
    std::string bits;
    for (int row = 0; row < 7; ++row)
      for (int column = 0; column < 5; ++column) bits += lit(cell, column, row) ? '#' : '.';
    return bits;
  };
  std::string text;
  for (int cell = 0; cell < 23; ++cell) text += shape(cell) + "\n";
  return text;
}

TEST(Clock, EveryRungShowsTheTimeOfItsFrames) {
  const Clip clip = make_clip(
      {.pictures = "color=c=gray:s=1280x720:r=50,format=yuv420p", .frames = 60, .segment = 60});
  media::Ladder ladder;
  ladder.name = "test";
  ladder.video = {rung("a", media::Codec::avc, 720), rung("b", media::Codec::avc, 360)};
  ladder.clock = true;
  RecordingSink sink;
  const auto engine = make_engine(ladder, {.pace = ladder::Pace::file, .threads = 2}, sink).value();
  feed(*engine, clip);
  engine->drain();
  media::Ladder only;
  only.clock = true;
  for (const auto& [name, width, height] :
       {std::tuple{"a", 1280U, 720U}, std::tuple{"b", 640U, 360U}}) {
    const auto pictures = decode(*sink[name].tracks.at(0), sink[name].packets);
    ASSERT_EQ(pictures.size(), clip.packets.size()) << sink.all_notices();
    const auto drawing =
        Drawing::make(only, {.width = width, .height = height, .timescale = kClipTimescale})
            .value();
    for (const std::size_t i : {std::size_t{0}, std::size_t{17}, std::size_t{59}}) {
      const auto expected =
          make_pictures(fmt::format("color=c=gray:s={}x{},format=yuv420p", width, height), 1);
      ASSERT_TRUE(
          drawing->draw(*expected[0], {kClipBegin + static_cast<std::int64_t>(i) * kClipFrame}));
      EXPECT_EQ(read_clock(*pictures[i]), read_clock(*expected[0])) << name << " " << i;
    }
    EXPECT_NE(read_clock(*pictures[0]), read_clock(*pictures[17]));
  }
}

TEST(Overlay, IsAtTheSamePlaceInEveryRung) {
  const Clip clip =
      make_clip({.pictures = "color=c=black:s=1280x720:r=50,format=yuv420p", .frames = 10});
  media::Ladder ladder = ladder_with(png("white", 100, 100), media::Corner::bottom_right);
  ladder.video = {rung("a", media::Codec::avc, 720), rung("b", media::Codec::avc, 540),
                  rung("c", media::Codec::hevc, 360)};
  RecordingSink sink;
  const auto engine = make_engine(ladder, {.pace = ladder::Pace::file, .threads = 2}, sink).value();
  feed(*engine, clip);
  engine->drain();
  for (const std::string name : {"a", "b", "c"}) {
    const auto pictures = decode(*sink[name].tracks.at(0), sink[name].packets);
    ASSERT_FALSE(pictures.empty()) << sink.all_notices();
    const AVFrame& frame = *pictures.back();
    // From 70 % to 90 % of the lines, as far from the right edge.
    const int height = frame.height;
    const auto from_right = [&](int percent) { return frame.width - height * percent / 100; };
    EXPECT_NEAR(luma(frame, from_right(20), height * 80 / 100), 235, 6) << name;
    EXPECT_NEAR(luma(frame, from_right(28), height * 72 / 100), 235, 6) << name;
    EXPECT_NEAR(luma(frame, from_right(33), height * 80 / 100), 16, 6) << name;
    EXPECT_NEAR(luma(frame, from_right(20), height * 93 / 100), 16, 6) << name;
  }
}

TEST(Overlay, OneThatCannotBeReadCostsTheLogoOnly) {
  const Clip clip = make_clip({.frames = 10});
  media::Ladder ladder;
  ladder.name = "test";
  ladder.video = {rung("a", media::Codec::avc, 180)};
  ladder.overlay.png = png("white", 64, 64).slice(0, 40);
  RecordingSink sink;
  const auto engine = make_engine(ladder, {.pace = ladder::Pace::file, .threads = 2}, sink).value();
  feed(*engine, clip);
  engine->drain();
  EXPECT_EQ(sink.notices("overlay.failed"), 1U) << sink.all_notices();
  EXPECT_EQ(sink["a"].packets.size(), clip.packets.size());
}

}  // namespace
}  // namespace kapok::ffmpeg
