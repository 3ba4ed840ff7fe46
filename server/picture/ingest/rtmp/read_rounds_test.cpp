#include "server/picture/ingest/rtmp/read_rounds.hpp"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <vector>

namespace kapok::ingest {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

Task<> wait(ReadRounds& rounds, int times, std::vector<SteadyTime>& woken) {
  for (int i = 0; i < times; ++i) {
    co_await rounds.next();
    woken.push_back(std::chrono::steady_clock::now());
  }
}

TEST(ReadRounds, OnePulseWakesAllWhoWait) {
  boost::asio::io_context shard;
  ReadRounds rounds(shard.get_executor());
  TaskGroup tasks(shard.get_executor());
  std::vector<SteadyTime> first;
  std::vector<SteadyTime> second;
  tasks.spawn(wait(rounds, 1, first));
  tasks.spawn(wait(rounds, 1, second));
  while (first.empty() && second.empty()) shard.run_one();
  // The other's wake-up is ready: nobody needs to wait for it.
  shard.poll();
  EXPECT_EQ(first.size(), 1U);
  EXPECT_EQ(second.size(), 1U);
}

TEST(ReadRounds, PulsesAreApart) {
  boost::asio::io_context shard;
  ReadRounds rounds(shard.get_executor());
  TaskGroup tasks(shard.get_executor());
  std::vector<SteadyTime> woken;
  const auto began = std::chrono::steady_clock::now();
  tasks.spawn(wait(rounds, 4, woken));
  shard.run();
  ASSERT_EQ(woken.size(), 4U);
  // The first may come at once.
  EXPECT_GE(woken.back() - began, 3 * ReadRounds::kPulse);
}

}  // namespace
}  // namespace kapok::ingest
