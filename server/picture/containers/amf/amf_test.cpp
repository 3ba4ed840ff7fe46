#include "server/picture/containers/amf/amf.hpp"

#include <gtest/gtest.h>

namespace kapok::amf {
namespace {

Bytes hex(std::initializer_list<int> bytes) {
  Bytes out;
  for (const int byte : bytes) out.push_back(static_cast<std::byte>(byte));
  return out;
}

TEST(Amf, WrittenValuesReadBackTheSame) {
  const Value value(Object{{"app", "live"},
                           {"number", 1752589105.0},
                           {"yes", true},
                           {"nothing", Null{}},
                           {"list", Array{"a", 2, Object{{"x", -1.5}}}}});
  Bytes bytes;
  write_amf0(bytes, Value("connect"));
  write_amf0(bytes, value);
  write_amf0(bytes, value, Form::ecma_array);
  const auto read = read_amf0(bytes);
  ASSERT_TRUE(read) << read.error().message;
  ASSERT_EQ(read->size(), 3u);
  EXPECT_EQ((*read)[0].text(), "connect");
  EXPECT_EQ((*read)[1], value);
  EXPECT_EQ((*read)[2], value);
  EXPECT_EQ((*read)[1]["number"].number_or(0), 1752589105.0);
  EXPECT_EQ((*read)[1]["absent"], Value());
}

TEST(Amf, LongTextsKeepTheirLength) {
  const std::string text(70'000, 'k');
  Bytes bytes;
  write_amf0(bytes, Value(text));
  const auto read = read_amf0(bytes);
  ASSERT_TRUE(read);
  EXPECT_EQ((*read)[0].text(), text);
}

TEST(Amf, NestingBeyondTheDepthIsRefused) {
  // The 200 kB connect that ends other servers: objects in objects, 50,000 deep.
  for (const int marker : {0x03, 0x08, 0x0A}) {
    Bytes bytes;
    ByteWriter out(bytes);
    for (int i = 0; i < 50'000; ++i) {
      out.u8(static_cast<std::uint8_t>(marker));
      if (marker != 0x03) out.u32(1);
      if (marker != 0x0A) {
        out.u16(1);
        out.text("a");
      }
    }
    const auto read = read_amf0(bytes);
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code, Errc::limit);
  }
}

TEST(Amf, DepthUpToTheBoundIsRead) {
  Bytes bytes;
  ByteWriter out(bytes);
  for (std::size_t i = 0; i < kMaxDepth; ++i) {
    out.u8(0x0A);
    out.u32(1);
  }
  out.u8(0x05);
  EXPECT_TRUE(read_amf0(bytes));
}

TEST(Amf, ManyValuesAreRefused) {
  const Bytes bytes(kMaxValues + 1, std::byte{0x05});
  const auto read = read_amf0(bytes);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, Errc::limit);
}

TEST(Amf, ArrayCountsAreNotBelieved) {
  const auto read = read_amf0(hex({0x0A, 0xFF, 0xFF, 0xFF, 0xFF}));
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, Errc::limit);
}

TEST(Amf, Amf3ObjectInsideAmf0IsRead) {
  // { "app": "live", "app2": <reference to "live"> , "n": -1 } as a dynamic AMF3 object.
  const Bytes bytes = hex({0x11, 0x0A, 0x0B, 0x01,  // object, dynamic, class ""
                           0x07, 'a',  'p',  'p',  0x06, 0x09, 'l',  'i',  'v',
                           'e',  0x09, 'a',  'p',  'p',  '2',  0x06, 0x02,  // text reference 1
                           0x03, 'n',  0x04, 0xFF, 0xFF, 0xFF, 0xFF,        // integer -1
                           0x01});
  const auto read = read_amf0(bytes);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ((*read)[0]["app"].text(), "live");
  EXPECT_EQ((*read)[0]["app2"].text(), "live");
  EXPECT_EQ((*read)[0]["n"].number_or(0), -1);
}

TEST(Amf, Amf3TextReferencesCountInFull) {
  Bytes bytes = hex({0x11, 0x09});  // an array of 1000 texts
  ByteWriter out(bytes);
  out.u8(0x80 | 0x0F);  // u29: count 1000 << 1 | 1 = 2001 = 0x7D1
  out.u8(0x51);
  out.u8(0x01);
  out.u8(0x06);
  out.u8(0x80 | 0x1F);  // u29: 2000 << 1 | 1 = 4001 = 0xFA1
  out.u8(0x21);
  out.text(std::string(2000, 'x'));
  for (int i = 0; i < 999; ++i) {
    out.u8(0x06);
    out.u8(0x00);
  }
  const auto read = read_amf0(bytes);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, Errc::limit);
}

TEST(Amf, CutShortIsMalformed) {
  Bytes bytes;
  write_amf0(bytes, Value(Object{{"a", 1.0}}));
  for (std::size_t size : {3u, 5u, 9u}) {
    const auto read = read_amf0(ByteSpan(bytes).first(size));
    ASSERT_FALSE(read) << size;
    EXPECT_EQ(read.error().code, Errc::malformed);
  }
}

}  // namespace
}  // namespace kapok::amf
