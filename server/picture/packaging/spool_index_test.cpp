#include "server/picture/packaging/spool_index.hpp"

#include <gtest/gtest.h>

#include <random>

namespace kapok::packaging {
namespace {

// Two eras, two renditions, a gap and an open segment.
std::vector<IndexRecord> sample_records() {
  std::vector<IndexRecord> out;
  const auto era = [&](std::uint32_t id, std::uint64_t base) {
    out.emplace_back(Era{.id = id,
                         .start_utc = UtcTime(seconds(1000 + 100 * id)),
                         .base = base,
                         .segment_duration = seconds(2),
                         .discontinuity_sequence = id,
                         .window = seconds(60)});
    for (const char* name : {"source", "audio-zh"}) {
      IndexedRendition rendition;
      rendition.era = id;
      rendition.info.id = name;
      rendition.info.language = "zh";
      rendition.info.timescale = 90000;
      rendition.info.part_target = milliseconds(200);
      rendition.info.target_duration_s = 2;
      rendition.info.bandwidth = 25'000'000;
      rendition.info.rung = rendition.info.id != "source";
      rendition.init = "init-0123456789abcdef.mp4";
      rendition.frame_rate = {50, 1};
      out.emplace_back(rendition);
    }
  };
  std::uint64_t part = 0;
  const auto segment = [&](const char* name, std::uint32_t id, std::uint64_t number, bool closed) {
    const Ticks start{90000 * 2 * static_cast<std::int64_t>(number)};
    out.emplace_back(
        IndexedSegment{name, number, id, number == 13, start, part, "init-0123456789abcdef.mp4"});
    std::uint64_t offset = 0;
    for (int i = 0; i < 10; ++i) {
      out.emplace_back(IndexedPart{
          name, number, Part{part++, offset, 1000, start + Ticks{18000 * i}, {18000}, i == 0}});
      offset += 1000;
    }
    if (closed)
      out.emplace_back(
          IndexedClose{name, number, false, start, {180000}, offset, sha256(as_bytes(name))});
  };
  out.emplace_back(IndexedTiming{"source", {{50, 1}, seconds(1), false, true}, "hevc", 3840, 2160});
  era(0, 10);
  for (std::uint64_t n = 10; n < 13; ++n) segment("source", 0, n, true);
  out.emplace_back(IndexedExpiry{"source", 11});
  era(1, 13);
  segment("source", 1, 13, true);
  const Ticks gap_start{90000 * 28};
  out.emplace_back(
      IndexedSegment{"source", 14, 1, false, gap_start, part, "init-0123456789abcdef.mp4"});
  out.emplace_back(IndexedClose{"source", 14, true, gap_start, {180000}, 0, {}});
  segment("source", 1, 15, false);
  return out;
}

Bytes encoded(const std::vector<IndexRecord>& records) {
  Bytes out;
  append_header(out);
  for (const IndexRecord& record : records) append_record(out, record);
  return out;
}

TEST(SpoolIndex, ReadsBackWhatWasWritten) {
  const Bytes bytes = encoded(sample_records());
  const auto scan = scan_index(bytes);
  ASSERT_TRUE(scan);
  EXPECT_EQ(scan->stopped_by, "");
  EXPECT_EQ(scan->used, bytes.size());
  EXPECT_EQ(scan->records, sample_records().size());
  const auto& source = scan->index.renditions().at("source");
  EXPECT_EQ(source.segments.size(), 6U);
  EXPECT_FALSE(source.segments.back().complete);
  EXPECT_EQ(source.segments.back().parts.size(), 10U);
  EXPECT_TRUE(source.segments[4].closed.gap);
  EXPECT_EQ(source.next_part, 50U);
  EXPECT_EQ(scan->index.timing()->timing.gop, seconds(1));
  EXPECT_FALSE(source.appearances.back().info.rung);
  EXPECT_TRUE(scan->index.renditions().at("audio-zh").appearances.back().info.rung);
  EXPECT_TRUE(source.appearances.back().info.independent_segments);
}

TEST(SpoolIndex, CompactedTellsTheSame) {
  const auto scan = scan_index(encoded(sample_records()));
  const Bytes compact = scan->index.encode();
  const auto again = scan_index(compact);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->stopped_by, "");
  EXPECT_EQ(again->index.encode(), compact);
  EXPECT_EQ(again->index.renditions().at("source").next_part, 50U);
}

// Which sound is the main one is the feed's order, and no name's.
TEST(SpoolIndex, KeepsTheOrderInWhichRenditionsCame) {
  const auto sample = sample_records();
  std::vector<IndexRecord> records(sample.begin(), sample.begin() + 2);  // with its first era
  auto rendition = std::get<IndexedRendition>(sample[2]);
  for (const char* id : {"source", "audio-zh", "audio-en", "audio-yue"}) {
    rendition.info.id = id;
    records.emplace_back(rendition);
  }
  const auto names = [](const SpoolIndex& index) {
    std::vector<std::string> out;
    for (const auto& [id, of] : index.in_order()) out.emplace_back(id);
    return out;
  };
  const std::vector<std::string> wanted{"source", "audio-zh", "audio-en", "audio-yue"};
  const auto scan = scan_index(encoded(records));
  EXPECT_EQ(names(scan->index), wanted);
  EXPECT_EQ(names(scan_index(scan->index.encode())->index), wanted) << "compacted too";
}

TEST(SpoolIndex, SurvivesBeingCutAtEveryByte) {
  const Bytes bytes = encoded(sample_records());
  std::size_t before = 0;
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto scan = scan_index(ByteSpan(bytes).first(size));
    ASSERT_TRUE(scan) << size << ": " << scan.error().message;
    ASSERT_LE(scan->used, size);
    ASSERT_GE(scan->records, before);
    before = scan->records;
    // What was read is usable as it is.
    const auto again = scan_index(scan->index.encode());
    ASSERT_TRUE(again);
    ASSERT_EQ(again->stopped_by, "") << size;
  }
  EXPECT_EQ(before, sample_records().size() - 1);
}

