#include "server/picture/containers/mpegts/muxer.hpp"

#include <gtest/gtest.h>

#include "server/media/describe.hpp"
#include "server/picture/containers/mpegts/demuxer.hpp"
#include "server/picture/containers/mpegts/stream_builder_test.hpp"

namespace kapok::mpegts {
namespace {

using media::Codec;

std::shared_ptr<const media::Track> avc() {
  return media::describe_track(
             {.id = 0x100,
              .codec = Codec::avc,
              .timescale = 360'000,  // as from RTMP
              .config = Buffer(hex("014d402affe1001d674d402aeca03c0113f2e02d40404050000003001000"
                                   "000640f183196001000468ce0fc8")),
              .language = ""})
      .value();
}
std::shared_ptr<const media::Track> aac(std::string language) {
  return media::describe_track({.id = 0x200,
                                .codec = Codec::aac,
                                .timescale = 48'000,
                                .config = Buffer(hex("1190")),
                                .language = std::move(language)})
      .value();
}

enum class Kind : std::uint8_t { sync, other };
media::FeedItem picture(std::int64_t ms, Kind kind) {
  media::Packet packet;
  packet.track = 0x100;
  packet.dts = {ms * 360};
  packet.pts = {(ms + 40) * 360};
  packet.sync = kind == Kind::sync;
  packet.payload =
      Buffer(hex(kind == Kind::sync ? "00000006658811223344" : "000000064188aabbccdd"));
  return std::make_shared<const media::Packet>(std::move(packet));
}
media::FeedItem sound(std::int64_t ms) {
  media::Packet packet;
  packet.track = 0x200;
  packet.dts = packet.pts = {ms * 48};
  packet.sync = true;
  packet.payload = Buffer(hex("210049900219"));
  return std::make_shared<const media::Packet>(std::move(packet));
}

std::vector<TsPacket> packets_of(const TsBlock& block) {
  std::vector<TsPacket> packets;
  for (std::size_t at = 0; at < block.bytes.size(); at += kPacketBytes)
    packets.push_back(read_packet(block.bytes.bytes().subspan(at, kPacketBytes)).value());
  return packets;
}

TEST(TsMuxer, CutsBlocksBeforeSyncPacketsAndBeginsThemWithTables) {
  TsMuxer muxer;
  muxer.write(avc());
  for (int i = 0; i < 6; ++i)
    muxer.write(picture(1'000 + 20 * i, i % 3 == 0 ? Kind::sync : Kind::other));
  const auto blocks = muxer.take();
  ASSERT_EQ(blocks.size(), 2u);
  for (const TsBlock& block : blocks) {
    EXPECT_TRUE(block.starts);
    const auto packets = packets_of(block);
    EXPECT_EQ(packets[0].pid, kPatPid);
    EXPECT_EQ(packets[2].pid, 0x100);
    EXPECT_TRUE(packets[2].random_access);
    EXPECT_TRUE(packets[2].pcr);
    // Delimiter and parameter sets stand in front of the picture.
    const std::string payload = to_hex(packets[2].payload);
    EXPECT_NE(payload.find("0000000109f000000001674d402a"), std::string::npos);
    EXPECT_NE(payload.find("0000000168ce0fc800000001658811223344"), std::string::npos);
  }
  muxer.write(picture(1'120, Kind::other));
  EXPECT_FALSE(muxer.take().front().starts);
}

TEST(TsMuxer, TablesAndClockComeOftenEnoughOnSoundAlone) {
  TsMuxer muxer;
  muxer.write(aac("zh"));
  std::optional<std::uint64_t> last_pcr;
  std::optional<std::uint64_t> last_tables;
  int tables = 0;
  for (int i = 0; i < 100; ++i) {
    muxer.write(sound(1'000 + 21 * i));
    for (const TsBlock& block : muxer.take()) {
      for (const TsPacket& packet : packets_of(block)) {
        if (packet.pid == kPatPid) {
          ++tables;
          if (last_tables && last_pcr) EXPECT_LE((*last_pcr - *last_tables) / 27'000, 100u);
          last_tables = last_pcr;
        }
        if (!packet.pcr) continue;
        if (last_pcr) EXPECT_LE((*packet.pcr - *last_pcr) / 27'000, 40u);
        last_pcr = packet.pcr;
      }
    }
  }
  EXPECT_GE(tables, 20);
}

TEST(TsMuxer, ASecondTrackChangesTheMapsVersion) {
  TsMuxer muxer;
  muxer.write(avc());
  muxer.write(picture(1'000, Kind::sync));
  muxer.write(aac("zh"));
  muxer.write(sound(1'010));
  muxer.write(picture(1'020, Kind::other));
  TsDemuxer demuxer;
  std::vector<media::FeedItem> items;
  std::vector<std::uint8_t> versions;
  for (const TsBlock& block : muxer.take()) {
    for (const TsPacket& packet : packets_of(block))
      if (packet.pid == 0x1000 && packet.starts)
        versions.push_back(std::to_integer<std::uint8_t>(packet.payload[6]) >> 1 & 0x1f);
    ASSERT_TRUE(demuxer.push(MonoTime{}, block.bytes.bytes(), items));
  }
  demuxer.finish(items);
  EXPECT_EQ(versions, (std::vector<std::uint8_t>{0, 1}));
  std::vector<std::string> languages;
  for (const auto& item : items)
    if (const auto* track = std::get_if<std::shared_ptr<const media::Track>>(&item))
      languages.push_back((*track)->language);
  EXPECT_EQ(languages, (std::vector<std::string>{"zh", ""}));
}

TEST(TsMuxer, TimesAreModuloTheirWrapAndCountersGoOn) {
  TsMuxer muxer;
  muxer.write(avc());
  constexpr std::int64_t kNow = 1'790'000'000'000;  // ms since 1970: channel time
  for (int i = 0; i < 40; ++i)
    muxer.write(picture(kNow + 20 * i, i == 0 ? Kind::sync : Kind::other));
  muxer.write(media::Discontinuity{});
  muxer.write(avc());
  muxer.write(picture(kNow + 2'000, Kind::sync));
  TsDemuxer demuxer;
  std::vector<media::FeedItem> items;
  for (const TsBlock& block : muxer.take())
    ASSERT_TRUE(demuxer.push(MonoTime{}, block.bytes.bytes(), items));
  demuxer.finish(items);
  EXPECT_EQ(demuxer.stats().continuity_errors, 0u);
  std::vector<std::int64_t> times;
  for (const auto& item : items)
    if (const auto* packet = std::get_if<std::shared_ptr<const media::Packet>>(&item))
      times.push_back((*packet)->dts.count);
  ASSERT_EQ(times.size(), 41u);
  EXPECT_EQ((times[0] - kNow * 90) % (std::int64_t{1} << 33), 0);
  EXPECT_EQ(times[40] - times[0], 2'000 * 90);
}

TEST(TsMuxer, WhatIsNotPackagedLeavesAsItCame) {
  StreamBuilder stream;
  const Bytes descriptors = hex("8102aabb");
  stream.tables({{kAvc, 0x100, {}}, {0xea, 0x102, descriptors}, {kScte35, 0x103, {}}}, 0);
  const Bytes idr = hex(h264::kDelimiter + h264::kSets + h264::kIdr);
  stream.pes(0x100, 0xe0, PesTimes{90'000, 90'000}, idr);
  Bytes payload(5'000, std::byte{0x31});
  stream.pes(0x102, 0xbd, PesTimes{90'000, 90'000}, payload);
  Bytes section = hex("fc30fd");
  section.resize(256, std::byte{0x22});
  stream.section(0x103, section);
  const auto demuxed = [](ByteSpan bytes) {
    TsDemuxer demuxer;
    std::vector<media::FeedItem> items;
    EXPECT_TRUE(demuxer.push(MonoTime{}, bytes, items));
    demuxer.finish(items);
    return items;
  };
  TsMuxer muxer;
  Bytes made;
  const auto before = demuxed(stream.bytes);
  // The map first, as a channel gives it.
  for (const auto& item : before)
    if (std::holds_alternative<std::shared_ptr<const media::Track>>(item)) muxer.write(item);
  for (const auto& item : before)
    if (!std::holds_alternative<std::shared_ptr<const media::Track>>(item)) muxer.write(item);
  for (const TsBlock& block : muxer.take())
    made.insert(made.end(), block.bytes.bytes().begin(), block.bytes.bytes().end());
  int packets = 0;
  for (const auto& item : demuxed(made)) {
    if (const auto* track = std::get_if<std::shared_ptr<const media::Track>>(&item)) {
      if ((*track)->id != 0x102) continue;
      EXPECT_EQ((*track)->ts->stream_type, 0xea);
      EXPECT_TRUE(std::ranges::equal((*track)->ts->descriptors.bytes(), descriptors));
    }
    const auto* packet = std::get_if<std::shared_ptr<const media::Packet>>(&item);
    if (packet == nullptr) continue;
    ++packets;
    if ((*packet)->track == 0x102)
      EXPECT_TRUE(std::ranges::equal((*packet)->payload.bytes(), payload));
    if ((*packet)->track == 0x103)
      EXPECT_TRUE(std::ranges::equal((*packet)->payload.bytes(), section));
  }
  EXPECT_EQ(packets, 3);
}

TEST(TsMuxer, FlacIsLeftOutWithANotice) {
  TsMuxer muxer;
  media::Track flac;
  flac.codec = Codec::flac;
  muxer.write(std::make_shared<const media::Track>(flac));
  EXPECT_EQ(muxer.take_notices().size(), 1u);
  EXPECT_TRUE(muxer.take_notices().empty());
}

}  // namespace
}  // namespace kapok::mpegts
