#include "server/picture/protocols/http/target.hpp"

#include <gtest/gtest.h>

#include "server/picture/protocols/http/message.hpp"

namespace kapok::http {
namespace {

std::optional<std::string> normal(std::string_view raw) {
  std::string storage;
  const auto path = normalise_path(raw, storage);
  if (!path) return std::nullopt;
  return std::string(*path);
}

TEST(NormalisePath, DecodesOnce) {
  EXPECT_EQ(normal("/live/a/master.m3u8"), "/live/a/master.m3u8");
  EXPECT_EQ(normal("/"), "/");
  EXPECT_EQ(normal("/console/"), "/console/");
  EXPECT_EQ(normal("/a%20b/%e4%b8%ad"), "/a b/中");
  EXPECT_EQ(normal("/.well-known/x..y"), "/.well-known/x..y");
}

TEST(NormalisePath, RefusesEveryWayOutOfTheFolder) {
  for (const std::string_view bad : {"",
                                     "a",
                                     "/..",
                                     "/../etc/passwd",
                                     "/a/../b",
                                     "/a/./b",
                                     "/.",
                                     "/a/..",
                                     "//etc",
                                     "/a//b",
                                     "/%2e%2e/x",
                                     "/.%2e/x",
                                     "/%2E./x",
                                     "/a%2fb",
                                     "/a%2Fb",
                                     "/a%5cb",
                                     "/a\\b",
                                     "/..\\x",
                                     "/%00",
                                     "/a%00.m3u8",
                                     "/%252e%252e/x",
                                     "/%25",
                                     "/%",
                                     "/%2",
                                     "/%zz",
                                     "/%0d%0aX: y",
                                     "/%7f",
                                     "/%c0%ae%c0%ae/",
                                     "/%c0%af",
                                     "/%ff",
                                     "/%e0%80%af",
                                     "/%ed%a0%80",
                                     "/%f4%90%80%80",
                                     "/a b",
                                     "/a\"b",
                                     "/<script>",
                                     "/a\tb",
                                     "/%u002e",
                                     "/..;/x/..",
                                     "/a#b"})
    EXPECT_EQ(normal(bad), std::nullopt) << bad;
}

TEST(NormalisePath, LimitsNames) {
  EXPECT_TRUE(normal("/" + std::string(255, 'a')));
  EXPECT_FALSE(normal("/" + std::string(256, 'a')));
}

TEST(QueryValue, IsTheFirstOfThatNameDecoded) {
  Request request;
  request.query = "a=1&token=x%2By+z&a=2&flag&empty=&bad=%g1";
  EXPECT_EQ(request.query_value("a"), "1");
  EXPECT_EQ(request.query_value("token"), "x+y z");
  EXPECT_EQ(request.query_value("flag"), "");
  EXPECT_EQ(request.query_value("empty"), "");
  EXPECT_EQ(request.query_value("bad"), std::nullopt);
  EXPECT_EQ(request.query_value("b"), std::nullopt);
}

TEST(Request, FindsHeadersWithoutCase) {
  Request request;
  request.headers = {{"Content-Type", "text/plain"}};
  EXPECT_EQ(request.header("content-TYPE"), "text/plain");
  EXPECT_EQ(request.header("content-typ"), std::nullopt);
}

}  // namespace
}  // namespace kapok::http
