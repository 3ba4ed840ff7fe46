#include "server/base/block_pool.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <deque>
#include <thread>
#include <vector>

namespace kapok {
namespace {

constexpr std::size_t kMiB = std::size_t{1024} * 1024;

TEST(BlockPool, ABlockHoldsWhatWasAskedForAndNoMoreThanAQuarterBeside) {
  BlockPool pool;
  for (std::size_t bytes = 1; bytes <= 2 * kMiB; bytes += bytes < 20'000 ? 1 : 997) {
    const std::span<std::byte> block = pool.take(bytes);
    ASSERT_GE(block.size(), bytes);
    ASSERT_LE(block.size(), bytes + bytes / 4) << bytes;
    block.front() = block.back() = std::byte{1};  // is there, says ASan
    pool.give(block);
  }
  for (const std::size_t bytes : {BlockPool::kSmallest, BlockPool::kLargest}) {
    const std::span<std::byte> block = pool.take(bytes);
    EXPECT_EQ(block.size(), bytes);
    pool.give(block);
  }
}

TEST(BlockPool, WhatCameBackLastIsTakenFirst) {
  BlockPool pool;
  const auto first = pool.take(100'000);
  const auto second = pool.take(100'000);
  const void* newest = second.data();
  pool.give(first);
  pool.give(second);
  const auto again = pool.take(99'000);
  EXPECT_EQ(again.data(), newest);
  pool.give(again);
}

TEST(BlockPool, WhatIsSpareIsBoundedByWhatIsInUse) {
  BlockPool pool;
  std::deque<std::span<std::byte>> blocks;
  for (int i = 0; i < 100; ++i) blocks.push_back(pool.take(i % 3 == 0 ? kMiB : 600'000));
  while (!blocks.empty()) {
    pool.give(blocks.front());
    blocks.pop_front();
    const BlockPool::Use now = pool.use();
    ASSERT_LE(now.spare, now.taken + BlockPool::kSpareBytes);
  }
  EXPECT_EQ(pool.use().taken, 0U);
  EXPECT_GT(pool.use().spare, 0U);
}

TEST(BlockPool, ThreadsTakeAndGiveAtOnce) {
  BlockPool pool;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread)
    threads.emplace_back([&pool, thread] {
      std::deque<std::span<std::byte>> blocks;
      for (int i = 0; i < 2000; ++i) {
        const auto block = pool.take(5'000 + static_cast<std::size_t>(i) * 37 % 60'000);
        std::memset(block.data(), thread, block.size());
        blocks.push_back(block);
        if (blocks.size() < 16) continue;
        ASSERT_EQ(blocks.front().back(), static_cast<std::byte>(thread));
        pool.give(blocks.front());
        blocks.pop_front();
      }
      for (const auto& block : blocks) pool.give(block);
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(pool.use().taken, 0U);
}

}  // namespace
}  // namespace kapok
