#include "server/hours/ledger/leaf.hpp"

#include <gtest/gtest.h>

namespace kapok::ledger {
namespace {

Leaf sample() {
  Leaf leaf;
  leaf.kind = LeafKind::view;
  leaf.reason = Reason::background;
  leaf.grade = 1;
  leaf.flags = kLeafFree | kLeafVisibilityUnknown;
  leaf.uhd = UhdClass::strict;
  leaf.codec = 2;
  leaf.opened_ms = 1'790'000'000'001;
  leaf.closed_ms = 1'790'000'000'002;
  leaf.media_from_ms = -5;
  leaf.media_to_ms = 1'790'000'000'004;
  leaf.content_from_ms = -6;
  leaf.session.fill(std::byte{1});
  leaf.household.fill(std::byte{2});
  leaf.salt.fill(std::byte{3});
  leaf.programme = 0x1122334455667788;
  leaf.work = 0x99aabbccddeeff00;
  leaf.channel = 0x01020304;
  leaf.enterprise = 0x05060708;
  leaf.region = 440100;
  leaf.credit_ms = 10;
  leaf.claimed_ms = 11;
  leaf.delivered_ms = 12;
  leaf.wall_ms = 13;
  leaf.bytes = 1ULL << 40;
  leaf.width = 7680;
  leaf.height = 4320;
  leaf.frame_rate_milli = 59'940;
  leaf.bit_depth = 10;
  leaf.primaries = 9;
  leaf.transfer = 18;
  leaf.rate_milli = 2000;
  leaf.rule_set = 1;
  leaf.sha256.fill(std::byte{4});
  return leaf;
}

TEST(Leaf, ComesBackAsItWasWritten) {
  const LeafBytes bytes = encode(sample());
  EXPECT_EQ(decode_leaf(bytes).value(), sample());
}

// Bit by bit, as RFC 3720 B.4 has it; the leaf's own is eight bytes a step.
TEST(Leaf, ItsCheckIsCrc32cOfTheBytesAroundIt) {
  const LeafBytes bytes = encode(sample());
  constexpr std::size_t kCheckAt = 164;
  std::uint32_t crc = 0xFFFFFFFFU;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i >= kCheckAt && i < kCheckAt + 4) continue;
    crc ^= std::to_integer<std::uint32_t>(bytes[i]);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82F63B78U : 0U);
  }
  ByteReader in(ByteSpan(bytes).subspan(kCheckAt));
  EXPECT_EQ(in.u32().value(), ~crc);
}

// The documented offsets: other people's programs read by them.
TEST(Leaf, FieldsStandWhereTheHeaderSays) {
  const LeafBytes bytes = encode(sample());
  const auto number = [&](std::size_t at, std::size_t size) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i)
      value = (value << 8) | std::to_integer<std::uint64_t>(bytes[at + i]);
    return value;
  };
  EXPECT_EQ(number(0, 1), 4U);
  EXPECT_EQ(number(1, 1), 1U);
  EXPECT_EQ(number(2, 1), 4U);
  EXPECT_EQ(number(4, 2), 5U);
  EXPECT_EQ(number(8, 8), 1'790'000'000'001U);
  EXPECT_EQ(number(48, 1), 1U);
  EXPECT_EQ(number(64, 1), 2U);
  EXPECT_EQ(number(80, 1), 3U);
  EXPECT_EQ(number(96, 8), 0x1122334455667788U);
  EXPECT_EQ(number(112, 4), 0x01020304U);
  EXPECT_EQ(number(120, 4), 440100U);
  EXPECT_EQ(number(124, 4), 10U);
  EXPECT_EQ(number(140, 8), 1ULL << 40);
  EXPECT_EQ(number(148, 2), 7680U);
  EXPECT_EQ(number(152, 4), 59'940U);
  EXPECT_EQ(number(160, 2), 2000U);
  EXPECT_EQ(number(168, 1), 4U);
}

TEST(Leaf, EveryFlippedBitIsNoticed) {
  const LeafBytes bytes = encode(sample());
  for (std::size_t i = 0; i < kLeafBytes * 8; ++i) {
    LeafBytes changed = bytes;
    changed[i / 8] ^= static_cast<std::byte>(1 << (i % 8));
    EXPECT_FALSE(decode_leaf(changed)) << "bit " << i;
    EXPECT_FALSE(is_whole(changed)) << "bit " << i;
  }
}

TEST(Leaf, ZerosAreNoLeaf) {
  EXPECT_FALSE(is_whole(LeafBytes{}));
  EXPECT_FALSE(decode_leaf(LeafBytes{}));
}

TEST(Leaf, NumbersOfIdsAreTheStartOfTheirHash) {
  // printf demo | sha256sum
  EXPECT_EQ(number64_of("demo"), 0x2a97516c354b6884U);
  EXPECT_EQ(number32_of("demo"), 0x2a97516cU);
  EXPECT_EQ(number64_of(""), 0U);
}

}  // namespace
}  // namespace kapok::ledger
