#include "server/picture/protocols/http/request_head.hpp"

#include <gtest/gtest.h>

#include "server/picture/protocols/http/chunked.hpp"

namespace kapok::http {
namespace {

std::optional<unsigned> refused(std::string_view bytes) {
  RequestHead head;
  const auto refusal = parse_head(bytes, head);
  if (!refusal) return std::nullopt;
  return refusal->status;
}
RequestHead parsed(std::string_view bytes) {
  RequestHead head;
  const auto refusal = parse_head(bytes, head);
  EXPECT_FALSE(refusal) << refusal->why;
  return head;
}

TEST(RequestHead, FindsWhatMediaRoutesLookAt) {
  const RequestHead head = parsed(
      "GET /live/a/source/media.m3u8?_HLS_msn=5 HTTP/1.1\r\nHost: x\r\nRange:bytes=0-\r\n"
      "Accept-Encoding: gzip, br \r\nIF-NONE-MATCH: \"a\"\r\nX-Own:\t y \r\n\r\n");
  EXPECT_EQ(head.method, Method::get);
  EXPECT_EQ(head.raw_path, "/live/a/source/media.m3u8");
  EXPECT_EQ(head.query, "_HLS_msn=5");
  EXPECT_EQ(head.range, "bytes=0-");
  EXPECT_EQ(head.accept_encoding, "gzip, br");
  EXPECT_EQ(head.if_none_match, "\"a\"");
  EXPECT_EQ(head.header("x-own"), "y");
  EXPECT_TRUE(head.keep_alive);
  EXPECT_FALSE(head.has_body());
}

TEST(RequestHead, KnowsWhenToClose) {
  EXPECT_FALSE(parsed("GET / HTTP/1.1\r\nHost: x\r\nConnection: TE, Close\r\n\r\n").keep_alive);
  EXPECT_FALSE(parsed("GET / HTTP/1.0\r\n\r\n").keep_alive);
  EXPECT_TRUE(parsed("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").keep_alive);
}

TEST(RequestHead, RefusesWhatTwoServersCouldReadDifferently) {
  const auto with = [](std::string_view fields) {
    return refused(fmt::format("POST / HTTP/1.1\r\nHost: x\r\n{}\r\n\r\n", fields));
  };
  EXPECT_EQ(with("Content-Length: 5\r\nTransfer-Encoding: chunked"), 400);
  EXPECT_EQ(with("Content-Length: 5\r\nContent-Length: 6"), 400);
  EXPECT_EQ(with("Content-Length: 5\r\nContent-Length: 5"), 400);
  for (const std::string_view bad : {"+5", "-5", "5, 5", "0x5", "", "5 5", "99999999999999999999"})
    EXPECT_EQ(with(fmt::format("Content-Length: {}", bad)), 400) << bad;
  EXPECT_EQ(with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"), 400);
  EXPECT_EQ(with("Transfer-Encoding: gzip, chunked"), 501);
  EXPECT_EQ(with("Transfer-Encoding: \x0b"
                 "chunked"),
            400);
  EXPECT_EQ(with("Transfer-Encoding : chunked"), 400);
  EXPECT_EQ(with("Content-Length: 5\r\n folded: x"), 400);
  EXPECT_EQ(with("A: b\nContent-Length: 5"), 400);
  EXPECT_EQ(with("A: b\rContent-Length: 5"), 400);
  EXPECT_EQ(with(std::string_view("A: b\0c", 6)), 400);
  EXPECT_EQ(with(": x"), 400);
  EXPECT_EQ(with("no colon"), 400);
  EXPECT_EQ(with("Host: y"), 400);
  EXPECT_EQ(refused("GET / HTTP/1.1\r\n\r\n"), 400);
  EXPECT_EQ(refused("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
}

TEST(RequestHead, RefusesOddRequestLines) {
  for (const std::string_view line :
       {"GET /", "GET  / HTTP/1.1 ", "GET / HTTP/1.1x", "GET / http/1.1", "G@T / HTTP/1.1",
        "GET \x01/ HTTP/1.1", "GET /\xc3\xa4 HTTP/1.1", "GET x HTTP/1.1", "GET * HTTP/1.1",
        "GET ftp://h/x HTTP/1.1", "GET http:///x HTTP/1.1", "GET / HTTP/1.1 HTTP/1.1",
        " / HTTP/1.1"})
    EXPECT_EQ(refused(fmt::format("{}\r\nHost: x\r\n\r\n", line)), 400) << line;
  EXPECT_EQ(refused("GET / HTTP/2.0\r\nHost: x\r\n\r\n"), 505);
  EXPECT_EQ(refused("GET / HTTP/3.9\r\nHost: x\r\n\r\n"), 505);
}

TEST(RequestHead, TakesTheAbsoluteForm) {
  const RequestHead head = parsed("GET http://other:80/a/b?c HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(head.raw_path, "/a/b");
  EXPECT_EQ(head.query, "c");
}

TEST(RequestHead, HasLimits) {
  EXPECT_EQ(refused(fmt::format("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n",
                                std::string(kMaxRequestLine, 'a'))),
            414);
  EXPECT_EQ(refused(fmt::format("GET / HTTP/1.1\r\nHost: x\r\nA: {}\r\n\r\n",
                                std::string(kMaxHeaderBytes, 'a'))),
            431);
  std::string many = "GET / HTTP/1.1\r\nHost: x\r\n";
  for (std::size_t i = 1; i < kMaxHeaders; ++i) many += "A: b\r\n";
  EXPECT_FALSE(refused(many + "\r\n"));
  EXPECT_EQ(refused(many + "A: b\r\n\r\n"), 431);
  EXPECT_EQ(refuse_endless(std::string(kMaxHeadBytes, 'a')).status, 414U);
  EXPECT_EQ(refuse_endless("GET / HTTP/1.1\r\n" + std::string(kMaxHeadBytes, 'a')).status, 431U);
}

TEST(HeadScanner, FindsTheEndOfAHeadThatComesByteByByte) {
  const std::string_view whole = "GET / HTTP/1.1\r\nHost: x\r\n\r\nnext";
  HeadScanner scanner;
  for (std::size_t size = 0; size < whole.size() - 4; ++size)
    EXPECT_EQ(scanner.scan(whole.substr(0, size)), 0U);
  EXPECT_EQ(scanner.scan(whole), whole.size() - 4);
}

std::optional<std::string> unchunked(std::string_view bytes, std::size_t step) {
  ChunkedDecoder decoder(100);
  while (!bytes.empty() && !decoder.complete()) {
    const auto taken = decoder.receive(bytes.substr(0, step));
    if (!taken) return std::nullopt;
    bytes.remove_prefix(*taken);
  }
  if (!decoder.complete() || !bytes.empty()) return std::nullopt;
  const Bytes body = decoder.take();
  return std::string(as_text(body));
}

TEST(ChunkedDecoder, JoinsChunksHoweverTheyArrive) {
  const std::string_view whole = "5;ext=1\r\nhello\r\n6 \r\n world\r\n0\r\nTrailer: x\r\n\r\n";
  for (std::size_t step = 1; step <= whole.size(); ++step)
    EXPECT_EQ(unchunked(whole, step), "hello world");
}

TEST(ChunkedDecoder, RefusesSizesThatAreNotNumbersAndBodiesOverTheLimit) {
  for (const std::string_view bad :
       {"-1\r\n", "\r\n", "g\r\n", "0x5\r\nhello", "5\nhello", "5\r\nhelloX", "65\r\n",
        "ffffffffffffffff\r\n", "1ffffffffffffffff\r\n", "5\rx\r\nhello"})
    EXPECT_FALSE(unchunked(bad, bad.size())) << bad;
  EXPECT_FALSE(unchunked("1;" + std::string(kMaxChunkLine, 'a'), 7));
}

TEST(ChunkHead, IsTheSizeInHex) {
  EXPECT_EQ(chunk_head(0x1a2b).view(), "1a2b\r\n");
}

}  // namespace
}  // namespace kapok::http