TEST(SpoolIndex, StopsAtAFlippedBit) {
  const Bytes bytes = encoded(sample_records());
  const auto whole = scan_index(bytes);
  for (std::size_t at = 16; at < bytes.size(); ++at) {
    Bytes damaged = bytes;
    damaged[at] ^= std::byte{0x10};
    const auto scan = scan_index(damaged);
    ASSERT_TRUE(scan);
    ASSERT_NE(scan->stopped_by, "") << at;
    ASSERT_LE(scan->used, at) << "a record with a flipped bit was believed";
  }
}

TEST(SpoolIndex, RefusesAnotherVersionWithTheRemedy) {
  Bytes bytes;
  append_header(bytes);
  ByteWriter(bytes).patch_u32(8, 2);
  // A newer writer's header has a checksum of its own.
  const auto scan_damaged = scan_index(bytes);
  ASSERT_FALSE(scan_damaged);
  EXPECT_EQ(scan_damaged.error().code, Errc::config);
  EXPECT_NE(scan_damaged.error().message.find("move"), std::string::npos);
}

TEST(SpoolIndex, NumbersNeverGoBackEvenIfEverythingWasUnlinked) {
  std::vector<IndexRecord> records = sample_records();
  records.emplace_back(IndexedClose{"source", 15, false, {90000 * 30}, {180000}, 10000, {}});
  records.emplace_back(IndexedUnlink{"source", 100});
  const auto scan = scan_index(scan_index(encoded(records))->index.encode());
  const auto& source = scan->index.renditions().at("source");
  ASSERT_EQ(source.segments.size(), 1U);
  EXPECT_EQ(source.segments.back().opened.number, 15U);
  EXPECT_EQ(source.next_part, 50U);
  EXPECT_EQ(scan->index.eras().size(), 1U);
}

TEST(SpoolIndex, RefusesNamesThatWouldLeaveTheFolder) {
  std::vector<IndexRecord> records = sample_records();
  std::get<IndexedSegment>(records[4]).init = "init-../../etc/passwd.mp4";
  const auto scan = scan_index(encoded(records));
  ASSERT_TRUE(scan);
  EXPECT_NE(scan->stopped_by.find("init"), std::string::npos);
  EXPECT_EQ(scan->records, 4U);
}

}  // namespace
}  // namespace kapok::packaging
