#include "server/hours/ledger/tile.hpp"

#include <gtest/gtest.h>

namespace kapok::ledger {
namespace {

TEST(TilePath, ReadsAndWritesTheFormsOfTheSpecification) {
  const std::vector<std::pair<std::string, TilePath>> cases{
      {"0/000", {TileKind::hashes, 0, 0, 256}},
      {"0/x001/x234/067", {TileKind::hashes, 0, 1234067, 256}},
      {"1/x001/234.p/17", {TileKind::hashes, 1, 1234, 17}},
      {"entries/x123/456.p/255", {TileKind::entries, 0, 123456, 255}},
      {"5/999", {TileKind::hashes, 5, 999, 256}}};
  for (const auto& [text, path] : cases) {
    ASSERT_TRUE(parse_tile_path(text)) << text;
    EXPECT_EQ(parse_tile_path(text).value(), path) << text;
    EXPECT_EQ(to_string(path), text);
  }
}

TEST(TilePath, RefusesEverythingElse) {
  for (const char* text : {"",
                           "0",
                           "0/",
                           "0/1",
                           "0/0000",
                           "0/00x",
                           "00/000",
                           "6/000",
                           "9/000",
                           "-1/000",
                           "0/000.p/0",
                           "0/000.p/256",
                           "0/000.p/01",
                           "0/000.p/",
                           "0/000.p/1x",
                           "0/x000/001",
                           "0/x001",
                           "0/x001/",
                           "0/001/002",
                           "0/x001/x002",
                           "../etc",
                           "entries",
                           "entries/",
                           "entries/..",
                           "0/000/",
                           "0/000.p/1/2",
                           "data/000",
                           "0/x1/000",
                           "0/x001/x002/x003/x004/x005/006",
                           "0/000 "})
    EXPECT_FALSE(parse_tile_path(text)) << text;
}

TEST(TilePath, WidthFollowsTheSizeOfTheLog) {
  const std::uint64_t size = 256 * 256 + 256 * 3 + 5;
  EXPECT_EQ(tile_width_at({TileKind::entries, 0, 259, 256}, size), 5U);
  EXPECT_EQ(tile_width_at({TileKind::hashes, 0, 258, 256}, size), 256U);
  EXPECT_EQ(tile_width_at({TileKind::hashes, 1, 0, 256}, size), 256U);
  EXPECT_EQ(tile_width_at({TileKind::hashes, 1, 1, 256}, size), 3U);
  EXPECT_EQ(tile_width_at({TileKind::hashes, 2, 0, 256}, size), 1U);
  EXPECT_EQ(tile_width_at({TileKind::hashes, 3, 0, 256}, size), 0U);
  EXPECT_EQ(tile_width_at({TileKind::entries, 0, 260, 256}, size), 0U);
}

}  // namespace
}  // namespace kapok::ledger
