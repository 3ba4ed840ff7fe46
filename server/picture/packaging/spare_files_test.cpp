#include "server/picture/packaging/spare_files.hpp"

#include <gtest/gtest.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include <fstream>

#include "server/picture/packaging/packaging_fixture_test.hpp"
#include "server/picture/packaging/spool.hpp"

namespace kapok::packaging {
namespace {

constexpr const char* kInMemory = "/dev/shm";

ino_t inode_of(const std::filesystem::path& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 ? status.st_ino : 0;
}

std::string text_of(ByteSpan bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// A spool with one rendition, whose segments are one part each.
class SpareFilesTest : public ::testing::Test {
 protected:
  explicit SpareFilesTest(const char* below = kInMemory) : folder_(below) { restart(); }

  SpoolRecovery restart() {
    spool_.reset();
    spool_.emplace(folder_.path());
    auto recovery = spool_->open();
    EXPECT_TRUE(recovery) << recovery.error().message;
    if (next_ == 1) {
      Era era;
      era.id = 1;
      era.segment_duration = seconds(2);
      era.window = seconds(60);
      spool_->record(era);
      IndexedRendition rendition;
      rendition.era = 1;
      rendition.info.id = "source";
      rendition.info.timescale = 1000;
      rendition.init = "init-0123456789abcdef.mp4";
      spool_->record(rendition);
      EXPECT_TRUE(spool_->write_init("source", rendition.init, Buffer::copy_of(as_bytes("moov"))));
    }
    return *recovery;
  }

  std::filesystem::path path_of(std::uint64_t number) const {
    return folder_.path() / "source" / (std::to_string(number) + ".m4s");
  }

  // Its number. The file as viewers of the newest part have it, and as those of the segment.
  struct Made {
    std::uint64_t number = 0;
    std::shared_ptr<const SpoolFile> growing;
    std::shared_ptr<const SpoolFile> closed;
  };
  Made segment(const std::string& text) {
    Made made;
    made.number = next_++;
    const IndexedSegment opening{"source",
                                 made.number,
                                 1,
                                 false,
                                 start_of(made.number),
                                 made.number,
                                 "init-0123456789abcdef.mp4"};
    cmaf::Chunk chunk;
    chunk.head = bytes_of("head ");
    chunk.samples.push_back(Buffer::copy_of(as_bytes(text)));
    chunk.size = chunk.head.size() + text.size();
    Part part;
    part.number = made.number;
    part.start = opening.start;
    part.duration = Ticks{2000};
    part.independent = true;
    const auto written = spool_->write_part(opening, {"source", made.number, part}, chunk);
    EXPECT_TRUE(written) << written.error().message;
    if (!written) return made;
    made.growing = written->file;
    const SegmentDone done = spool_->close_segment(opening, Ticks{2000});
    EXPECT_FALSE(done.gap);
    EXPECT_EQ(done.sha256, sha256(as_bytes("head " + text)));
    made.closed = done.file;
    return made;
  }

  void leave(std::uint64_t number) {
    spool_->record(IndexedExpiry{"source", number + 1});
    spool_->unlink_before("source", number + 1);
  }

  static Ticks start_of(std::uint64_t number) {
    return Ticks{static_cast<std::int64_t>(2000 * number)};
  }
  static Bytes bytes_of(std::string_view text) {
    const ByteSpan bytes = as_bytes(text);
    return {bytes.begin(), bytes.end()};
  }
  std::string read(std::uint64_t number) const {
    const auto bytes = read_file(path_of(number), 1 << 20);
    return bytes ? text_of(*bytes) : "";
  }

  TemporaryFolder folder_;
  std::optional<Spool> spool_;
  std::uint64_t next_ = 1;
};

TEST_F(SpareFilesTest, AFileThatNobodyReadsIsWrittenOver) {
  const auto first = segment("a long first segment").number;
  const ino_t inode = inode_of(path_of(first));
  leave(first);
  const auto second = segment("short").number;
  EXPECT_EQ(inode_of(path_of(second)), inode);
  EXPECT_EQ(inode_of(path_of(first)), 0u) << "the old name is gone";
  EXPECT_EQ(read(second), "head short") << "nothing of the old segment behind its end";
  leave(second);
  const auto third = segment("a third, which is the longest of them all").number;
  EXPECT_EQ(inode_of(path_of(third)), inode);
  EXPECT_EQ(read(third), "head a third, which is the longest of them all");
}

TEST_F(SpareFilesTest, WhatAViewerStillReadsStaysAsItIs) {
  for (const bool while_growing : {true, false}) {
    Made made = segment("watched");
    auto held = while_growing ? std::move(made.growing) : std::move(made.closed);
    made = {.number = made.number, .growing = nullptr, .closed = nullptr};
    const auto mapping = held->mapped(0, 12);
    ASSERT_TRUE(mapping);
    const ino_t inode = inode_of(path_of(made.number));
    leave(made.number);
    const auto next = segment("another").number;
    EXPECT_NE(inode_of(path_of(next)), inode);
    EXPECT_EQ(text_of(*mapping), "head watched");
    held.reset();
    leave(next);
    const auto after = segment("a later").number;
    EXPECT_EQ(inode_of(path_of(after)), inode) << "its turn comes when the viewer is gone";
    EXPECT_EQ(read(after), "head a later");
    leave(after);
    spool_->unlink_before("source", next_);
  }
}

TEST_F(SpareFilesTest, AtMostTwoWait) {
  std::vector<std::uint64_t> numbers;
  for (int i = 0; i < 5; ++i) numbers.push_back(segment("one of five").number);
  leave(numbers.back());
  const auto there = std::ranges::count_if(
      numbers, [&](std::uint64_t number) { return inode_of(path_of(number)) != 0; });
  EXPECT_EQ(there, 2);
}

TEST_F(SpareFilesTest, ARestartRemovesThem) {
  const auto first = segment("first").number;
  const auto second = segment("second").number;
  leave(first);
  Spool fresh(folder_.path());  // as after kill -9: nothing was tidied up
  const auto recovery = fresh.open();
  ASSERT_TRUE(recovery);
  EXPECT_EQ(recovery->orphans, 1u);
  EXPECT_EQ(recovery->segments, 1u);
  EXPECT_EQ(inode_of(path_of(first)), 0u);
  EXPECT_EQ(read(second), "head second");
}

TEST_F(SpareFilesTest, GoesOnAfterARestartWithWhatIsInTheWindow) {
  const auto first = segment("first").number;
  restart();
  auto held = spool_->file_of("source", first);
  ASSERT_TRUE(held->mapped(0, 10));
  const ino_t inode = inode_of(path_of(first));
  leave(first);
  EXPECT_NE(inode_of(path_of(segment("second").number)), inode) << "still read";
  held.reset();
  EXPECT_EQ(inode_of(path_of(segment("third").number)), inode);
}

TEST(SpareFilesOfAMachineThatSwaps, AreRemoved) {
  const TemporaryFolder folder(kInMemory);
  const auto path = [&](int number) { return folder.path() / std::to_string(number); };
  const auto make = [&](int number) { std::ofstream(path(number)) << "a segment"; };
  bool may_swap = false;
  SpareFiles spares([&] { return may_swap; });
  spares.enable();
  make(1);
  spares.put("source", 1, path(1));
  EXPECT_TRUE(spares.take("source", path(10))) << "memory suffices";
  make(2);
  spares.put("source", 2, path(2));
  may_swap = true;
  EXPECT_FALSE(spares.take("source", path(11)));
  EXPECT_EQ(inode_of(path(2)), 0u) << "not kept for later either";
  make(3);
  spares.put("source", 3, path(3));
  EXPECT_EQ(inode_of(path(3)), 0u);
  may_swap = false;
  make(4);
  spares.put("source", 4, path(4));
  EXPECT_TRUE(spares.take("source", path(12)));
}

class SpareFilesOnDisk : public SpareFilesTest {
 protected:
  SpareFilesOnDisk() : SpareFilesTest("/var/tmp") {}
};

TEST_F(SpareFilesOnDisk, ADiskHasNone) {
  struct statfs status{};
  ASSERT_EQ(::statfs(folder_.path().c_str(), &status), 0);
  if (status.f_type == TMPFS_MAGIC) GTEST_SKIP() << "/var/tmp is a tmpfs here";
  const auto first = segment("first").number;
  leave(first);
  EXPECT_EQ(inode_of(path_of(first)), 0u) << "removed at once";
}

}  // namespace
}  // namespace kapok::packaging
