#include "server/picture/packaging/machine_memory.hpp"

#include <gtest/gtest.h>

namespace kapok::packaging {
namespace {

constexpr std::uint64_t kGiB = std::uint64_t{1024} * 1024 * 1024;

TEST(MachineMemory, IsReadFromTheKernelsText) {
  const MachineMemory memory = MachineMemory::parse(
      "MemTotal:       24683520 kB\nMemFree:   1 kB\nMemAvailable:    4194304 kB\n"
      "SwapCached:            0 kB\nSwapTotal:       8388608 kB\nSwapFree:  7 kB\n");
  EXPECT_EQ(memory.total, 24683520ULL * 1024);
  EXPECT_EQ(memory.available, 4 * kGiB);
  EXPECT_EQ(memory.swap, 8 * kGiB);
  EXPECT_GT(MachineMemory::now().available, 0u) << "of this machine";
  EXPECT_GE(MachineMemory::now().total, MachineMemory::now().available);
}

TEST(MachineMemory, WhatTheKernelDoesNotTellIsNothing) {
  for (const std::string_view text :
       {"", "MemAvailable:", "MemAvailable: kB", "Mem", "MemTotal:\n"}) {
    EXPECT_EQ(MachineMemory::parse(text).available, 0u) << text;
    EXPECT_GT(MachineMemory::parse(text).left(), 1024 * kGiB) << text;
    EXPECT_FALSE(MachineMemory::parse(text).may_swap()) << text;
  }
}

TEST(MachineMemory, LeavesOthersMoreWhereNothingCanBeSwapped) {
  EXPECT_EQ((MachineMemory{32 * kGiB, 4 * kGiB, 0}).left(), 3 * kGiB);
  EXPECT_EQ((MachineMemory{32 * kGiB, 4 * kGiB, kGiB}).left(), 4 * kGiB - kGiB / 4);
  EXPECT_EQ((MachineMemory{32 * kGiB, kGiB / 8, kGiB}).left(), 0u);
}

TEST(MachineMemory, SwapsWhereMemoryIsShortAndThereIsSwap) {
  EXPECT_TRUE((MachineMemory{32 * kGiB, 3 * kGiB, kGiB}).may_swap());
  EXPECT_FALSE((MachineMemory{32 * kGiB, 5 * kGiB, kGiB}).may_swap());
  EXPECT_FALSE((MachineMemory{32 * kGiB, 3 * kGiB, 0}).may_swap());
}

}  // namespace
}  // namespace kapok::packaging
