// The path over a device, on a real one: Vulkan, which is Mesa's lavapipe where there is no GPU
// (scripts/packages.txt). Pictures go up, are scaled and mapped there, and come down again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "server/media/describe.hpp"
#include "transcoder/ffmpeg/clip_test.hpp"
#include "transcoder/ffmpeg/picture_graph.hpp"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define KAPOK_SANITIZED
#endif
#endif

namespace kapok::ffmpeg {
namespace {

using media::Codec;

struct VulkanPath : ::testing::Test {
  void SetUp() override {
#if defined(KAPOK_SANITIZED)
    GTEST_SKIP() << "sanitizers do not know what lavapipe compiles";
#endif
  }
};

Path vulkan() {
  auto opened = HwDevice::open(*row_of(media::DeviceKind::vulkan), "0");
  if (!opened) throw std::runtime_error(opened.error().message);
  Path path;
  path.device = {media::DeviceKind::vulkan, 0};
  path.can.scales = true;
  path.can.maps = true;
  path.opened = *std::move(opened);
  return path;
}

struct Made {
  RecordingSink sink;
  ladder::EngineStats stats;
};
void make(const Clip& clip, std::vector<media::VideoRung> rungs, std::vector<Path> paths,
          Made& made) {
  media::Ladder ladder;
  ladder.name = "test";
  ladder.device = "vulkan";
  ladder.video = std::move(rungs);
  const auto engine = make_engine(ladder, {.pace = ladder::Pace::file, .threads = 2}, made.sink,
                                  {.paths = std::move(paths)})
                          .value();
  EXPECT_EQ(engine->stats().device, "vulkan:0");
  feed(*engine, clip);
  engine->drain();
  made.stats = engine->stats();
}

Picture marked(const AVFrame& frame) {
  Picture picture{share(frame), {}};
  picture.mark.pts = {frame.pts};
  return picture;
}

// What libav's own filters on the same device make of the pictures.
std::vector<FramePtr> on_vulkan(const std::vector<FramePtr>& from, const std::string& filters) {
  PictureGraph graph(
      {.text = "format=yuv420p10le,hwupload," + filters + ",hwdownload,format=yuv420p",
       .device = vulkan().opened,
       .timescale = kClipTimescale,
       .threads = 1});
  std::vector<FramePtr> made;
  const auto keep = [&](Picture picture) { made.push_back(std::move(picture.frame)); };
  for (const auto& frame : from)
    if (!graph.put(marked(*frame), keep)) return {};
  if (!graph.finish(keep)) return {};
  return made;
}

// An SDR picture as HDR10 shows it, its white at 203 cd/m2 [BT.2408]: what mapping should give
// back.
ClipSpec hdr10_clip() {
  return {.codec = Codec::hevc,
          .pictures =
              "testsrc2=s=640x360:r=50,format=yuv444p,setparams=color_primaries=bt709:"
              "color_trc=bt709:colorspace=bt709:range=tv,"
              "zscale=t=linear:npl=203,format=gbrpf32le,zscale=p=bt2020,"
              "zscale=t=smpte2084:m=bt2020nc:r=tv:npl=203,format=yuv420p10le",
          .frames = 20,
          .segment = 10,
          .facts = hdr10_facts()};
}

TEST_F(VulkanPath, ScalesAndHasEveryFrameWithItsGops) {
  const Clip clip = make_clip({.frames = 30, .segment = 10});
  Made made;
  make(clip, {rung("270p", Codec::avc, 270), rung("180p", Codec::avc, 180)}, {vulkan()}, made);
  SCOPED_TRACE(made.sink.all_notices());
  const auto source = decode(*clip.track, clip.packets);
  for (const auto* name : {"270p", "180p"}) {
    const auto& rung = made.sink[name];
    EXPECT_EQ(pts_of(rung.packets), pts_of(clip.packets));
    EXPECT_EQ(sync_pts_of(rung.packets), clip.segment_starts);
    const auto size = name == std::string_view("270p") ? "480:270" : "320:180";
    EXPECT_GT(psnr(decode(*rung.tracks.at(0), rung.packets),
                   filtered(source, fmt::format("scale={}:flags=bicubic", size))),
              26)
        << name;
  }
  EXPECT_EQ(made.stats.device, "vulkan:0");
}

TEST_F(VulkanPath, AnSdrRungOfHdrIsMappedByLibplacebosBt2390) {
  const Clip clip = make_clip(hdr10_clip());
  Made made;
  make(clip, {rung("sdr", Codec::avc, 180)}, {vulkan()}, made);
  SCOPED_TRACE(made.sink.all_notices());
  const media::VideoFacts& facts = *made.sink["sdr"].tracks.at(0)->video();
  EXPECT_EQ(facts.colour, (media::Colour{1, 1, 1, false}));
  EXPECT_EQ(facts.bit_depth, 8);
  EXPECT_FALSE(facts.mastering.has_value());
  const auto source = decode(*clip.track, clip.packets);
  const auto pictures = decode(*made.sink["sdr"].tracks[0], made.sink["sdr"].packets);
  const auto reference =
      on_vulkan(source,
                "libplacebo=w=320:h=180:colorspace=bt709:color_primaries=bt709:color_trc=bt709:"
                "range=tv:tonemapping=bt.2390:format=yuv420p");
  const auto in_software = filtered(source,
                                    "zscale=w=320:h=180:f=bicubic,zscale=t=linear:npl=100,"
                                    "format=gbrpf32le,zscale=p=bt709,tonemap=hable:desat=0,"
                                    "zscale=t=bt709:m=bt709:r=tv,format=yuv420p");
  const auto relabelled = filtered(source, "scale=320:180:flags=bicubic,format=yuv420p");
  // The same filter, but for what the encoder loses (36 dB, 0.989 measured).
  EXPECT_GT(psnr(pictures, reference), 32);
  EXPECT_GT(ssim(pictures, reference), 0.97);
  // Another curve, the same picture (21.6 dB, 0.938), as a relabelled one is not (16.9 dB, 0.815).
  EXPECT_GT(psnr(pictures, in_software), 19);
  EXPECT_GT(ssim(pictures, in_software), 0.9);
  EXPECT_LT(psnr(pictures, relabelled), 18.5);
  EXPECT_LT(ssim(pictures, relabelled), 0.87);
}

TEST_F(VulkanPath, AnHdrRungKeepsDepthColourMasteringDisplayAndLight) {
  const Clip clip = make_clip(hdr10_clip());
  auto hdr = rung("hdr", Codec::hevc, 180);
  hdr.range = media::RungRange::keep;
  hdr.bit_depth = 10;
  Made made;
  make(clip, {hdr}, {vulkan()}, made);
  SCOPED_TRACE(made.sink.all_notices());
  const auto& kept = made.sink["hdr"];
  const media::VideoFacts& facts = *kept.tracks.at(0)->video();
  EXPECT_EQ(facts.bit_depth, 10);
  EXPECT_EQ(facts.colour, hdr10_facts().colour);
  EXPECT_EQ(facts.light, hdr10_facts().light);
  ASSERT_TRUE(facts.mastering.has_value());
  EXPECT_EQ(facts.mastering->max_luminance, hdr10_facts().mastering->max_luminance);
  const auto pictures = decode(*kept.tracks[0], kept.packets);
  const auto reference = filtered(decode(*clip.track, clip.packets), "scale=320:180:flags=bicubic");
  EXPECT_GT(psnr(pictures, reference), 26) << "scaled, not mapped";
}

TEST_F(VulkanPath, ADeviceThatFailsIsLeftForSoftwareAtTheNextSegment) {
  const Clip clip = make_clip({.frames = 80, .segment = 20});
  Path failing = vulkan();
  failing.fails_after = 30;  // pieces of work: each frame is moved up, then scaled
  Made made;
  make(clip, {rung("270p", Codec::avc, 270), rung("180p", Codec::avc, 180)}, {failing}, made);
  SCOPED_TRACE(made.sink.all_notices());
  EXPECT_EQ(made.sink.notices("device.failed"), 1U);
  EXPECT_EQ(made.stats.device, "software");
  for (const auto* name : {"270p", "180p"}) {
    const auto& rung = made.sink[name];
    ASSERT_EQ(rung.tracks.size(), 2U) << "the encoder began anew";
    // The segments after the one in which the device failed are whole.
    const auto pts = pts_of(rung.packets);
    for (int i = 60; i < 80; ++i)
      EXPECT_TRUE(std::ranges::binary_search(pts, kClipBegin + i * kClipFrame)) << i;
    for (std::size_t i = 0; i < rung.packets.size(); ++i)
      if (rung.track_of[i] == 1 && rung.track_of[i - 1] == 0) {
        EXPECT_TRUE(rung.packets[i].sync);
        EXPECT_TRUE(clip.starts(rung.packets[i]));
      }
  }
}

TEST_F(VulkanPath, AFailedDeviceIsReplacedByAnotherFirst) {
  const Clip clip = make_clip({.frames = 60, .segment = 20});
  Path failing = vulkan();
  failing.fails_after = 0;
  Path second = vulkan();
  second.device.number = 1;
  Made made;
  make(clip, {rung("180p", Codec::avc, 180)}, {failing, second}, made);
  SCOPED_TRACE(made.sink.all_notices());
  EXPECT_EQ(made.stats.device, "vulkan:1");
  EXPECT_EQ(made.sink.notices("device.failed"), 1U);
  EXPECT_FALSE(made.sink["180p"].packets.empty());
}

TEST(HwDevice, PoolsHoldWhatTheQueuesMayHold) {
  constexpr std::size_t kInsideEncoder = 8;
  EXPECT_EQ(extra_frames(640 * 360 * 3 / 2), 8 + static_cast<int>(kInsideEncoder));
  // 8K in 10 bits: 100 MB a picture, two of them.
  EXPECT_EQ(extra_frames(std::size_t{7680} * 4320 * 3), 2 + static_cast<int>(kInsideEncoder));
}

TEST_F(VulkanPath, WhatIsOnADeviceCanBeLookedAt) {
  const Path path = vulkan();
  PictureGraph graph({.text = "format=yuv420p,hwupload",
                      .device = path.opened,
                      .timescale = kClipTimescale,
                      .threads = 1});
  const auto source = make_pictures("testsrc2=s=320x180:r=50,format=yuv420p", 1);
  std::vector<FramePtr> down;
  ASSERT_TRUE(graph.put(marked(*source[0]), [&](Picture up) {
    EXPECT_TRUE(is_on_device(*up.frame));
    EXPECT_EQ(pixels_of(*up.frame), AV_PIX_FMT_YUV420P);
    EXPECT_EQ(bytes_of(*up.frame), bytes_of(*source[0]));
    down.push_back(in_memory(*up.frame).value());
  }));
  ASSERT_EQ(down.size(), 1U);
  EXPECT_FALSE(is_on_device(*down[0]));
  EXPECT_GT(psnr(down, source), 60);
}

}  // namespace
}  // namespace kapok::ffmpeg
