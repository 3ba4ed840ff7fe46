#include "transcoder/device/probe.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json.hpp>

namespace kapok::device {
namespace {

TEST(Probe, TheSoftwarePathDoesAllOfItAndEveryRefusalHasItsReason) {
  const auto rows = probe();
  const auto is_ours = [](const ProbeRow& row) {
    return row.engine == "ffmpeg" && row.device == "software";
  };
  EXPECT_EQ(std::ranges::count_if(rows, is_ours), 8);
  for (const auto& row : rows) {
    if (is_ours(row)) EXPECT_TRUE(row.works) << row.task << " " << row.codec << ": " << row.reason;
    EXPECT_EQ(row.works, row.reason.empty()) << row.device << " " << row.task;
  }
  for (const auto* device : {"nvidia", "vaapi", "qsv", "vulkan"})
    EXPECT_TRUE(std::ranges::any_of(rows, [&](const ProbeRow& r) { return r.device == device; }));
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
  EXPECT_TRUE(find("scale", "").works);
  EXPECT_FALSE(find("tone-map", "").works);
  EXPECT_NE(find("tone-map", "").reason.find("engine = \"ffmpeg\""), std::string::npos);
}

TEST(Probe, PrintsATableAndJson) {
  const std::vector<ProbeRow> rows = {{.engine = "gstreamer",
                                       .device = "software",
                                       .task = "scale",
                                       .codec = "",
                                       .works = true,
                                       .reason = ""},
                                      {.engine = "ffmpeg",
                                       .device = "nvidia",
                                       .task = "encode",
                                       .codec = "avc",
                                       .works = false,
                                       .reason = "no \"x\""}};
  EXPECT_EQ(as_table(rows),
            "engine     device    task      codec    works\n"
            "gstreamer  software  scale              yes\n"
            "ffmpeg     nvidia    encode    avc      no: no \"x\"\n");
  EXPECT_EQ(boost::json::parse(as_json(rows)).at(0).at("engine"), "gstreamer");
  const auto json = boost::json::parse(as_json(rows));
  EXPECT_EQ(json.at(0).at("works"), true);
  EXPECT_EQ(json.at(1).at("reason"), "no \"x\"");
  EXPECT_FALSE(json.at(0).as_object().contains("codec"));
}

}  // namespace
}  // namespace kapok::device
