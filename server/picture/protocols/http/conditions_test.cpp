#include "server/picture/protocols/http/conditions.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

#include "server/picture/protocols/http/gzip.hpp"
#include "server/picture/protocols/http/response_head.hpp"

namespace kapok::http {
namespace {

TEST(ParseRange, StaysInsideTheObject) {
  EXPECT_EQ(parse_range("bytes=0-99", 1000), Wanted(ByteRange{0, 100}));
  EXPECT_EQ(parse_range("bytes=900-", 1000), Wanted(ByteRange{900, 1000}));
  EXPECT_EQ(parse_range("bytes=900-99999", 1000), Wanted(ByteRange{900, 1000}));
  EXPECT_EQ(parse_range("bytes=900-99999999999999999999999", 1000), Wanted(ByteRange{900, 1000}));
  EXPECT_EQ(parse_range("bytes=-1", 1000), Wanted(ByteRange{999, 1000}));
  // CVE-2017-7529: a suffix longer than the object is the object.
  EXPECT_EQ(parse_range("bytes=-99999999999999999999", 1000), Wanted(ByteRange{0, 1000}));
  EXPECT_EQ(parse_range("bytes=18446744073709551615-18446744073709551615", 1000),
            Wanted(Unsatisfiable{}));
  EXPECT_EQ(parse_range("bytes=1000-", 1000), Wanted(Unsatisfiable{}));
  EXPECT_EQ(parse_range("bytes=-0", 1000), Wanted(Unsatisfiable{}));
  EXPECT_EQ(parse_range("bytes=0-0", 0), Wanted(Unsatisfiable{}));
}

TEST(ParseRange, AnswersWhatItDoesNotServeWithTheWhole) {
  for (const std::string_view other :
       {"", "bytes", "bytes=", "bytes=-", "bytes=5-1", "bytes=a-b", "items=0-1", "bytes=0-1,5-9",
        "bytes=--1", "bytes=1--1", "bytes=0x1-2"})
    EXPECT_EQ(parse_range(other, 1000), Wanted(WholeObject{})) << other;
}

TEST(NotModified, ComparesTagsWeaklyAndPrefersThem) {
  const Validators object{"\"abc\"", UtcTime(seconds(1'700'000'000))};
  EXPECT_TRUE(not_modified(
      {.if_none_match = "\"x\", W/\"abc\"", .if_modified_since = {}, .if_range = {}}, object));
  EXPECT_TRUE(
      not_modified({.if_none_match = "*", .if_modified_since = {}, .if_range = {}}, object));
  EXPECT_FALSE(not_modified({"\"ab\"", format_http_date(*object.modified), {}}, object));
  const std::string date = format_http_date(*object.modified);
  EXPECT_TRUE(not_modified({{}, date, {}}, object));
  const std::string before = format_http_date(*object.modified - seconds(1));
  EXPECT_FALSE(not_modified({{}, before, {}}, object));
  EXPECT_FALSE(not_modified({{}, "yesterday", {}}, object));
}

TEST(RangeApplies, OnlyToTheVeryObject) {
  const Validators object{"\"abc\"", UtcTime(seconds(1'700'000'000))};
  const std::string date = format_http_date(*object.modified);
  EXPECT_TRUE(range_applies({{}, {}, {}}, object));
  EXPECT_TRUE(range_applies({{}, {}, "\"abc\""}, object));
  EXPECT_TRUE(range_applies({{}, {}, date}, object));
  EXPECT_FALSE(range_applies({{}, {}, "\"abd\""}, object));
  EXPECT_FALSE(range_applies({{}, {}, "W/\"abc\""}, object));
  EXPECT_FALSE(range_applies({{}, {}, "x"}, object));
}

TEST(Accepts, ReadsWeights) {
  for (const std::string_view yes :
       {"gzip", "br, GZIP;q=0.5", "*", "identity, gzip", "*;q=0, gzip"})
    EXPECT_TRUE(accepts(yes, "gzip")) << yes;
  for (const std::string_view no : {"", "br", "gzip;q=0", "gzip; q=0.000", "*;q=0", "gzip;q=0, *"})
    EXPECT_FALSE(accepts(no, "gzip")) << no;
}

TEST(HttpDate, ReadsAllThreeForms) {
  const UtcTime time{seconds(784'111'777)};
  EXPECT_EQ(format_http_date(time), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), time);
  EXPECT_EQ(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT"), time);
  EXPECT_EQ(parse_http_date("Sun Nov  6 08:49:37 1994"), time);
  for (const std::string_view bad : {"", "Sun, 31 Feb 1994 08:49:37 GMT",
                                     "Sun, 06 Nov 1994 24:49:37 GMT", "x y z a b c d e f g"})
    EXPECT_EQ(parse_http_date(bad), std::nullopt) << bad;
}

TEST(ResponseHead, WritesLinesInOrder) {
  std::string buffer = "left over";
  EXPECT_EQ(ResponseHead(buffer, 404).field("Content-Length", 12U).lines("A: b\r\n").finish(),
            "HTTP/1.1 404 Not Found\r\nContent-Length: 12\r\nA: b\r\n\r\n");
}

TEST(DateText, ChangesWithTheSecond) {
  DateText date;
  EXPECT_EQ(date.at(UtcTime(microseconds(784'111'777'999'999))), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(date.at(UtcTime(microseconds(784'111'778'000'000))), "Sun, 06 Nov 1994 08:49:38 GMT");
}

TEST(Gzip, IsReadByZlibAndSkipsWhatIsSmall) {
  EXPECT_FALSE(gzip(as_bytes("short")));
  std::string text;
  for (int i = 0; i < 500; ++i) text += fmt::format("#EXTINF:2.000,\n{}.m4s\n", i);
  const auto packed = gzip(as_bytes(text));
  ASSERT_TRUE(packed);
  EXPECT_LT(packed->size(), text.size() / 4);
  z_stream stream{};
  ASSERT_EQ(inflateInit2(&stream, 16 + MAX_WBITS), Z_OK);
  std::string back(text.size(), '\0');
  stream.next_in = const_cast<Bytef*>(as_u8(packed->bytes()));
  stream.avail_in = static_cast<uInt>(packed->size());
  stream.next_out = reinterpret_cast<Bytef*>(back.data());
  stream.avail_out = static_cast<uInt>(back.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  inflateEnd(&stream);
  EXPECT_EQ(back, text);
}

}  // namespace
}  // namespace kapok::http
