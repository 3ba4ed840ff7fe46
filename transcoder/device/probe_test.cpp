#include "transcoder/device/probe.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json.hpp>

namespace kapok::device {
namespace {

TEST(Probe, TheSoftwarePathDoesAllOfItAndEveryRefusalHasItsReason) {
  const auto rows = probe();
  const auto software =
      std::ranges::count_if(rows, [](const ProbeRow& row) { return row.device == "software"; });
  EXPECT_EQ(software, 8);
  for (const auto& row : rows) {
    if (row.device == "software")
      EXPECT_TRUE(row.works) << row.task << " " << row.codec << ": " << row.reason;
    EXPECT_EQ(row.works, row.reason.empty()) << row.device << " " << row.task;
  }
  for (const auto* device : {"nvidia", "vaapi", "qsv", "vulkan"})
    EXPECT_TRUE(std::ranges::any_of(rows, [&](const ProbeRow& r) { return r.device == device; }));
}

TEST(Probe, PrintsATableAndJson) {
  const std::vector<ProbeRow> rows = {
      {.device = "software", .task = "scale", .codec = "", .works = true, .reason = ""},
      {.device = "nvidia", .task = "encode", .codec = "avc", .works = false, .reason = "no \"x\""}};
  EXPECT_EQ(as_table(rows),
            "device    task      codec  works\n"
            "software  scale            yes\n"
            "nvidia    encode    avc    no: no \"x\"\n");
  const auto json = boost::json::parse(as_json(rows));
  EXPECT_EQ(json.at(0).at("works"), true);
  EXPECT_EQ(json.at(1).at("reason"), "no \"x\"");
  EXPECT_FALSE(json.at(0).as_object().contains("codec"));
}

}  // namespace
}  // namespace kapok::device
