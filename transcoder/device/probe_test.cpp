#include "transcoder/device/probe.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cstdlib>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define KAPOK_SANITIZED
#endif
#endif

namespace kapok::device {
namespace {

#if defined(KAPOK_SANITIZED)
// Sanitizers do not know what lavapipe compiles: there is no driver of Vulkan then.
[[maybe_unused]] const int kNoDriver = ::setenv("VK_ICD_FILENAMES", "/nonexistent", 1);
#endif

TEST(Probe, TheSoftwarePathDoesAllOfItAndEveryRefusalHasItsReason) {
  const auto rows = probe();
  const auto is_ours = [](const ProbeRow& row) {
    return row.engine == "ffmpeg" && row.device == "software";
  };
  EXPECT_EQ(std::ranges::count_if(rows, is_ours), 12);
  for (const auto& row : rows) {
    if (is_ours(row)) EXPECT_TRUE(row.works) << row.task << " " << row.codec << ": " << row.reason;
    EXPECT_EQ(row.works, row.reason.empty()) << row.device << " " << row.task;
  }
  for (const auto* device : {"nvidia", "vaapi", "qsv", "vulkan"})
    EXPECT_TRUE(
        std::ranges::any_of(rows, [&](const ProbeRow& r) { return r.device.starts_with(device); }));
}

// Mesa's lavapipe is a Vulkan device wherever the tests run (scripts/packages.txt).
TEST(Probe, VulkanScalesAndMapsTonesAndCodesNothing) {
#if defined(KAPOK_SANITIZED)
  GTEST_SKIP() << "sanitizers do not know what lavapipe compiles";
#endif
  const auto found = list_devices(media::DeviceKind::vulkan);
  ASSERT_TRUE(found.has_value()) << found.error().message;
  for (const Found& device : *found) {
    SCOPED_TRACE(device.name);
    EXPECT_NE(device.name, "");
    const Samples samples;
    const Probed probed = probe_device(device, samples);
    ASSERT_EQ(probed.rows.size(), 12U);
    for (const auto& row : probed.rows) {
      EXPECT_EQ(row.device, word_of(device.id));
      EXPECT_EQ(row.works, row.task == "scale" || row.task == "tone-map")
          << row.task << " " << row.codec << ": " << row.reason;
    }
    EXPECT_TRUE(probed.path.can.scales && probed.path.can.maps);
    EXPECT_TRUE(probed.path.can.encodes.empty() && probed.path.can.decodes.empty());
    EXPECT_NE(probed.path.opened, nullptr);
  }
}

TEST(Probe, TheOtherEngineHasRowsOfItsOwn) {
  const auto rows = probe();
  const auto find = [&](std::string_view task, std::string_view codec) {
    return *std::ranges::find_if(rows, [&](const ProbeRow& row) {
      return row.engine == "gstreamer" && row.device == "software" && row.task == task &&
             row.codec == codec;
    });
  };
  EXPECT_TRUE(find("encode", "avc").works);
  EXPECT_TRUE(find("encode", "hevc-10").works);
  EXPECT_TRUE(find("decode", "av1").works);
  EXPECT_FALSE(find("encode", "av1").works);
  EXPECT_TRUE(find("encode", "av1").reason.starts_with("av1enc: "));
}

TEST(Probe, PrintsATableAndJson) {
  const std::vector<ProbeRow> rows = {{.engine = "gstreamer",
                                       .device = "software",
                                       .name = "",
                                       .task = "scale",
                                       .codec = "",
                                       .works = true,
                                       .reason = ""},
                                      {.engine = "ffmpeg",
                                       .device = "nvidia:0",
                                       .name = "NVIDIA H200",
                                       .task = "encode",
                                       .codec = "hevc-10",
                                       .works = false,
                                       .reason = "no \"x\""}};
  EXPECT_EQ(as_table(rows),
            "engine     device      task      codec    works\n"
            "gstreamer  software    scale              yes\n"
            "           nvidia:0    is NVIDIA H200\n"
            "ffmpeg     nvidia:0    encode    hevc-10  no: no \"x\"\n");
  EXPECT_EQ(boost::json::parse(as_json(rows)).at(0).at("engine"), "gstreamer");
  const auto json = boost::json::parse(as_json(rows));
  EXPECT_EQ(json.at(0).at("works"), true);
  EXPECT_EQ(json.at(1).at("reason"), "no \"x\"");
  EXPECT_EQ(json.at(1).at("name"), "NVIDIA H200");
  EXPECT_FALSE(json.at(0).as_object().contains("codec"));
}

}  // namespace
}  // namespace kapok::device
