#include "server/picture/protocols/srt/packet.hpp"

#include <gtest/gtest.h>

#include "server/base/crypto.hpp"

#include "server/picture/protocols/srt/handshake.hpp"

namespace kapok::srt {
namespace {

Bytes whole(const Datagram& datagram) {
  Bytes bytes(datagram.head_bytes().begin(), datagram.head_bytes().end());
  bytes.insert(bytes.end(), datagram.payload.bytes().begin(), datagram.payload.bytes().end());
  return bytes;
}
ByteSpan body_of(const Bytes& bytes) {
  return ByteSpan(bytes).subspan(kHeaderBytes);
}

TEST(SrtSequence, DistancesGoRoundTheCircle) {
  EXPECT_EQ(Sequence(5).ahead_of(Sequence(Sequence::kMask - 4)), 10);
  EXPECT_EQ(Sequence(Sequence::kMask - 4).ahead_of(Sequence(5)), -10);
  EXPECT_TRUE(Sequence(Sequence::kMask).before(Sequence(0)));
  EXPECT_EQ(Sequence(0x4000'0000).ahead_of(Sequence(0)), -0x4000'0000);
  EXPECT_EQ((Sequence(0) - 1).value(), Sequence::kMask);
  EXPECT_EQ((SequenceRange{Sequence(Sequence::kMask), Sequence(1)}.count()), 3U);
}

TEST(SrtPacket, TheDataHeaderIsThatOfTheDraft) {
  std::array<std::byte, kHeaderBytes> bytes;
  write_data_header(bytes, Sequence(0x0102'0304), {0xE400'0007}, 0x1122'3344, 0x5566'7788);
  EXPECT_EQ(to_hex(bytes), "01020304e40000071122334455667788");
  const auto header = parse_header(bytes);
  ASSERT_TRUE(header);
  EXPECT_FALSE(header->control);
  EXPECT_TRUE(header->message.first() && header->message.last() && header->message.retransmitted());
  EXPECT_EQ(header->message.number(), MessageNumber(7));
  EXPECT_EQ(header->message.with_key_flags(2).key_flags(), 2);
  EXPECT_EQ(header->destination, 0x5566'7788U);
}

TEST(SrtPacket, AFullAcknowledgementFitsTheHead) {
  std::vector<Datagram> out;
  const Ack ack{.number = 3,
                .up_to = Sequence(1'000),
                .has_link = true,
                .rtt_us = 20'000,
                .rtt_variance_us = 500,
                .available_packets = 8'000,
                .has_rates = true,
                .packets_per_second = 1'100,
                .capacity_packets_per_second = 90'000,
                .bytes_per_second = 1'500'000};
  write_ack(out, {}, ack);
  ASSERT_EQ(out.size(), 1U);
  EXPECT_TRUE(out[0].payload.empty());
  const Bytes bytes = whole(out[0]);
  ASSERT_EQ(bytes.size(), 44U);
  const auto read = parse_ack(*parse_header(bytes), body_of(bytes));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->up_to, Sequence(1'000));
  EXPECT_EQ(read->rtt_us, 20'000U);
  EXPECT_EQ(read->bytes_per_second, 1'500'000U);
  // A small one ends after the available buffer, a light one after the number.
  EXPECT_FALSE(parse_ack(*parse_header(bytes), body_of(bytes).first(16))->has_rates);
  EXPECT_FALSE(parse_ack(*parse_header(bytes), body_of(bytes).first(4))->has_link);
  EXPECT_FALSE(parse_ack(*parse_header(bytes), body_of(bytes).first(3)));
}

TEST(SrtPacket, LossReportsAreCutIntoPacketsThatFit) {
  std::vector<SequenceRange> lost;
  for (std::uint32_t i = 0; i < 500; ++i)
    lost.push_back({Sequence(i * 10), Sequence(i * 10 + i % 2)});
  std::vector<Datagram> out;
  write_nak(out, {}, lost, 1'456);
  std::vector<SequenceRange> read;
  for (const Datagram& datagram : out) {
    EXPECT_LE(datagram.size(), kHeaderBytes + 1'456);
    const Bytes bytes = whole(datagram);
    for (const SequenceRange& range : parse_nak(body_of(bytes))) read.push_back(range);
  }
  ASSERT_EQ(read.size(), lost.size());
  EXPECT_EQ(read[499].first, Sequence(4'990));
  EXPECT_EQ(read[499].last, Sequence(4'991));
}

TEST(SrtPacket, ReversedAndUnpairedRangesEndAReport) {
  Bytes body;
  ByteWriter out(body);
  out.u32(7);
  out.u32(0x8000'0000U | 20);
  out.u32(10);
  out.u32(8);
  EXPECT_EQ(parse_nak(body).size(), 1U);
  EXPECT_TRUE(parse_nak(ByteSpan(body).subspan(4, 4)).empty());
}

TEST(SrtHandshake, TextIsReversedInWordsAndPadded) {
  Extensions extensions;
  extensions.stream_id = "abcde";
  Bytes bytes;
  write_extensions(bytes, extensions);
  // Type 5, two words, "dcba" and "\0\0\0e".
  EXPECT_EQ(to_hex(bytes),
            "00050002"
            "64636261"
            "00000065");
  Bytes body(kHandshakeBytes);
  body.insert(body.end(), bytes.begin(), bytes.end());
  EXPECT_EQ(parse_extensions(body)->stream_id, "abcde");
}

TEST(SrtHandshake, AStreamIdOver512BytesIsRefused) {
  Extensions extensions;
  extensions.stream_id = std::string(513, 'x');
  Bytes body(kHandshakeBytes);
  write_extensions(body, extensions);
  EXPECT_EQ(parse_extensions(body).error().code, Errc::limit);
}

}  // namespace
}  // namespace kapok::srt
