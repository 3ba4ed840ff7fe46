#include "server/picture/containers/flv/tag.hpp"

#include <gtest/gtest.h>

namespace kapok::flv {
namespace {

using media::Codec;

Bytes bytes_of(std::initializer_list<int> numbers, std::string_view text = {}) {
  Bytes bytes;
  for (const int number : numbers) bytes.push_back(static_cast<std::byte>(number));
  ByteWriter(bytes).text(text);
  return bytes;
}

std::vector<TagPart> video(ByteSpan body) {
  std::vector<TagPart> parts;
  const auto read = read_video_tag(body, parts);
  EXPECT_TRUE(read) << read.error().message;
  return parts;
}
std::vector<TagPart> audio(ByteSpan body) {
  std::vector<TagPart> parts;
  const auto read = read_audio_tag(body, parts);
  EXPECT_TRUE(read) << read.error().message;
  return parts;
}
std::string payload(ByteSpan body, const TagPart& part) {
  return std::string(as_text(body.subspan(part.offset, part.size)));
}

TEST(FlvTag, LegacyAvcAndDomesticHevc) {
  const Bytes avc = bytes_of({0x17, 1, 0xFF, 0xFF, 0xD8}, "frame");
  auto parts = video(avc);
  ASSERT_EQ(parts.size(), 1u);
  EXPECT_EQ(parts[0].codec, Codec::avc);
  EXPECT_EQ(parts[0].type, PartType::coded_frames);
  EXPECT_TRUE(parts[0].sync_claimed);
  EXPECT_EQ(parts[0].composition_ms, -40);
  EXPECT_EQ(payload(avc, parts[0]), "frame");

  const Bytes hevc = bytes_of({0x1C, 0, 0, 0, 0}, "hvcC");
  parts = video(hevc);
  ASSERT_EQ(parts.size(), 1u);
  EXPECT_EQ(parts[0].codec, Codec::hevc);
  EXPECT_EQ(parts[0].type, PartType::sequence_start);
  EXPECT_EQ(payload(hevc, parts[0]), "hvcC");
}

TEST(FlvTag, EnhancedCompositionTimeOnlyWhereItIs) {
  const Bytes hevc = bytes_of({0xA1}, std::string_view("hvc1\0\0\x28xyz", 10));
  const Bytes hevc_x = bytes_of({0xA3}, "hvc1xyz");
  const Bytes av1 = bytes_of({0x91}, "av01xyz");
  EXPECT_EQ(video(hevc)[0].composition_ms, 40);
  EXPECT_EQ(payload(hevc, video(hevc)[0]), "xyz");
  EXPECT_EQ(video(hevc_x)[0].composition_ms, 0);
  EXPECT_EQ(payload(hevc_x, video(hevc_x)[0]), "xyz");
  EXPECT_EQ(payload(av1, video(av1)[0]), "xyz");
  EXPECT_TRUE(video(av1)[0].sync_claimed);
  EXPECT_FALSE(video(hevc)[0].sync_claimed);
}

TEST(FlvTag, MultitrackOneTrack) {
  const Bytes body = bytes_of({0x96, 0x03}, "hvc1\x01xyz");
  const auto parts = video(body);
  ASSERT_EQ(parts.size(), 1u);
  EXPECT_EQ(parts[0].track, 1);
  EXPECT_EQ(parts[0].wrapping, Wrapping::multitrack);
  EXPECT_EQ(payload(body, parts[0]), "xyz");
}

TEST(FlvTag, MultitrackManyTracks) {
  Bytes body = bytes_of({0x95, 0x11}, "ec-3");
  ByteWriter out(body);
  for (int track = 0; track < 3; ++track) {
    out.u8(static_cast<std::uint8_t>(track));
    out.u24(static_cast<std::uint32_t>(track + 1));
    out.text(std::string(static_cast<std::size_t>(track + 1), 'a'));
  }
  const auto parts = audio(body);
  ASSERT_EQ(parts.size(), 3u);
  EXPECT_EQ(parts[2].track, 2);
  EXPECT_EQ(parts[2].codec, Codec::eac3);
  EXPECT_EQ(payload(body, parts[2]), "aaa");
}

TEST(FlvTag, MultitrackManyTracksManyCodecs) {
  Bytes body = bytes_of({0x96, 0x21});
  ByteWriter out(body);
  out.text("hvc1");
  out.u8(0);
  out.u24(5);
  out.text(std::string_view("\0\0\x14xy", 5));
  out.text("av01");
  out.u8(7);
  out.u24(3);
  out.text("abc");
  const auto parts = video(body);
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(parts[0].codec, Codec::hevc);
  EXPECT_EQ(parts[0].composition_ms, 20);
  EXPECT_EQ(payload(body, parts[0]), "xy");
  EXPECT_EQ(parts[1].codec, Codec::av1);
  EXPECT_EQ(parts[1].track, 7);
  EXPECT_EQ(payload(body, parts[1]), "abc");
}

TEST(FlvTag, ModifiersCarryNanoseconds) {
  const Bytes body = bytes_of({0x97, 2, 0x0A, 0x2C, 0x2A, 0x01}, "av01xyz");
  const auto parts = video(body);
  ASSERT_EQ(parts.size(), 1u);
  EXPECT_EQ(parts[0].nanoseconds, 0x0A2C2Au);
  EXPECT_EQ(payload(body, parts[0]), "xyz");
  // An unknown modifier of 256 bytes and more (the longer size field) is stepped over.
  Bytes longer = bytes_of({0x97, 0xFF, 0x01, 0x00});
  ByteWriter(longer).zeros(257);
  ByteWriter(longer).u8(0xF1);
  ByteWriter(longer).text("av01xyz");
  EXPECT_EQ(payload(longer, video(longer)[0]), "xyz");
  EXPECT_EQ(video(longer)[0].nanoseconds, 0u);
}

TEST(FlvTag, WhatCarriesNoMediaGivesNoPart) {
  EXPECT_TRUE(audio({}).empty());  // silence, the old way
  EXPECT_TRUE(video({}).empty());
  EXPECT_TRUE(video(bytes_of({0x57, 0})).empty());       // legacy seek command
  EXPECT_TRUE(video(bytes_of({0xD1, 0})).empty());       // extended seek command
  EXPECT_TRUE(video(bytes_of({0x98}, "hvc1")).empty());  // a packet type of the future
}

TEST(FlvTag, UnknownCodecsAreNamed) {
  const auto parts = video(bytes_of({0x90}, "vp09cfg"));
  ASSERT_EQ(parts.size(), 1u);
  EXPECT_EQ(parts[0].codec, Codec::unknown);
  EXPECT_EQ(fourcc_name(parts[0].fourcc), "vp09");
  EXPECT_EQ(fourcc_name(0x00410A42), "?A?B");
}

TEST(FlvTag, BrokenTagsAreErrors) {
  std::vector<TagPart> parts;
  const Bytes broken[] = {bytes_of({0x17}),                    // cut in the header
                          bytes_of({0x91}, "hv"),              // cut in the FourCC
                          bytes_of({0x97, 9, 0}),              // modifier longer than the tag
                          bytes_of({0x96, 0x06}, "hvc1\x01"),  // multitrack in multitrack
                          bytes_of({0x96, 0x31}, "hvc1\x01"),  // unknown multitrack type
                          bytes_of({0x96, 0x11}, "hvc1\x01\x7F\x01\x01x")};  // track past the end
  for (const Bytes& body : broken) EXPECT_FALSE(read_video_tag(body, parts));
  Bytes loop = bytes_of({0x97});
  for (int i = 0; i < 20; ++i) ByteWriter(loop).u24(0x000007);  // modifiers for ever
  const auto endless = read_video_tag(loop, parts);
  ASSERT_FALSE(endless);
  EXPECT_EQ(endless.error().code, Errc::limit);
}

}  // namespace
}  // namespace kapok::flv
