// The texts as players get them, compared with tests/golden/packaging. After an intended change:
// KAPOK_UPDATE_GOLDEN=1, then read the diff.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstdlib>
#include <fstream>

#include "server/picture/packaging/packaging_fixture_test.hpp"

namespace kapok::packaging {
namespace {

void compare(const std::string& name, std::string_view text) {
  const char* root = std::getenv("KAPOK_SOURCE_DIR");
  if (!root) GTEST_SKIP() << "KAPOK_SOURCE_DIR is not set (ctest sets it)";
  const std::filesystem::path path =
      std::filesystem::path(root) / "tests" / "golden" / "packaging" / name;
  if (std::getenv("KAPOK_UPDATE_GOLDEN")) std::ofstream(path, std::ios::binary) << text;
  std::ifstream in(path, std::ios::binary);
  const std::string golden((std::istreambuf_iterator<char>(in)), {});
  EXPECT_EQ(text, golden) << path;
}

TEST(Golden, PlaylistsAndManifestOfTwoErasWithAGap) {
  TemporaryFolder folder;
  PackagerOptions options;
  options.channel = "demo";
  options.directory = folder.path() / "demo";
  Station station(options);
  station->feed_live();
  SyntheticFeed feed;
  station->start_era(feed.start, feed.tracks());
  feed.push(*station, 15.3);
  SyntheticFeed other;
  other.start = feed.start + seconds(20);
  station->start_era(other.start, other.tracks());
  other.push(*station, 2.5);
  other.next_frame = 350;  // nothing from 2.5 s to 7 s
  other.next_sound = 7 * 48000 / 1024;
  other.push(*station, 9.7);
  station.settle();
  compare("source.m3u8", station.playlist("source"));
  compare("source-delta.m3u8", station.playlist("source", PlaylistForm::delta));
  compare("audio-zh.m3u8", station.playlist("audio-zh"));
  compare("master.m3u8", station.window().multivariant()->text.text());
  compare("manifest.mpd", station.window().manifest()->text.text());
  station.close();
}

// Not a test: what a feed costs here. Run with --gtest_also_run_disabled_tests.
TEST(Cost, DISABLED_OfAFeedOf25MegabitsASecond) {
  TemporaryFolder folder;
  PackagerOptions options;
  options.channel = "demo";
  options.directory = folder.path() / "demo";
  options.window = seconds(15);
  Station station(options);
  SyntheticFeed feed;
  feed.frame_bytes = feed.sync_bytes = 62'500;
  station->feed_live();
  station->start_era(feed.start, feed.tracks());
  const auto cpu = [] {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
  };
  feed.push(*station, 20);
  station.settle();
  const double before = cpu();
  for (int second = 21; second <= 140; ++second) {
    feed.push(*station, second);
    station.settle();
  }
  std::printf("%.2f %% of a core a feed\n", (cpu() - before) / 120 * 100);
  station.close();
}

}  // namespace
}  // namespace kapok::packaging
