#include "transcoder/device/choice.hpp"

#include <gtest/gtest.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define KAPOK_SANITIZED
#endif
#endif

namespace kapok::device {
namespace {

using media::Codec;
using media::DeviceId;
using media::DeviceKind;

Found gpu(unsigned number) {
  return {.id = {DeviceKind::nvidia, number}, .name = "GPU", .address = std::to_string(number)};
}
std::vector<unsigned> numbers(const std::vector<Found>& devices) {
  std::vector<unsigned> all;
  for (const Found& each : devices) all.push_back(each.id.number);
  return all;
}

TEST(Choice, TheDeviceWithTheFewestWorkersComesFirst) {
  const std::vector<Found> devices{gpu(0), gpu(1), gpu(2)};
  EXPECT_EQ(numbers(by_load(devices, {})), (std::vector<unsigned>{0, 1, 2}));
  Load load;
  load.busy = {{{DeviceKind::nvidia, 0}, 3}, {{DeviceKind::nvidia, 1}, 2}};
  EXPECT_EQ(numbers(by_load(devices, load)), (std::vector<unsigned>{2, 1, 0}));
  load.busy[{DeviceKind::vaapi, 2}] = 9;
  EXPECT_EQ(numbers(by_load(devices, load)), (std::vector<unsigned>{2, 1, 0})) << "another kind";
}

TEST(Choice, ChannelsThatStartTogetherAreSpread) {
  const std::vector<Found> devices{gpu(0), gpu(1), gpu(2)};
  std::vector<unsigned> chosen;
  for (unsigned i = 0; i < 6; ++i)
    chosen.push_back(by_load(devices, {.busy = {}, .starting = i}).front().id.number);
  EXPECT_EQ(chosen, (std::vector<unsigned>{0, 1, 2, 0, 1, 2}));
}

TEST(Choice, AProcessorThatActsAsAGpuComesLast) {
  Found processor = gpu(0);
  processor.is_processor = true;
  Load load;
  load.busy[{DeviceKind::nvidia, 1}] = 5;
  EXPECT_EQ(numbers(by_load({processor, gpu(1)}, load)), (std::vector<unsigned>{1, 0}));
}

media::Ladder two_rungs(std::string device) {
  media::Ladder ladder;
  ladder.name = "test";
  ladder.device = std::move(device);
  ladder.video.resize(2);
  ladder.video[0].codec = Codec::hevc;
  ladder.video[0].bit_depth = 10;
  ladder.video[1].codec = Codec::avc;
  return ladder;
}

TEST(Choice, ADeviceThatEncodesTheLadderIsWorthMoreThanOneThatOnlyDecodes) {
  const media::Ladder ladder = two_rungs("auto");
  const ffmpeg::Abilities whole{.decodes = {{Codec::hevc, 10}},
                                .encodes = {{Codec::hevc, 10}, {Codec::avc, 8}},
                                .scales = true,
                                .maps = true};
  ffmpeg::Abilities without_ten_bits = whole;
  without_ten_bits.encodes = {{Codec::hevc, 8}, {Codec::avc, 8}};
  ffmpeg::Abilities decoder = whole;
  decoder.encodes.clear();
  const ffmpeg::Abilities filters{.decodes = {}, .encodes = {}, .scales = true, .maps = true};
  EXPECT_GT(worth_of(whole, ladder), worth_of(without_ten_bits, ladder));
  EXPECT_GT(worth_of(without_ten_bits, ladder), worth_of(decoder, ladder));
  EXPECT_GT(worth_of(decoder, ladder), worth_of(filters, ladder));
  EXPECT_GT(worth_of(filters, ladder), 0U);
  EXPECT_EQ(worth_of({}, ladder), 0U);
  EXPECT_EQ(worth_of(whole, {}), 0U) << "a ladder of sound alone";
}

TEST(Choice, LoadIsReadAsTheServerWritesIt) {
  const auto load = parse_load("nvidia:0=3,vaapi:1=2,starting=4").value();
  EXPECT_EQ(load.busy, (std::map<DeviceId, unsigned>{{{DeviceKind::nvidia, 0}, 3},
                                                     {{DeviceKind::vaapi, 1}, 2}}));
  EXPECT_EQ(load.starting, 4U);
  EXPECT_EQ(parse_load("").value(), Load{});
  for (const auto* bad : {"nvidia=1", "nvidia:0", "nvidia:0=", "nvidia:0=-1", "x=1", ",",
                          "starting=99999", "nvidia:0=1;"})
    EXPECT_FALSE(parse_load(bad).has_value()) << bad;
}

// This machine's own devices from here on: Mesa's lavapipe is there wherever the tests run.
TEST(Choice, ASoftwareVulkanDeviceIsTakenWhenNamedAndNeverByAuto) {
#if defined(KAPOK_SANITIZED)
  GTEST_SKIP() << "sanitizers do not know what lavapipe compiles";
#endif
  const auto devices = list_devices(DeviceKind::vulkan);
  ASSERT_TRUE(devices.has_value()) << devices.error().message;
  const Found& processor = *std::ranges::find(*devices, true, &Found::is_processor);
  const Samples samples;
  const auto named = choose(two_rungs(word_of(processor.id)), {}, samples);
  ASSERT_TRUE(named.has_value()) << named.error().message;
  ASSERT_EQ(named->size(), 1U);
  EXPECT_EQ(named->front().device, processor.id);
  const auto automatic = choose(two_rungs("auto"), {}, samples);
  ASSERT_TRUE(automatic.has_value());
  for (const auto& path : *automatic) EXPECT_NE(path.device, processor.id);
  EXPECT_TRUE(choose(two_rungs("software"), {}, samples)->empty());
}

TEST(Choice, AWishThatCannotBeHadIsRefusedWithTheReason) {
  const Samples samples;
  const auto none = choose(two_rungs("nvidia:63"), {}, samples);
  ASSERT_FALSE(none.has_value());
  EXPECT_EQ(none.error().code, Errc::config);
  EXPECT_TRUE(none.error().message.starts_with("device nvidia:63 does not work here: "));
  if (has_gpu_node()) GTEST_SKIP() << "this machine has a GPU";
  const auto nvidia = choose(two_rungs("nvidia"), {}, samples);
  ASSERT_FALSE(nvidia.has_value());
  EXPECT_NE(nvidia.error().message.find("libcuda.so.1 not found"), std::string::npos);
  const auto vaapi = choose(two_rungs("vaapi"), {}, samples);
  ASSERT_FALSE(vaapi.has_value());
  EXPECT_NE(vaapi.error().message.find("/dev/dri/renderD128 not found"), std::string::npos);
}

}  // namespace
}  // namespace kapok::device
