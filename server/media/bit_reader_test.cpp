#include "server/media/bit_reader.hpp"

#include <gtest/gtest.h>

#include "server/base/crypto.hpp"
#include "server/media/nal.hpp"

namespace kapok::media {
namespace {

TEST(BitReader, ReadsAcrossBytes) {
  const Bytes bytes = from_hex("a5f00f1234567890").value();
  BitReader in(bytes);
  EXPECT_EQ(in.bits(3), 5u);
  EXPECT_EQ(in.bits(9), 0x05fu);
  EXPECT_EQ(in.bits(0), 0u);
  EXPECT_EQ(in.position(), 12u);
  EXPECT_EQ(in.bits(32), 0x00f12345u);
  in.align();
  EXPECT_EQ(in.position(), 48u);
  EXPECT_EQ(in.bits(16), 0x7890u);
  EXPECT_TRUE(in.ok());
  EXPECT_EQ(in.bits_left(), 0u);
}

TEST(BitReader, GivesZeroAndRemembersPastTheEnd) {
  const Bytes bytes = from_hex("ff").value();
  BitReader in(bytes);
  EXPECT_EQ(in.bits(9), 0u);
  EXPECT_FALSE(in.ok());
  EXPECT_EQ(in.bits(1), 0u);  // stays at the end
  BitReader skipper(bytes);
  skipper.skip(SIZE_MAX);
  EXPECT_FALSE(skipper.ok());
}

TEST(BitReader, ReadsExpGolombCodes) {
  // 1 | 010 | 011 | 00100 | 00111 -> 0, 1, 2, 3, 6
  const Bytes bytes = from_hex("a6427000").value();
  BitReader in(bytes);
  for (const std::uint32_t expected : {0u, 1u, 2u, 3u}) EXPECT_EQ(in.ue(10), expected);
  EXPECT_TRUE(in.ok());
  BitReader signs(bytes);  // the same codes, signed: 0, 1, -1, 2
  for (const std::int32_t expected : {0, 1, -1, 2}) EXPECT_EQ(signs.se(-2, 2), expected);
  EXPECT_TRUE(signs.ok());
}

TEST(BitReader, RefusesValuesAboveTheLimit) {
  const Bytes bytes = from_hex("a6427000").value();
  BitReader in(bytes);
  in.skip(4);
  EXPECT_EQ(in.ue(1), 0u);  // stands for 2
  EXPECT_FALSE(in.ok());
}

TEST(BitReader, TakesTheLongestCodeAndNoLonger) {
  // 32 zeros, 1, 32 zeros: 2^32 - 1, the largest there is.
  const Bytes longest = from_hex("000000008000000000").value();
  EXPECT_EQ(BitReader(longest).ue(UINT32_MAX), UINT32_MAX);
  const Bytes too_long = from_hex("00000000400000000000").value();
  BitReader in(too_long);
  EXPECT_EQ(in.ue(UINT32_MAX), 0u);
  EXPECT_FALSE(in.ok());
}

TEST(EmulationPrevention, IsRemovedOnlyBehindTwoZeros) {
  const auto plain = [](std::string_view hex) {
    return to_hex(without_emulation_prevention(from_hex(hex).value()));
  };
  EXPECT_EQ(plain("00000301"), "000001");
  EXPECT_EQ(plain("000003000003"), "00000000");
  EXPECT_EQ(plain("000103"), "000103");
  EXPECT_EQ(plain("0300000303"), "03000003");
  EXPECT_EQ(plain(""), "");
}

TEST(NalWalker, StopsAtALengthThatDoesNotFit) {
  const Bytes bytes = from_hex(
                          "0002aabb"
                          "0000"
                          "0001cc"
                          "0009dd")
                          .value();
  NalWalker nals(bytes, 2);
  EXPECT_EQ(to_hex(nals.next().value()), "aabb");
  EXPECT_EQ(to_hex(nals.next().value()), "cc");  // empty units are skipped
  EXPECT_FALSE(nals.next().has_value());
  EXPECT_FALSE(nals.clean());
}

TEST(FrameRate, IsUnknownRatherThanAbsurd) {
  EXPECT_EQ(frame_rate_of(60000, 1200), (Rational{50, 1}));
  EXPECT_EQ(frame_rate_of(0, 1), Rational{});
  EXPECT_EQ(frame_rate_of(1, 0), Rational{});
  EXPECT_EQ(frame_rate_of(90000, 1), Rational{});
}

}  // namespace
}  // namespace kapok::media
