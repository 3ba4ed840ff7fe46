#include "server/picture/channel/core_shares.hpp"

#include <gtest/gtest.h>

#include <optional>

namespace kapok::channel {
namespace {

std::shared_ptr<CoreShares> shares_of(const std::vector<unsigned>& cores, std::size_t each) {
  return std::make_shared<CoreShares>(cores, each);
}

TEST(CoreShares, EachProcessGetsTheCoresThatTheFewestOthersUse) {
  const auto shares = shares_of({0, 1, 2, 3, 8}, 2);
  const CoreShares::Share first = shares->take();
  const CoreShares::Share second = shares->take();
  const CoreShares::Share third = shares->take();
  EXPECT_EQ(first.list(), "0,1");
  EXPECT_EQ(second.list(), "2,3");
  EXPECT_EQ(third.list(), "0,8");
}

TEST(CoreShares, WhatEndedIsFreeForTheNext) {
  const auto shares = shares_of({4, 5, 6}, 1);
  const CoreShares::Share first = shares->take();
  std::optional<CoreShares::Share> second(shares->take());
  const CoreShares::Share third = shares->take();
  EXPECT_EQ(second->list(), "5");
  second.reset();
  EXPECT_EQ(shares->take().list(), "5");
}

TEST(CoreShares, WithoutABoundAllCoresAreEverybodys) {
  EXPECT_EQ(shares_of({0, 1}, 0)->take().list(), "");
  EXPECT_EQ(shares_of({0, 1}, 2)->take().list(), "");
  EXPECT_EQ(shares_of({}, 3)->take().list(), "");
}

TEST(CoreShares, TheKernelSaysWhichThereAre) {
  EXPECT_FALSE(usable_cores().empty());
}

}  // namespace
}  // namespace kapok::channel
