#include "server/picture/protocols/srt/receive_buffer.hpp"

#include <gtest/gtest.h>

namespace kapok::srt {
namespace {

using Placed = ReceiveBuffer::Placed;
constexpr MonoTime kStart{seconds(1'000)};
constexpr std::uint32_t kAlone = MessageWord::kFirst | MessageWord::kLast;

HeldPacket packet(milliseconds at, std::uint32_t word = kAlone | 1, std::size_t size = 100) {
  return {Buffer(Bytes(size)), kStart + at, {word}};
}

struct Buffered : ::testing::Test {
  explicit Buffered(std::uint32_t first = 100) : buffer(Sequence(first), {1'000, 100'000}) {}
  std::vector<Event> deliver(milliseconds at) {
    std::vector<Event> out;
    buffer.deliver(kStart + at, milliseconds(50), out);
    return out;
  }
  ReceiveBuffer buffer;
};
struct AcrossTheWrap : Buffered {
  AcrossTheWrap() : Buffered(Sequence::kMask - 5) {}
};

TEST_F(Buffered, DeliversWhenTheTimeHasCome) {
  EXPECT_EQ(buffer.place(Sequence(100), packet(milliseconds(0))), Placed::stored);
  EXPECT_TRUE(deliver(milliseconds(49)).empty());
  const auto out = deliver(milliseconds(50));
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(std::get<Message>(out[0]).first, Sequence(100));
  EXPECT_EQ(std::get<Message>(out[0]).source_at, kStart);
  EXPECT_EQ(buffer.held_bytes(), 0U);
}

TEST_F(Buffered, WhatIsMissingHoldsUpUntilTheNextOneIsDueThenIsAGap) {
  buffer.place(Sequence(100), packet(milliseconds(0)));
  buffer.place(Sequence(104), packet(milliseconds(10)));
  EXPECT_EQ(buffer.first_missing(), Sequence(101));
  EXPECT_EQ(deliver(milliseconds(55)).size(), 1U);
  const auto out = deliver(milliseconds(60));
  ASSERT_EQ(out.size(), 2U);
  EXPECT_EQ(std::get<Gap>(out[0]).packets, 3U);
  EXPECT_EQ(std::get<Message>(out[1]).first, Sequence(104));
  EXPECT_EQ(buffer.place(Sequence(102), packet(milliseconds(0))), Placed::belated);
  EXPECT_EQ(buffer.dropped_packets(), 3U);
}

TEST_F(Buffered, ADuplicateChangesNothing) {
  buffer.place(Sequence(101), packet(milliseconds(0)));
  EXPECT_EQ(buffer.place(Sequence(101), packet(milliseconds(5))), Placed::duplicate);
  EXPECT_EQ(buffer.held_packets(), 1U);
}

TEST_F(Buffered, TheWindowAndTheCapInBytesHold) {
  EXPECT_EQ(buffer.place(Sequence(1'100), packet(milliseconds(0))), Placed::beyond);
  EXPECT_EQ(buffer.place(Sequence(1'099), packet(milliseconds(0))), Placed::stored);
  EXPECT_EQ(buffer.place(Sequence(100), packet(milliseconds(0), kAlone, 99'901)), Placed::full);
  EXPECT_EQ(buffer.place(Sequence(100), packet(milliseconds(0), kAlone, 99'900)), Placed::stored);
}

TEST_F(Buffered, OnePacketFromFarAheadIsNotBelievedTwoAre) {
  EXPECT_EQ(buffer.place(Sequence(500'000), packet(milliseconds(0))), Placed::beyond);
  EXPECT_EQ(buffer.place(Sequence(900'000), packet(milliseconds(0))), Placed::beyond);
  EXPECT_EQ(buffer.place(Sequence(900'001), packet(milliseconds(0))), Placed::stored);
  const auto out = deliver(milliseconds(50));
  ASSERT_EQ(out.size(), 2U);
  EXPECT_EQ(std::get<Gap>(out[0]).packets, 899'901U);
}

TEST_F(Buffered, NothingIsBelievedFromFarAheadWhileAnythingIsHeld) {
  buffer.place(Sequence(100), packet(milliseconds(0)));
  EXPECT_EQ(buffer.place(Sequence(900'000), packet(milliseconds(0))), Placed::beyond);
  EXPECT_EQ(buffer.place(Sequence(900'001), packet(milliseconds(0))), Placed::beyond);
}

TEST_F(Buffered, GivenUpPacketsAreSettledWithinWhatIsHeldOnly) {
  buffer.place(Sequence(105), packet(milliseconds(0)));
  buffer.give_up({Sequence(0), Sequence(0x3FFF'FFFF)});
  EXPECT_EQ(buffer.first_missing(), Sequence(106));
  EXPECT_FALSE(buffer.settled(Sequence(106)));
  EXPECT_EQ(buffer.place(Sequence(106), packet(milliseconds(0))), Placed::stored);
}

TEST_F(Buffered, AMessageOfSeveralPacketsComesInOnePiece) {
  buffer.place(Sequence(102), packet(milliseconds(0), MessageWord::kLast | 7, 3));
  buffer.place(Sequence(100), packet(milliseconds(0), MessageWord::kFirst | 7, 10));
  buffer.place(Sequence(101), packet(milliseconds(0), 7, 10));
  const auto out = deliver(milliseconds(50));
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(std::get<Message>(out[0]).payload.size(), 23U);
  EXPECT_EQ(buffer.held_packets(), 0U);
}

TEST_F(Buffered, AMessageWithAMissingPartIsAGapAltogether) {
  buffer.place(Sequence(100), packet(milliseconds(0), MessageWord::kFirst | 7));
  buffer.place(Sequence(102), packet(milliseconds(0), MessageWord::kLast | 7));
  buffer.place(Sequence(103), packet(milliseconds(0), kAlone | 8));
  const auto out = deliver(milliseconds(50));
  ASSERT_EQ(out.size(), 2U);
  EXPECT_EQ(std::get<Gap>(out[0]).packets, 3U);
  EXPECT_EQ(std::get<Message>(out[1]).first, Sequence(103));
}

TEST_F(AcrossTheWrap, NumbersGoOnFromZero) {
  for (std::uint32_t i = 0; i < 600; ++i)
    if (i != 3 && i != 300)
      ASSERT_EQ(buffer.place(Sequence(Sequence::kMask - 5) + i, packet(milliseconds(i))),
                Placed::stored);
  EXPECT_EQ(buffer.first_missing(), Sequence(Sequence::kMask - 2));
  const auto out = deliver(seconds(2));
  EXPECT_EQ(out.size(), 600U);  // 598 messages and two gaps
  EXPECT_EQ(buffer.first(), Sequence(594));
}

}  // namespace
}  // namespace kapok::srt
