#include "server/picture/packaging/packager.hpp"

#include <gtest/gtest.h>

#include <future>

#include "server/picture/packaging/packaging_fixture_test.hpp"

namespace kapok::packaging {
namespace {

TEST(Packager, PublishesAPlaylistFromPackets) {
  TemporaryFolder folder;
  Station station({.channel = "demo", .directory = folder.path() / "demo"});
  ASSERT_TRUE(station.opened);
  SyntheticFeed feed;
  station->feed_live();
  station->start_era(feed.start, feed.tracks());
  feed.push(*station, 5.5);
  station.settle();
  const std::string playlist = station.playlist("source");
  EXPECT_NE(playlist.find("#EXTINF:2.00000,\n895000001.m4s\n"), std::string::npos) << playlist;
  EXPECT_TRUE(station.window().multivariant());
  EXPECT_TRUE(station.window().manifest());
  station.close();
}

}  // namespace
}  // namespace kapok::packaging
