#include "server/api/rfc3339.hpp"

#include <gtest/gtest.h>

namespace kapok::api {
namespace {

TEST(Rfc3339, ADateAloneBeginsInGuangdong) {
  EXPECT_EQ(format_utc(*parse_time_or_date("2026-11-23")), "2026-11-22T16:00:00.000Z");
  EXPECT_EQ(format_utc(*parse_time_or_date("2026-11-23T00:00:00Z")), "2026-11-23T00:00:00.000Z");
  for (const char* text : {"", "2026-11-2", "2026-13-01", "2026-11-23Z", "2026/11/23"})
    EXPECT_FALSE(parse_time_or_date(text)) << text;
}

}  // namespace
}  // namespace kapok::api
