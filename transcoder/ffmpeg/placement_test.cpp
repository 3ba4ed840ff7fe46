#include "transcoder/ffmpeg/placement.hpp"

#include <gtest/gtest.h>

#include "transcoder/ffmpeg/graph_text.hpp"

namespace kapok::ffmpeg {
namespace {

using ladder::Tones;
using media::Codec;

constexpr Place M = Place::memory;
constexpr Place D = Place::device;

ladder::PlannedPicture picture(std::uint32_t height, Tones tones, std::uint8_t depth = 8) {
  return {
      .width = height * 16 / 9, .height = height, .bit_depth = depth, .tones = tones, .from = {}};
}
ladder::PlannedRung rung(std::size_t picture, Codec codec, std::uint8_t depth = 8) {
  ladder::PlannedRung made;
  made.rung.codec = codec;
  made.rung.bit_depth = depth;
  made.picture = picture;
  return made;
}

// An HDR rung, and two SDR rungs of which the smaller is scaled from the larger.
ladder::Plan hdr_event() {
  ladder::Plan plan;
  plan.pictures = {picture(2160, Tones::as_source, 10), picture(1080, Tones::bt709),
                   picture(720, Tones::bt709)};
  plan.pictures[2].from = 1;
  plan.rungs = {rung(0, Codec::hevc, 10), rung(1, Codec::avc), rung(2, Codec::avc)};
  return plan;
}
ladder::Plan sdr_museum() {
  ladder::Plan plan;
  plan.pictures = {picture(1080, Tones::as_source), picture(540, Tones::as_source)};
  plan.pictures[1].from = 0;
  plan.rungs = {rung(0, Codec::avc), rung(1, Codec::avc)};
  return plan;
}

Path path(media::DeviceKind kind, std::vector<Coding> encodes) {
  Path made;
  made.device = {kind, 0};
  made.can.scales = true;
  made.can.maps = kind == media::DeviceKind::vulkan || kind == media::DeviceKind::vaapi;
  made.can.encodes = std::move(encodes);
  return made;
}
Step step(std::optional<std::size_t> from, std::optional<std::size_t> picture, Place in,
          Place scales_on, Place maps_on, Place out) {
  return {.from = from,
          .picture = picture,
          .in = in,
          .scales_on = scales_on,
          .maps_on = maps_on,
          .out = out};
}

TEST(Placement, InSoftwareEverythingStaysInMemory) {
  const Placement placed = place(hdr_event(), {}, {});
  ASSERT_EQ(placed.steps.size(), 3U);
  for (const Step& each : placed.steps) EXPECT_FALSE(each.touches_device());
  EXPECT_EQ(placed.steps[2].from, 1U);
  EXPECT_EQ(placed.rungs[2], (PlacedRung{2, M}));
}

TEST(Placement, FramesStayOnADeviceThatDoesItAll) {
  const auto vaapi = path(media::DeviceKind::vaapi, {{Codec::hevc, 10}, {Codec::avc, 8}});
  const Placement placed = place(hdr_event(), vaapi, {.place = D});
  EXPECT_EQ(placed.steps, (std::vector<Step>{step({}, 0, D, D, D, D), step({}, 1, D, D, D, D),
                                             step(1, 2, D, D, D, D)}));
  for (const PlacedRung& each : placed.rungs) EXPECT_EQ(each.encodes_on, D);
}

// H100 and H200: a decoder, no encoder, no tone mapping in CUDA.
TEST(Placement, WithoutEncodersScaledPicturesComeDown) {
  const auto nvidia = path(media::DeviceKind::nvidia, {});
  const Placement sdr = place(sdr_museum(), nvidia, {.place = D});
  // 1080 lines are wanted in memory by the encoder and on the device by what is scaled from it.
  EXPECT_EQ(sdr.steps, (std::vector<Step>{step({}, 0, D, D, D, D), step(0, {}, D, D, D, M),
                                          step(0, 1, D, D, D, M)}));
  EXPECT_EQ(sdr.rungs, (std::vector<PlacedRung>{{1, M}, {2, M}}));

  const Placement hdr = place(hdr_event(), nvidia, {.place = D});
  EXPECT_EQ(hdr.steps[1], step({}, 1, D, D, M, M)) << "scaled there, mapped here";
  EXPECT_EQ(hdr.steps[2], step(1, 2, M, M, M, M)) << "not up again";
}

TEST(Placement, ADeviceThatOnlyFiltersGetsTheDecodedPictureOnce) {
  const auto vulkan = path(media::DeviceKind::vulkan, {});
  const Placement placed = place(hdr_event(), vulkan, {.place = M});
  ASSERT_EQ(placed.steps.size(), 5U);
  EXPECT_EQ(placed.steps[0], step({}, {}, M, M, M, D));
  EXPECT_EQ(placed.steps[1], step(0, 0, D, D, D, M));
  EXPECT_EQ(placed.steps[2], step(0, 1, D, D, D, D));
  EXPECT_EQ(placed.steps[3], step(2, {}, D, D, D, M));
  EXPECT_EQ(placed.steps[4], step(2, 2, D, D, D, M));
  EXPECT_EQ(placed.rungs, (std::vector<PlacedRung>{{1, M}, {3, M}, {4, M}}));
}

TEST(Placement, WhatTheDeviceCannotDoIsDoneInMemory) {
  const auto vulkan = path(media::DeviceKind::vulkan, {});
  const auto interlaced = place(sdr_museum(), vulkan, {.place = M, .interlaced = true});
  for (const Step& each : interlaced.steps) EXPECT_FALSE(each.touches_device());
  const auto nvidia = path(media::DeviceKind::nvidia, {{Codec::avc, 8}});
  const auto full = place(sdr_museum(), nvidia, {.place = M, .full_range = true});
  EXPECT_EQ(full.steps[1], step(0, {}, M, M, M, D)) << "its encoder still gets it";
  EXPECT_EQ(full.rungs[0], (PlacedRung{1, D}));
  // Software decodes: to go up for scaling and down for mapping is not worth it.
  const auto up_and_down = place(hdr_event(), path(media::DeviceKind::nvidia, {}), {.place = M});
  EXPECT_EQ(up_and_down.steps[1].scales_on == D || up_and_down.steps[2].scales_on == D, false);
}

std::string text_of(const ladder::Plan& plan, const Path& path, const Decoded& decoded,
                    std::size_t index, const media::VideoFacts& from) {
  const Placement placed = place(plan, path, decoded);
  StepWork work{
      .step = placed.steps.at(index), .to = {}, .from = from, .row = row_of(path.device.kind)};
  if (work.step.picture) work.to = plan.pictures[*work.step.picture];
  return graph_text(work);
}

media::VideoFacts hdr10() {
  media::VideoFacts facts;
  facts.bit_depth = 10;
  facts.colour = {.primaries = 9, .transfer = 16, .matrix = 9};
  return facts;
}

TEST(GraphText, NamesTheFiltersOfTheDeviceAndTheMoves) {
  const auto nvidia = path(media::DeviceKind::nvidia, {});
  EXPECT_EQ(text_of(hdr_event(), nvidia, {.place = D}, 0, hdr10()),
            "scale_cuda=w=3840:h=2160:interp_algo=bicubic:format=p010le,setsar=1/1,"
            "hwdownload,format=p010le,format=yuv420p10le");
  EXPECT_EQ(text_of(hdr_event(), nvidia, {.place = D}, 1, hdr10()),
            "scale_cuda=w=1920:h=1080:interp_algo=bicubic:format=p010le,"
            "hwdownload,format=p010le,format=yuv420p10le,"
            "zscale=t=linear:npl=100,format=gbrpf32le,zscale=p=bt709,tonemap=hable:desat=0,"
            "zscale=t=bt709:m=bt709:r=tv,setsar=1/1,format=yuv420p");
  const auto vulkan = path(media::DeviceKind::vulkan, {});
  EXPECT_EQ(text_of(hdr_event(), vulkan, {}, 0, hdr10()), "format=yuv420p10le,hwupload");
  const auto encoding = path(media::DeviceKind::nvidia, {{Codec::avc, 8}});
  EXPECT_EQ(text_of(sdr_museum(), encoding, {.place = D, .interlaced = true}, 0,
                    [] {
                      media::VideoFacts facts;
                      facts.interlaced = true;
                      return facts;
                    }()),
            "yadif_cuda=mode=send_frame:deint=interlaced,"
            "scale_cuda=w=1920:h=1080:interp_algo=bicubic:format=nv12,setsar=1/1");
}

TEST(GraphText, ScalesInMemoryByZimgWhatZimgTakes) {
  media::VideoFacts facts;
  const auto text = [&](const ladder::Plan& plan) { return text_of(plan, {}, {}, 0, facts); };
  const std::string zimg = "zscale=w=1920:h=1080:f=bicubic:param_a=0:param_b=0.6:r=tv";
  EXPECT_EQ(text(sdr_museum()), zimg + ",setsar=1/1,format=yuv420p");
  facts.bit_depth = 10;
  EXPECT_EQ(text(sdr_museum()), zimg + ":d=ordered,setsar=1/1,format=yuv420p");
  const std::string other =
      "scale=w=1920:h=1080:flags=bicubic:out_range=tv,setsar=1/1,format=yuv420p";
  facts.colour.matrix = 0;  // "GBR", of a picture that has Y, Cb and Cr
  EXPECT_EQ(text(sdr_museum()), other);
  facts.colour.matrix = 3;  // reserved
  EXPECT_EQ(text(sdr_museum()), other);
  facts.colour.matrix = 1;
  facts.width = 1921;
  EXPECT_EQ(text(sdr_museum()), other);
}

}  // namespace
}  // namespace kapok::ffmpeg
