#include "server/picture/packaging/retention.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace kapok::packaging {
namespace {

constexpr std::uint64_t kSegment = 1'000'000;

struct Years {
  Retention retention;
  std::uint64_t number = 0;
  std::uint64_t listed_from = 0;
  std::uint64_t there_from = 0;
  std::uint64_t most_bytes = 0;
  std::map<std::uint64_t, std::uint64_t> left_at;     // number -> newest number when it left
  std::map<std::uint64_t, std::uint64_t> listed_len;  // segments in the playlist that it left

  explicit Years(RetentionLimits limits) : retention(limits) {}
  void step(std::optional<std::uint64_t> available = std::nullopt) {
    const UtcTime start(seconds(2 * number));
    retention.add("source", number, start, start + seconds(2), kSegment);
    if (available) retention.set_available(*available);
    for (const Leaving& leaving : retention.expire(seconds(2))) {
      for (std::uint64_t n = listed_from; n < leaving.before; ++n) {
        left_at[n] = number;
        listed_len[n] = number + 1 - listed_from;
      }
      listed_from = leaving.before;
    }
    for (const Leaving& leaving : retention.unlink()) there_from = leaving.before;
    most_bytes = std::max(most_bytes, retention.total_bytes());
    ++number;
  }
  std::uint64_t listed() const { return number - listed_from; }
};

TEST(Retention, ListsTheWindowAndKeepsFilesAnotherWindowLonger) {
  Years years({.window = seconds(60)});
  for (int i = 0; i < 200; ++i) years.step();
  EXPECT_EQ(years.listed(), 30U);
  EXPECT_LE(years.number - years.there_from, 64U);
  EXPECT_GE(years.number - years.there_from, 61U);
}

TEST(Retention, ShortOfBytesTheWindowShrinksAndTheGraceStays) {
  Years years({.window = seconds(600), .bytes = 40 * kSegment});
  for (int i = 0; i < 500; ++i) years.step();
  EXPECT_LE(years.most_bytes, 42 * kSegment);
  EXPECT_GE(years.listed(), 18U);
  EXPECT_LT(years.retention.promised_window(), seconds(60));
  // Each was still there for as long as the longest playlist that had listed it, and itself.
  EXPECT_GE(years.listed_from - years.there_from, years.listed_len[years.listed_from - 1]);
}

TEST(Retention, LeavesRoomOnASmallFileSystem) {
  constexpr std::uint64_t kDisk = 100 * kSegment;
  Years years({.window = seconds(6000)});
  for (int i = 0; i < 1000; ++i) {
    const std::uint64_t used = years.retention.total_bytes() + kSegment;
    ASSERT_LE(used, kDisk);
    years.step(kDisk - used);
  }
  EXPECT_GE(years.listed(), 35U);
}

TEST(Retention, HalvesTheWindowWhenAWriteFoundNoRoom) {
  Years years({.window = seconds(600)});
  for (int i = 0; i < 400; ++i) years.step();
  EXPECT_EQ(years.listed(), 300U);
  years.retention.no_room();
  years.step();
  EXPECT_NEAR(static_cast<double>(years.listed()), 150, 2);
  for (int i = 0; i < 20; ++i) {
    years.retention.no_room();
    years.step();
  }
  EXPECT_GE(years.listed(), 6U);
  EXPECT_LE(years.listed(), 8U);
}

TEST(Retention, ForgottenHistoryKeepsItsGrace) {
  Years years({.window = seconds(60)});
  for (int i = 0; i < 30; ++i) years.step();
  years.retention.set_listed_from("source", 30);
  EXPECT_TRUE(years.retention.unlink().empty());
  EXPECT_EQ(years.retention.total_bytes(), 30 * kSegment);
}

TEST(Retention, AReloadChangesWhatIsKept) {
  Retention retention({seconds(60), 0});
  const UtcTime start{seconds(1'000'000)};
  const auto add = [&](int from, int upto) {
    for (int i = from; i < upto; ++i)
      retention.add("source", static_cast<std::uint64_t>(i), start + seconds(2 * i),
                    start + seconds(2 * i + 2), 100);
  };
  add(0, 30);
  EXPECT_TRUE(retention.expire(seconds(2)).empty());
  retention.set_limits({seconds(20), 0});
  EXPECT_EQ(retention.promised_window(), seconds(20));
  const auto leaving = retention.expire(seconds(2));
  ASSERT_EQ(leaving.size(), 1U);
  EXPECT_EQ(leaving[0].before, 20U);
  retention.set_limits({seconds(60), 0});
  EXPECT_EQ(retention.promised_window(), seconds(60));
  add(30, 50);
  EXPECT_TRUE(retention.expire(seconds(2)).empty()) << "it fills up again";
}

}  // namespace
}  // namespace kapok::packaging
