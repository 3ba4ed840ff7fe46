#include <gtest/gtest.h>

#include <random>

#include "server/picture/protocols/rtmp/chunk_reader.hpp"
#include "server/picture/protocols/rtmp/chunk_writer.hpp"

namespace kapok::rtmp {
namespace {

Bytes pattern(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  Bytes bytes(size);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  return bytes;
}

// Feeds `wire` in pieces of `piece` bytes, keeping what is not consumed, as a session does.
Result<std::vector<Message>> read_all(ChunkReader& reader, ByteSpan wire, std::size_t piece) {
  std::vector<Message> messages;
  Bytes pending;
  while (!wire.empty()) {
    const ByteSpan next = wire.first(std::min(piece, wire.size()));
    wire = wire.subspan(next.size());
    pending.insert(pending.end(), next.begin(), next.end());
    while (!pending.empty()) {
      ChunkReader::Step step = KAPOK_TRY(reader.read(pending));
      if (step.consumed == 0) break;
      pending.erase(pending.begin(), pending.begin() + static_cast<std::ptrdiff_t>(step.consumed));
      if (step.message) messages.push_back(*std::move(step.message));
    }
  }
  return messages;
}

TEST(Chunks, MessagesSurviveAnyChunkSizeAndAnyPieces) {
  for (const std::size_t chunk : {1u, 128u, 4096u, 1048576u}) {
    for (const std::size_t piece : {1u, 7u, 100'000u}) {
      ChunkReader reader;
      reader.limit_messages(kMaxMessageBytes);
      Bytes wire;
      write_u32_control(wire, MessageType::set_chunk_size, static_cast<std::uint32_t>(chunk));
      const Bytes small = pattern(300, 1), large = pattern(9'000, 2);
      write_message(wire, {MessageType::audio, 4, 1, 40}, small, chunk);
      write_message(wire, {MessageType::video, 6, 1, 0x1000000}, large, chunk);
      write_message(wire, {MessageType::audio, 4, 1, 60}, {}, chunk);
      const auto messages = read_all(reader, wire, piece);
      ASSERT_TRUE(messages) << messages.error().message;
      ASSERT_EQ(messages->size(), 4u);
      EXPECT_EQ((*messages)[1].type, MessageType::audio);
      EXPECT_EQ((*messages)[1].timestamp, 40u);
      EXPECT_TRUE(std::ranges::equal((*messages)[1].payload.bytes(), small));
      EXPECT_EQ((*messages)[2].timestamp, 0x1000000u);
      EXPECT_EQ((*messages)[2].stream, 1u);
      EXPECT_TRUE(std::ranges::equal((*messages)[2].payload.bytes(), large));
      EXPECT_TRUE((*messages)[3].payload.empty());
    }
  }
}

TEST(Chunks, DirectRoomTakesPayloadWithoutStaging) {
  ChunkReader reader;
  reader.limit_messages(kMaxMessageBytes);
  Bytes wire;
  const Bytes body = pattern(500'000, 3);  // over what a claim alone allocates
  write_u32_control(wire, MessageType::set_chunk_size, 1'000'000);
  write_message(wire, {MessageType::video, 6, 1, 20}, body, 1'000'000);
  EXPECT_TRUE(reader.direct_room().empty());
  ByteSpan rest(wire);
  std::optional<Message> message;
  for (int i = 0; i < 2; ++i) {  // the chunk size; then the header with 100 bytes of payload
    const auto step =
        reader.read(rest.first(std::min<std::size_t>(rest.size(), i == 0 ? 16 : 112)));
    ASSERT_TRUE(step);
    rest = rest.subspan(step->consumed);
  }
  while (!message) {
    const std::span<std::byte> room = reader.direct_room();
    ASSERT_FALSE(room.empty());
    const std::size_t size = std::min<std::size_t>(room.size(), 50'001);
    std::ranges::copy(rest.first(size), room.begin());
    rest = rest.subspan(size);
    auto filled = reader.direct_filled(size);
    ASSERT_TRUE(filled);
    message = *std::move(filled);
  }
  EXPECT_TRUE(rest.empty());
  EXPECT_TRUE(std::ranges::equal(message->payload.bytes(), body));
}

TEST(Chunks, InterleavedStreamsAreReassembledApart) {
  ChunkReader reader;
  Bytes a, b;
  const Bytes body_a = pattern(256, 4), body_b = pattern(256, 5);
  write_message(a, {MessageType::video, 6, 1, 10}, body_a, 128);
  write_message(b, {MessageType::audio, 400, 1, 10}, body_b, 128);  // id is masked to 6 bits: 16
  Bytes wire(a.begin(), a.begin() + 12 + 128);
  wire.insert(wire.end(), b.begin(), b.begin() + 12 + 128);
  wire.insert(wire.end(), a.begin() + 12 + 128, a.end());
  wire.insert(wire.end(), b.begin() + 12 + 128, b.end());
  const auto messages = read_all(reader, wire, 50);
  ASSERT_TRUE(messages);
  ASSERT_EQ(messages->size(), 2u);
  EXPECT_TRUE(std::ranges::equal((*messages)[0].payload.bytes(), body_a));
  EXPECT_TRUE(std::ranges::equal((*messages)[1].payload.bytes(), body_b));
}

TEST(Chunks, ShortHeadersCarryDeltas) {
  Bytes wire;
  ByteWriter out(wire);
  out.u8(0x04), out.u24(1000), out.u24(1), out.u8(8), out.u32(0x01000000), out.u8(0xA0);
  out.u8(0x44), out.u24(23), out.u24(1), out.u8(8), out.u8(0xA1);  // format 1
  out.u8(0x84), out.u24(21), out.u8(0xA2);                         // format 2
  out.u8(0xC4), out.u8(0xA3);                                      // format 3, a new message
  ChunkReader reader;
  const auto messages = read_all(reader, wire, 1);
  ASSERT_TRUE(messages);
  ASSERT_EQ(messages->size(), 4u);
  EXPECT_EQ((*messages)[0].timestamp, 1000u);
  EXPECT_EQ((*messages)[1].timestamp, 1023u);
  EXPECT_EQ((*messages)[2].timestamp, 1044u);
  EXPECT_EQ((*messages)[3].timestamp, 1065u);
  EXPECT_EQ((*messages)[3].stream, 1u);
}

TEST(Chunks, ChunkStreamIdsOfTwoAndThreeBytes) {
  Bytes wire;
  ByteWriter out(wire);
  for (const int id : {64, 319, 320, 65599}) {
    if (id < 320) {
      out.u8(0x00), out.u8(static_cast<std::uint8_t>(id - 64));
    } else {
      out.u8(0x01), out.u8(static_cast<std::uint8_t>((id - 64) & 0xFF));
      out.u8(static_cast<std::uint8_t>((id - 64) >> 8));
    }
    out.u24(5), out.u24(1), out.u8(8), out.u32(0), out.u8(0x11);
  }
  ChunkReader reader;
  const auto messages = read_all(reader, wire, 1);
  ASSERT_TRUE(messages);
  ASSERT_EQ(messages->size(), 4u);
  EXPECT_EQ((*messages)[1].chunk_stream, 319u);
  EXPECT_EQ((*messages)[3].chunk_stream, 65599u);
}

TEST(Chunks, ExtendedTimestampMayOrMayNotBeRepeated) {
  for (const bool repeated : {true, false}) {
    Bytes wire;
    ByteWriter out(wire);
    const Bytes body = pattern(300, 6);
    out.u8(0x06), out.u24(0xFFFFFF), out.u24(300), out.u8(9), out.u32(0x01000000);
    out.u32(0x01234567);
    for (std::size_t at = 0; at < 300; at += 128) {
      if (at > 0) {
        out.u8(0xC6);
        if (repeated) out.u32(0x01234567);
      }
      out.bytes(ByteSpan(body).subspan(at, std::min<std::size_t>(128, 300 - at)));
    }
    ChunkReader reader;
    const auto messages = read_all(reader, wire, 3);
    ASSERT_TRUE(messages);
    ASSERT_EQ(messages->size(), 1u);
    EXPECT_EQ((*messages)[0].timestamp, 0x01234567u);
    EXPECT_TRUE(std::ranges::equal((*messages)[0].payload.bytes(), body));
  }
}

TEST(Chunks, AbortDropsTheUnfinishedMessage) {
  ChunkReader reader;
  Bytes wire, message;
  write_message(message, {MessageType::video, 6, 1, 10}, pattern(256, 7), 128);
  wire.assign(message.begin(), message.begin() + 12 + 128);
  write_u32_control(wire, MessageType::abort, 6);
  write_message(wire, {MessageType::video, 6, 1, 11}, pattern(4, 8), 128);
  const auto messages = read_all(reader, wire, 1000);
  ASSERT_TRUE(messages) << messages.error().message;
  ASSERT_EQ(messages->size(), 2u);
  EXPECT_EQ((*messages)[1].payload.size(), 4u);
}

TEST(Chunks, LengthMayNotChangeInsideAMessage) {
  ChunkReader reader;
  Bytes wire, message;
  write_message(message, {MessageType::video, 6, 1, 10}, pattern(256, 9), 128);
  wire.assign(message.begin(), message.begin() + 12 + 128);
  write_message(wire, {MessageType::video, 6, 1, 11}, pattern(50'000, 8), 128);
  const auto messages = read_all(reader, wire, 1000);
  ASSERT_FALSE(messages);
  EXPECT_EQ(messages.error().code, Errc::malformed);
}

TEST(Chunks, BoundsAreKept) {
  const auto error_of = [](auto fill) {
    Bytes wire;
    ByteWriter out(wire);
    fill(out, wire);
    ChunkReader reader;
    const auto messages = read_all(reader, wire, 1000);
    return messages ? Errc::internal : messages.error().code;
  };
  EXPECT_EQ(error_of([](ByteWriter& out, Bytes&) {
              for (std::uint8_t id = 3; id < 3 + 33; ++id)
                out.u8(id), out.u24(0), out.u24(1), out.u8(8), out.u32(0), out.u8(1);
            }),
            Errc::limit);
  for (const std::uint32_t size : {0u, 1024u * 1024 + 1, 0x80000001u})
    EXPECT_EQ(error_of([size](ByteWriter&, Bytes& wire) {
                write_u32_control(wire, MessageType::set_chunk_size, size);
              }),
              Errc::limit);
  EXPECT_EQ(error_of([](ByteWriter& out, Bytes&) {
              out.u8(3), out.u24(0), out.u24(kMaxUnauthorisedBytes + 1), out.u8(20), out.u32(0);
            }),
            Errc::limit);
  EXPECT_EQ(error_of([](ByteWriter& out, Bytes&) { out.u8(0xC3); }), Errc::malformed);
  EXPECT_EQ(error_of([](ByteWriter& out, Bytes&) { out.u8(0x83), out.u24(0); }), Errc::malformed);
}

TEST(Chunks, UnfinishedMessagesAreBoundedTogether) {
  ChunkReader reader;
  reader.limit_messages(kMaxMessageBytes);
  Bytes wire;
  write_u32_control(wire, MessageType::set_chunk_size, 1024 * 1024);
  const auto begun = read_all(reader, wire, 1000);
  ASSERT_TRUE(begun);
  const Bytes filler(1024 * 1024);
  Result<void> outcome;
  // 16 MiB claims on every chunk stream, each left a MiB short of its end.
  for (int round = 0; round < 15 && outcome; ++round) {
    for (std::uint8_t id = 3; id < 3 + 32 && outcome; ++id) {
      Bytes header;
      ByteWriter out(header);
      if (round == 0)
        out.u8(id), out.u24(0), out.u24(kMaxMessageBytes), out.u8(9), out.u32(0);
      else
        out.u8(0xC0 | id);
      auto step = reader.read(header);
      if (step) step = reader.read(filler);
      if (!step) outcome = std::unexpected(step.error());
    }
  }
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, Errc::limit);
}

}  // namespace
}  // namespace kapok::rtmp
