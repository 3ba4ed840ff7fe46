#include "server/picture/channel/core_shares.hpp"

#include <gtest/gtest.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/read.hpp>
#include <optional>
#include <string>
#include <vector>

#include "server/picture/channel/child_process.hpp"

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

std::string words_of(boost::asio::io_context& shard, const ChildProgram& program) {
  ChildProcess child = ChildProcess::spawn(shard.get_executor(), program).value();
  std::string words;
  boost::system::error_code end;
  boost::asio::read(child.socket(), boost::asio::dynamic_buffer(words), end);
  return words;
}

TEST(CoreShares, AProgramIsToldItsOwnAndGivesThemBackAtItsEnd) {
  boost::asio::io_context shard;
  ChildProgram program{"/bin/sh", {"-c", "echo \"$@\" >&3", "sh", "--worker"}};
  EXPECT_EQ(words_of(shard, program), "--worker\n");
  program.cores = shares_of({0, 1}, 0);
  EXPECT_EQ(words_of(shard, program), "--worker\n");
  program.cores = shares_of({4, 7, 9}, 2);
  EXPECT_EQ(words_of(shard, program), "--worker --cores 4,7\n");
  EXPECT_EQ(words_of(shard, program), "--worker --cores 4,7\n");
  const CoreShares::Share other = program.cores->take();
  EXPECT_EQ(words_of(shard, program), "--worker --cores 4,9\n");
}

TEST(CoreShares, TheKernelSaysWhichThereAre) {
  EXPECT_FALSE(usable_cores().empty());
}

}  // namespace
}  // namespace kapok::channel
