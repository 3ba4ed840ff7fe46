#include "server/media/device.hpp"

#include <gtest/gtest.h>

namespace kapok::media {
namespace {

TEST(Device, WishesAreAutoAKindOrOneOfAKind) {
  EXPECT_EQ(parse_device_wish("auto").value(), DeviceWish{});
  EXPECT_EQ(parse_device_wish("software").value(), (DeviceWish{DeviceKind::software, {}}));
  EXPECT_EQ(parse_device_wish("nvidia").value(), (DeviceWish{DeviceKind::nvidia, {}}));
  EXPECT_EQ(parse_device_wish("vaapi:1").value(), (DeviceWish{DeviceKind::vaapi, 1}));
  EXPECT_EQ(parse_device_wish("vulkan:63").value(), (DeviceWish{DeviceKind::vulkan, 63}));
}

TEST(Device, OtherWordsAreRefusedWithTheOnesThatThereAre) {
  for (const auto* word : {"", "cuda", "Auto", "auto:1", "software:0", "nvidia:", "nvidia:x",
                           "nvidia:1:2", "nvidia:-1", "nvidia:64", "nvidia:01", "nvidia: 1"}) {
    const auto wish = parse_device_wish(word);
    ASSERT_FALSE(wish.has_value()) << word;
    EXPECT_EQ(wish.error().code, Errc::config);
    EXPECT_NE(wish.error().message.find("vulkan"), std::string::npos);
  }
}

TEST(Device, ADeviceIsReadBackFromItsWord) {
  for (const DeviceId id : {DeviceId{}, DeviceId{DeviceKind::nvidia, 3}})
    EXPECT_EQ(parse_device_id(word_of(id)), id);
  EXPECT_EQ(parse_device_id("nvidia"), std::nullopt) << "which one?";
  EXPECT_EQ(parse_device_id("auto"), std::nullopt);
  EXPECT_EQ(parse_device_id("gstreamer"), std::nullopt);
}

}  // namespace
}  // namespace kapok::media
