#include "server/media/jpeg_sheet.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "server/media/image.hpp"

namespace kapok::media {
namespace {

using namespace std::string_literals;

// One segment: marker, length, payload.
std::string segment(unsigned marker, const std::string& payload) {
  const std::size_t length = payload.size() + 2;
  return "\xff"s + static_cast<char>(marker) + static_cast<char>(length >> 8) +
         static_cast<char>(length & 255) + payload;
}

struct Parts {
  std::string application = segment(0xe0, "JFIF\0"s);
  std::string quantization = segment(0xdb, "\0table"s);
  std::string huffman = segment(0xc4, "\0codes"s);
  std::string frame =
      segment(0xc0, "\x08\x00\x20\x00\x28\x03\x01\x22\x00\x02\x11\x00\x03\x11\x00"s);
  std::string scan = segment(0xda, "\x03\x01\x00\x02\x11\x03\x11\x00\x3f\x00"s);
  std::string coded = "coded\xff\x00"s;  // a stuffed byte
  std::string end = "\xff\xd9"s;
  std::string text() const {
    return "\xff\xd8"s + application + quantization + huffman + frame + scan + coded + end;
  }
};

Buffer jpeg(const Parts& parts) {
  return Buffer::copy_of(parts.text());
}

Buffer jpeg(const std::string& coded) {
  Parts parts;
  parts.coded = coded;
  return jpeg(parts);
}

TEST(JpegSheet, IsTheFirstHeadWithAnotherHeightAndTheScansAsRestartIntervals) {
  std::vector<Buffer> pictures;
  std::string scans;
  for (int i = 0; i < 10; ++i) {
    const std::string coded = "row "s + static_cast<char>('0' + i) + "\xff\x00"s;
    pictures.push_back(jpeg(coded));
    scans += (i == 0 ? ""s : "\xff"s + static_cast<char>(0xd0 + (i - 1) % 8)) + coded;
  }
  const auto joined = join_jpegs(pictures);
  ASSERT_TRUE(joined) << joined.error().message;
  Parts sheet;
  sheet.frame[5] = '\x01';
  sheet.frame[6] = '\x40';  // 320 lines
  // 3 by 2 MCUs: 40 samples are two and a half.
  sheet.scan = segment(0xdd, "\x00\x06"s) + sheet.scan;
  sheet.coded = scans;
  EXPECT_EQ(joined->text(), sheet.text());
}

TEST(JpegSheet, CommentsAndApplicationDataMayDiffer) {
  Parts other;
  other.application = segment(0xfe, "a comment");
  const std::vector<Buffer> pictures{jpeg(Parts{}), jpeg(other)};
  const auto joined = join_jpegs(pictures);
  ASSERT_TRUE(joined) << joined.error().message;
  EXPECT_TRUE(joined->text().contains("JFIF"));
  EXPECT_FALSE(joined->text().contains("a comment"));
}

TEST(JpegSheet, OfOnePictureHasNoRestarts) {
  const std::vector<Buffer> one{jpeg(Parts{})};
  const auto joined = join_jpegs(one);
  ASSERT_TRUE(joined);
  EXPECT_FALSE(joined->text().contains("\xff\xd0"));
  EXPECT_FALSE(join_jpegs({}));
  EXPECT_EQ(join_jpegs(std::vector<Buffer>(65, one[0])).error().code, Errc::limit);
}

TEST(JpegSheet, PicturesThatDifferAreNotJoined) {
  const auto refused = [](const std::function<void(Parts&)>& change) {
    Parts other;
    change(other);
    const std::vector<Buffer> pictures{jpeg(Parts{}), jpeg(other)};
    const auto joined = join_jpegs(pictures);
    return joined ? "joined" : joined.error().message;
  };
  EXPECT_EQ(refused([](Parts& p) { p.frame[8] = '\x30'; }),
            "JPEG: 40x32 and 48x32, or sampled otherwise");
  EXPECT_EQ(refused([](Parts& p) { p.quantization[5] = 'T'; }), "JPEG: other tables");
  EXPECT_EQ(refused([](Parts& p) { p.huffman[5] = 'C'; }), "JPEG: other tables");
  EXPECT_EQ(refused([](Parts& p) { p.huffman.clear(); }), "JPEG: other tables");
  EXPECT_EQ(refused([](Parts& p) { p.scan[6] = '\x10'; }), "JPEG: tables chosen otherwise");
}

TEST(JpegSheet, WhatIsNoBaselineJpegOfOneScanIsRefusedAndSaidWhy) {
  const auto refused = [](const std::function<void(Parts&)>& change) {
    Parts parts;
    change(parts);
    const std::vector<Buffer> pictures{jpeg(parts)};
    const auto joined = join_jpegs(pictures);
    return joined ? "joined" : joined.error().message;
  };
  EXPECT_EQ(refused([](Parts& p) { p.frame[1] = '\xc2'; }), "JPEG: marker c2");  // progressive
  EXPECT_EQ(refused([](Parts& p) { p.frame[6] = '\x28'; }),
            "JPEG: 40 lines are no whole rows of 16");
  EXPECT_EQ(refused([](Parts& p) { p.frame[6] = '\x00'; }), "JPEG: 40x0");  // DNL would tell it
  EXPECT_EQ(refused([](Parts& p) { p.frame[4] = '\x0c'; }), "JPEG: 3 components of 12 bits");
  EXPECT_EQ(refused([](Parts& p) { p.frame[11] = '\x50'; }), "JPEG: sampling 5x0");
  EXPECT_EQ(refused([](Parts& p) { p.frame += p.frame; }), "JPEG: two frame headers");
  EXPECT_EQ(refused([](Parts& p) { p.frame.clear(); }), "JPEG: a scan without a frame");
  EXPECT_EQ(refused([](Parts& p) { p.frame[3] = '\x12'; }).substr(0, 5), "JPEG:");
  EXPECT_EQ(refused([](Parts& p) { p.huffman += segment(0xdd, "\x00\x06"s); }), "JPEG: marker dd");
  EXPECT_EQ(refused([](Parts& p) { p.scan[4] = '\x01'; }), "JPEG: several scans");
  EXPECT_EQ(refused([](Parts& p) { p.scan[5] = '\x07'; }), "JPEG: a scan of other components");
  EXPECT_EQ(refused([](Parts& p) { p.scan[12] = '\x05'; }), "JPEG: a scan that is not baseline");
  EXPECT_EQ(refused([](Parts& p) { p.coded += "\xff\xd0"s; }), "JPEG: marker d0 in its scan");
  EXPECT_EQ(refused([](Parts& p) { p.coded += p.scan; }), "JPEG: marker da in its scan");
  EXPECT_EQ(refused([](Parts& p) { p.coded.clear(); }), "JPEG: an empty scan");
  EXPECT_EQ(refused([](Parts& p) { p.end.clear(); }), "JPEG: its scan does not end");
  EXPECT_EQ(refused([](Parts& p) { p.end = "\xff"; }), "JPEG: its scan does not end");
  EXPECT_EQ(refused([](Parts& p) { p.end += "more"; }), "JPEG: bytes behind its end");
  EXPECT_EQ(refused([](Parts& p) { p.application = "JFIF"; }), "JPEG: no marker at 2");
  EXPECT_EQ(refused([](Parts& p) { p.application = "\xff\xe0\x00\x01"s; }),
            "JPEG: a segment of 1 bytes");
  EXPECT_EQ(refused([](Parts& p) { p.coded = std::string(kMaxImageBytes, 'x'); }).substr(0, 5),
            "JPEG:");
}

TEST(JpegSheet, CutShortAnywhereIsAnError) {
  const std::string whole = Parts{}.text();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const std::vector<Buffer> one{Buffer::copy_of(whole.substr(0, size))};
    EXPECT_FALSE(join_jpegs(one)) << size;
  }
}

TEST(JpegSheet, IsAsHighAsAJpegCanBe) {
  Parts high;
  high.frame[5] = '\x10';
  high.frame[6] = '\x00';  // 4096 lines
  EXPECT_TRUE(join_jpegs(std::vector<Buffer>(15, jpeg(high))));
  EXPECT_EQ(join_jpegs(std::vector<Buffer>(16, jpeg(high))).error().code, Errc::limit);
  high.frame[7] = '\x70';  // 28712 samples by 4096: more MCUs than an interval can have
  EXPECT_EQ(join_jpegs(std::vector<Buffer>(2, jpeg(high))).error().code, Errc::limit);
}

}  // namespace
}  // namespace kapok::media
