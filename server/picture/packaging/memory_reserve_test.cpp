#include "server/picture/packaging/memory_reserve.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/magic.h>
#include <sys/statfs.h>

#include <fstream>

#include "server/picture/packaging/packaging_fixture_test.hpp"
#include "server/picture/packaging/spool.hpp"

namespace kapok::packaging {
namespace {

constexpr std::uint64_t kMiB = 1024 * 1024;

// On a real tmpfs, with a thread that runs when the machine has time for it.
class MemoryReserveTest : public ::testing::Test {
 protected:
  void SetUp() override {
    struct statfs status{};
    if (::statfs("/dev/shm", &status) != 0 || status.f_type != TMPFS_MAGIC)
      GTEST_SKIP() << "/dev/shm is no tmpfs here";
  }
  std::shared_ptr<MemoryReserve> filled(std::uint64_t bytes) {
    auto reserve = MemoryReserve::fill(folder_.path(), bytes, Log{}, metrics_);
    EXPECT_TRUE(reserve) << reserve.error().message;
    if (!reserve) return nullptr;
    while ((*reserve)->is_filling()) std::this_thread::sleep_for(milliseconds(1));
    return *reserve;
  }
  static std::uint64_t mebibytes(const MemoryReserve& reserve) { return reserve.held() / kMiB; }

  TemporaryFolder folder_{"/dev/shm"};
  NullMetrics metrics_;
};

TEST_F(MemoryReserveTest, WhatIsGivenUpIsNoLongerHeld) {
  const auto reserve = filled(160 * kMiB);
  EXPECT_EQ(mebibytes(*reserve), 160u);
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path())) << "its files have no names";
  reserve->give_up(3 * kMiB);
  EXPECT_EQ(mebibytes(*reserve), 156u) << "in steps of a large page, never less than was asked for";
  for (int i = 0; i < 10; ++i) reserve->give_up(kMiB / 2);
  EXPECT_LE(mebibytes(*reserve), 152u);
  EXPECT_GE(mebibytes(*reserve), 150u);
  reserve->give_up(100 * kMiB);  // more than one piece
  EXPECT_LE(mebibytes(*reserve), 52u);
  reserve->give_up(std::uint64_t{1} << 40U);
  EXPECT_EQ(mebibytes(*reserve), 0u);
  reserve->give_up(kMiB * 4);
  EXPECT_EQ(mebibytes(*reserve), 0u);
}

TEST_F(MemoryReserveTest, TheFilesystemSeesWhatItGaveUp) {
  const auto blocks_of_process = [] {
    std::uint64_t blocks = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
      struct stat status{};
      if (::stat(entry.path().c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
          status.st_nlink == 0)
        blocks += static_cast<std::uint64_t>(status.st_blocks) * 512;
    }
    return blocks / kMiB;
  };
  const auto reserve = filled(20 * kMiB);
  EXPECT_EQ(blocks_of_process(), 20u) << "pages are there, not only a length";
  reserve->give_up(8 * kMiB);
  EXPECT_EQ(blocks_of_process(), 12u);
}

TEST_F(MemoryReserveTest, AWindowThatIsThereAlreadyCounts) {
  std::filesystem::create_directories(folder_.path() / "demo" / "source");
  std::ofstream(folder_.path() / "demo" / "source" / "1.m4s") << std::string(6 * kMiB, 'x');
  EXPECT_EQ(mebibytes(*filled(16 * kMiB)), 10u);
  EXPECT_EQ(mebibytes(*filled(4 * kMiB)), 0u);
}

TEST_F(MemoryReserveTest, AFullTmpfsGetsAllOfIt) {
  const auto reserve = filled(16 * kMiB);
  reserve->give_up_all();
  EXPECT_EQ(reserve->held(), 0u);
}

TEST_F(MemoryReserveTest, StopsWhereMemoryEnds) {
  std::uint64_t left = 300 * kMiB;
  auto reserve = MemoryReserve::fill(folder_.path(), 512 * kMiB, Log{}, metrics_, [&left] {
    const std::uint64_t now = left;
    left -= std::min(left, 128 * kMiB);  // a piece
    return now;
  });
  ASSERT_TRUE(reserve);
  while ((*reserve)->is_filling()) std::this_thread::sleep_for(milliseconds(1));
  EXPECT_EQ(mebibytes(**reserve), 256u) << "two pieces";
  (*reserve)->give_up(100 * kMiB);
  EXPECT_EQ(mebibytes(**reserve), 156u) << "what it does not hold is not owed";
}

TEST_F(MemoryReserveTest, ItIsGivenUpAndStoppedWhileItFills) {
  auto reserve = MemoryReserve::fill(folder_.path(), 512 * kMiB, Log{}, metrics_);
  ASSERT_TRUE(reserve);
  (*reserve)->give_up(400 * kMiB);
  while ((*reserve)->is_filling()) std::this_thread::sleep_for(milliseconds(1));
  EXPECT_LE(mebibytes(**reserve), 112u) << "what was given up is not made ready any more";
  auto stopped = MemoryReserve::fill(folder_.path(), 512 * kMiB, Log{}, metrics_);
  ASSERT_TRUE(stopped);
  stopped->reset();
}

TEST_F(MemoryReserveTest, NewFilesOfASpoolAreMadeOfIt) {
  const auto reserve = filled(32 * kMiB);
  Spool spool(folder_.path(), reserve);
  ASSERT_TRUE(spool.open());
  const auto room = spool.available_bytes();
  ASSERT_TRUE(room);
  Era era;
  era.id = 1;
  era.segment_duration = seconds(2);
  era.window = seconds(60);
  spool.record(era);
  IndexedRendition rendition;
  rendition.era = 1;
  rendition.info.id = "source";
  rendition.info.timescale = 1000;
  rendition.init = "init-0123456789abcdef.mp4";
  spool.record(rendition);
  ASSERT_TRUE(spool.write_init("source", rendition.init, Buffer::copy_of(as_bytes("moov"))));
  const auto segment = [&](std::uint64_t number) {
    const Ticks start{static_cast<std::int64_t>(2000 * number)};
    const IndexedSegment opening{"source", number, 1, false, start, number, rendition.init};
    cmaf::Chunk chunk;
    chunk.head = Bytes(16);
    chunk.samples.push_back(Buffer(Bytes(6 * kMiB)));
    chunk.size = 16 + 6 * kMiB;
    Part part;
    part.number = number;
    part.start = start;
    part.duration = Ticks{2000};
    EXPECT_TRUE(spool.write_part(opening, {"source", number, part}, chunk));
    spool.close_segment(opening, Ticks{2000});
  };
  segment(1);
  EXPECT_EQ(mebibytes(*reserve), 24u);
  spool.record(IndexedExpiry{"source", 2});
  spool.unlink_before("source", 2);
  segment(2);
  EXPECT_EQ(mebibytes(*reserve), 24u) << "written over a file that was";
}

TEST(MemoryReserveOnADisk, IsRefusedWithARemedy) {
  const TemporaryFolder folder("/var/tmp");
  struct statfs status{};
  if (::statfs(folder.path().c_str(), &status) != 0 || status.f_type == TMPFS_MAGIC)
    GTEST_SKIP() << "/var/tmp is a tmpfs here";
  NullMetrics metrics;
  const auto reserve = MemoryReserve::fill(folder.path(), kMiB, Log{}, metrics);
  ASSERT_FALSE(reserve);
  EXPECT_EQ(reserve.error().code, Errc::config);
  EXPECT_THAT(reserve.error().message, testing::HasSubstr("spool.dir"));
}

}  // namespace
}  // namespace kapok::packaging
