#include "server/app/send/ts_messages.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace kapok::send_app {
namespace {

constexpr std::uint64_t kMillisecond = 27'000;

enum class Jump : std::uint8_t { none, flagged };

// A TS packet of PID 256, numbered in its last bytes, with a clock reference if one is given.
Bytes packet(std::uint32_t number, std::optional<std::uint64_t> pcr = {}, Jump jump = Jump::none) {
  Bytes bytes;
  ByteWriter out(bytes);
  out.u8(0x47);
  out.u16(0x0100);
  if (pcr) {
    out.u8(0x30);
    out.u8(7);
    out.u8(jump == Jump::flagged ? 0x90 : 0x10);
    const std::uint64_t base = *pcr / 300;
    out.u32(static_cast<std::uint32_t>(base >> 1));
    out.u16(static_cast<std::uint16_t>((base & 1) << 15 | 0x7E00 | *pcr % 300));
  } else {
    out.u8(0x10);
  }
  bytes.resize(188, std::byte{0xFF});
  out.patch_u32(184, number);
  return bytes;
}

struct Cut {
  explicit Cut(Pace pace) : messages(pace) {}
  void push(ByteSpan bytes) { EXPECT_TRUE(messages.push(bytes, out)); }
  Bytes all() const {
    Bytes joined;
    for (const auto& message : out)
      joined.insert(joined.end(), message.bytes.bytes().begin(), message.bytes.bytes().end());
    return joined;
  }
  TsMessages messages;
  std::vector<TsMessage> out;
};

TEST(TsMessages, CutsSevenPacketsAtATimeHoweverTheyArrive) {
  Bytes stream;
  for (std::uint32_t i = 0; i < 20; ++i) {
    const Bytes one = packet(i);
    stream.insert(stream.end(), one.begin(), one.end());
  }
  for (const std::size_t step : {1U, 187U, 188U, 189U, 1000U, 100'000U}) {
    Cut cut(Pace::arrival);
    for (std::size_t at = 0; at < stream.size(); at += step)
      cut.push(ByteSpan(stream).subspan(at, std::min(step, stream.size() - at)));
    ASSERT_EQ(cut.out.size(), 2U);
    EXPECT_EQ(cut.out[0].bytes.size(), 1316U);
    cut.messages.finish(cut.out);
    EXPECT_EQ(cut.all(), stream);
    EXPECT_EQ(cut.out.back().bytes.size(), 6U * 188);
  }
}

TEST(TsMessages, SpreadsPacketsBetweenTwoClocks) {
  Cut cut(Pace::clock);
  // Seven packets in 10 ms, then fourteen in 10 ms.
  std::uint64_t pcr = 123'456'789;
  for (const int count : {7, 14, 7}) {
    for (int i = 0; i < count; ++i) cut.push(i == 0 ? packet(0, pcr) : packet(0));
    pcr += 10 * kMillisecond;
  }
  cut.messages.finish(cut.out);
  ASSERT_EQ(cut.out.size(), 4U);
  EXPECT_EQ(cut.out[0].due, milliseconds(0));
  EXPECT_EQ(cut.out[1].due, milliseconds(10));
  EXPECT_EQ(cut.out[2].due, milliseconds(15));
  EXPECT_EQ(cut.out[3].due, milliseconds(20));
}

TEST(TsMessages, TheClockMayWrap) {
  Cut cut(Pace::clock);
  const std::uint64_t end = (std::uint64_t{1} << 33) * 300;
  for (const std::uint64_t pcr : {end - 5 * kMillisecond, 5 * kMillisecond, 15 * kMillisecond})
    for (int i = 0; i < 7; ++i) cut.push(i == 0 ? packet(0, pcr) : packet(0));
  cut.messages.finish(cut.out);
  ASSERT_EQ(cut.out.size(), 3U);
  EXPECT_EQ(cut.out[2].due, milliseconds(20));
}

TEST(TsMessages, OverAJumpTheLastRateGoesOn) {
  for (const bool flagged : {false, true}) {
    Cut cut(Pace::clock);
    const std::uint64_t hour = std::uint64_t{3'600'000} * kMillisecond;
    // 10 ms each; then an hour ahead (or a flagged step), then back.
    const std::uint64_t clocks[] = {0, 10 * kMillisecond, flagged ? 500 * kMillisecond : hour,
                                    5 * kMillisecond, 15 * kMillisecond};
    for (std::size_t c = 0; c < 5; ++c)
      for (int i = 0; i < 7; ++i)
        cut.push(i == 0 ? packet(0, clocks[c], flagged && c == 2 ? Jump::flagged : Jump::none)
                        : packet(0));
    cut.messages.finish(cut.out);
    ASSERT_EQ(cut.out.size(), 5U);
    for (std::size_t i = 0; i < 5; ++i)
      EXPECT_NEAR(static_cast<double>(cut.out[i].due.count()), static_cast<double>(i) * 1e7, 10.0);
  }
}

TEST(TsMessages, WhatIsNoMpegTsIsRefused) {
  TsMessages messages(Pace::arrival);
  std::vector<TsMessage> out;
  const Bytes zeros(70'000);
  EXPECT_EQ(messages.push(zeros, out).error().code, Errc::malformed);
}

TEST(TsMessages, GarbageBeforeAPacketIsSkipped) {
  Cut cut(Pace::arrival);
  Bytes stream(100, std::byte{0});
  const Bytes one = packet(1);
  stream.insert(stream.end(), one.begin(), one.end());
  cut.push(stream);
  cut.messages.finish(cut.out);
  EXPECT_EQ(cut.all(), one);
}

TEST(TsMessages, AnInputWithoutAClockCannotBePaced) {
  TsMessages messages(Pace::clock);
  std::vector<TsMessage> out;
  const Bytes one = packet(1);
  Result<void> pushed;
  std::size_t bytes = 0;
  for (; pushed && bytes < 2 * TsMessages::kMaxBetweenClocks; bytes += one.size())
    pushed = messages.push(one, out);
  ASSERT_FALSE(pushed);
  EXPECT_TRUE(pushed.error().message.contains("PCR"));
  EXPECT_LE(bytes, TsMessages::kMaxBetweenClocks + 2 * one.size());
}

}  // namespace
}  // namespace kapok::send_app
