#include "server/app/send/report.hpp"

#include <gtest/gtest.h>

namespace kapok::send_app {
namespace {

std::vector<LinkLine> links() {
  return {
      {.name = "a:9000",
       .state = "connected",
       .up = true,
       .rtt = microseconds(21'300),
       .mbps = 25.04,
       .counts = {.bytes = 12'500'000, .packets = 9500, .lost = 12, .resent = 13, .dropped = 0}},
      {.name = "b:9000",
       .state = "waiting to call again",
       .up = false,
       .rtt = {},
       .mbps = 0,
       .counts = {.bytes = 1000, .packets = 1, .lost = 0, .resent = 0, .dropped = 2}}};
}

TEST(SendReport, OneLineASecond) {
  EXPECT_EQ(progress_line(seconds(3725), 25.04, links()),
            "01:02:05  25.0 Mb/s | a:9000 rtt 21.3 ms, 25.0 Mb/s, lost 12, resent 13 | b:9000 "
            "waiting to call again\n");
}

TEST(SendReport, TheEndHasALineForEachLink) {
  EXPECT_EQ(summary(milliseconds(4000), 12'400'000, 0, links()),
            "sent 12.4 MB in 4.0 s\n"
            "  a:9000: 12.5 MB in 9500 packets, lost 12, resent 13, too late 0\n"
            "  b:9000: 0.0 MB in 1 packets, lost 0, resent 0, too late 2\n");
  EXPECT_TRUE(summary(milliseconds(4000), 1, 7, {}).contains("7 messages fell out"));
}

}  // namespace
}  // namespace kapok::send_app
