// The detectors on real pictures and sound: what libavfilter draws, in the formats that decoders
// give, and what an encoder has left of it.
#include "transcoder/ffmpeg/watch.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "transcoder/detect/judgements.hpp"
#include "transcoder/ffmpeg/clip_test.hpp"

namespace kapok::ffmpeg {
namespace {

using media::Anomaly;
using media::AnomalyEvent;
using media::AnomalyState;
using media::Codec;

class Formats : public testing::TestWithParam<const char*> {
 protected:
  static detect::SampledPicture first_of(const std::string& pictures) {
    const auto frames = make_pictures(pictures + ",format=" + GetParam(), 1);
    detect::SampledPicture sampled;
    const auto planes = planes_of(*frames[0]);
    EXPECT_TRUE(planes && sample(*planes, sampled)) << GetParam();
    return sampled;
  }
};
INSTANTIATE_TEST_SUITE_P(OfDecoders, Formats,
                         testing::Values("yuv420p", "yuvj420p", "nv12", "yuv422p", "yuv444p",
                                         "yuv420p10le", "yuv422p10le", "p010le", "yuv444p12le"));

TEST_P(Formats, BarsOfEveryKindAreBars) {
  for (const char* bars : {"smptebars", "smptehdbars", "pal75bars", "pal100bars"})
    for (const char* size : {"1920x1080", "720x576", "416x234"}) {
      SCOPED_TRACE(std::string(bars) + " " + size);
      const auto picture = first_of(std::string(bars) + "=s=" + size);
      EXPECT_TRUE(is_bars(picture));
      EXPECT_FALSE(is_black(picture));
    }
}

TEST_P(Formats, BlackIsBlack) {
  for (const char* black : {"color=black:s=1280x720", "color=0x040404:s=1280x720",
                            "color=black:s=1280x720,drawbox=20:20:100:60:white:fill"}) {
    SCOPED_TRACE(black);
    EXPECT_TRUE(is_black(first_of(black)));
    EXPECT_FALSE(is_bars(first_of(black)));
  }
}

TEST_P(Formats, OtherPicturesAreNeither) {
  for (const char* other :
       {"testsrc2=s=1280x720", "testsrc=s=1280x720", "mandelbrot=s=640x360", "color=blue:s=320x180",
        "color=0x202020:s=320x180", "rgbtestsrc=s=640x360", "yuvtestsrc=s=640x360",
        "smptebars=s=1280x720,hflip", "smptebars=s=1280x720,transpose", "allrgb",
        "smptebars=s=1280x720,hue=s=0"}) {
    SCOPED_TRACE(other);
    const auto picture = first_of(other);
    EXPECT_FALSE(is_black(picture));
    EXPECT_FALSE(is_bars(picture));
  }
}

TEST(Planes, OfRgbThereAreNone) {
  EXPECT_FALSE(planes_of(*make_pictures("testsrc2=s=64x64,format=gbrp", 1)[0]));
  EXPECT_FALSE(planes_of(*make_pictures("testsrc2=s=64x64,format=rgb24", 1)[0]));
  const auto grey = planes_of(*make_pictures("testsrc2=s=64x64,format=gray", 1)[0]);
  ASSERT_TRUE(grey);
  EXPECT_EQ(grey->cb.first, nullptr);
}

// A film of 50 pictures a second through the whole engine.
struct Film {
  const char* name;
  Codec codec;
  const char* format;
};
void PrintTo(const Film& film, std::ostream* out) {
  *out << film.name;
}
class Films : public testing::TestWithParam<Film> {
 protected:
  // Those that ended, in the order of their beginning.
  static std::vector<AnomalyEvent> found(const std::string& pictures, int frames) {
    const Clip clip = make_clip({.codec = GetParam().codec,
                                 .pictures = pictures + ",format=" + GetParam().format,
                                 .frames = frames,
                                 .segment = 50});
    media::Ladder ladder;
    ladder.name = "test";
    ladder.video = {rung("rung", Codec::avc, 90)};
    ladder.detect.frozen = seconds(2);
    RecordingSink sink;
    const auto engine =
        make_engine(ladder, {.pace = ladder::Pace::file, .threads = 1}, sink).value();
    feed(*engine, clip);
    engine->drain();
    std::vector<AnomalyEvent> out;
    std::ranges::copy_if(sink.anomalies(), std::back_inserter(out),
                         [](const auto& event) { return event.state == AnomalyState::ended; });
    std::ranges::sort(out, {}, &AnomalyEvent::from);
    EXPECT_EQ(std::ranges::count(sink.anomalies(), AnomalyState::begun, &AnomalyEvent::state),
              static_cast<std::ptrdiff_t>(out.size()));
    return out;
  }
  static void expect(const AnomalyEvent& event, Anomaly kind, double from_s, double to_s) {
    const auto begin = media::to_microseconds({kClipBegin}, kClipTimescale);
    EXPECT_EQ(event.kind, kind);
    EXPECT_NEAR(std::chrono::duration<double>(event.from - begin).count(), from_s, 0.15);
    EXPECT_NEAR(std::chrono::duration<double>(event.to - begin).count(), to_s, 0.15);
  }
};
INSTANTIATE_TEST_SUITE_P(EightAndTenBit, Films,
                         testing::Values(Film{"avc8", Codec::avc, "yuv420p"},
                                         Film{"hevc10", Codec::hevc, "yuv420p10le"}),
                         [](const auto& info) { return info.param.name; });

TEST_P(Films, EveryStretchIsFoundWithItsTimes) {
  const std::string source = "s=320x180:r=50:d=";
  const auto events = found("testsrc2=" + source + "2[a];color=black:" + source +
                                "2[b];testsrc2=" + source + "1[c];smptehdbars=" + source +
                                "3[d];mandelbrot=s=320x180:r=50,trim=end_frame=1,loop=-1:1:0,"
                                "trim=end_frame=150,setpts=N/50/TB[e];testsrc2=" +
                                source + "2[f];[a][b][c][d][e][f]concat=n=6",
                            600);
  ASSERT_EQ(events.size(), 3U);
  expect(events[0], Anomaly::black, 2, 4);
  expect(events[1], Anomaly::bars, 5, 8);
  expect(events[2], Anomaly::frozen, 8, 11);
}

TEST_P(Films, GrainOnAFrozenPictureLeavesItFrozen) {
  const auto events =
      found("mandelbrot=s=320x180:r=50,trim=end_frame=1,loop=200:1:0,noise=alls=6:allf=t", 200);
  ASSERT_EQ(events.size(), 1U);
  expect(events[0], Anomaly::frozen, 0, 4);
}

TEST_P(Films, AClockInACornerIsNotFrozen) {
  // A box of 10 x 16 of 320 x 180 pixels, there in every second half second.
  EXPECT_TRUE(found("mandelbrot=s=320x180:r=50,trim=end_frame=1,loop=200:1:0,"
                    "drawbox=290:10:10:16:white:fill:enable='lt(mod(n,50),25)'",
                    200)
                  .empty());
}

TEST_P(Films, APanIsNotFrozen) {
  EXPECT_TRUE(
      found("mandelbrot=s=480x180:r=50,trim=end_frame=1,loop=200:1:0,crop=320:180:n/4:0", 200)
          .empty());
}

// One sample of the right channel at half of full scale, in whatever format.
template <class Sample>
double loudest_with(AVSampleFormat format, Sample half) {
  FramePtr frame = make_frame();
  frame->format = format;
  frame->nb_samples = 480;
  av_channel_layout_default(&frame->ch_layout, 2);
  EXPECT_GE(av_frame_get_buffer(frame.get(), 0), 0);
  av_samples_set_silence(frame->extended_data, 0, 480, 2, format);
  EXPECT_EQ(loudest_of(*frame), 0.0);
  if (av_sample_fmt_is_planar(format) != 0)
    reinterpret_cast<Sample*>(frame->extended_data[1])[100] = half;
  else
    reinterpret_cast<Sample*>(frame->extended_data[0])[201] = half;
  return loudest_of(*frame).value_or(-1);
}

TEST(Sound, IsAsLoudInEveryFormat) {
  constexpr double kPower = 0.25 / 480;
  EXPECT_NEAR(loudest_with<float>(AV_SAMPLE_FMT_FLTP, 0.5F), kPower, 1e-9);
  EXPECT_NEAR(loudest_with<float>(AV_SAMPLE_FMT_FLT, 0.5F), kPower, 1e-9);
  EXPECT_NEAR(loudest_with<double>(AV_SAMPLE_FMT_DBLP, 0.5), kPower, 1e-9);
  EXPECT_NEAR(loudest_with<std::int16_t>(AV_SAMPLE_FMT_S16, 16'384), kPower, 1e-9);
  EXPECT_NEAR(loudest_with<std::int16_t>(AV_SAMPLE_FMT_S16P, -16'384), kPower, 1e-9);
  EXPECT_NEAR(loudest_with<std::int32_t>(AV_SAMPLE_FMT_S32, 1 << 30), kPower, 1e-9);
  EXPECT_NEAR(loudest_with<std::int32_t>(AV_SAMPLE_FMT_S32P, 1 << 30), kPower, 1e-9);
}

}  // namespace
}  // namespace kapok::ffmpeg
