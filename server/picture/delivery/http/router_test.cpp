#include "server/picture/delivery/http/router.hpp"

#include <gtest/gtest.h>

namespace kapok::delivery {
namespace {

class RouterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const Handler handler = [](std::shared_ptr<const http::Request>,
                               PathParameters) -> Task<http::Response> {
      co_return http::Response();
    };
    router_.add(http::Method::get, "/healthz", handler);
    router_.add(http::Method::get, "/api/v1/channels/{id}", handler);
    router_.add(http::Method::put, "/api/v1/channels/{id}", handler);
    router_.add(http::Method::get, "/log/{rest...}", handler);
  }
  Router router_;
};

TEST_F(RouterTest, MatchesLiteralsParametersAndTheRest) {
  EXPECT_NE(router_.match(http::Method::get, "/healthz").handler, nullptr);
  const auto channel = router_.match(http::Method::put, "/api/v1/channels/hall-1");
  ASSERT_NE(channel.handler, nullptr);
  EXPECT_EQ(channel.parameters.at("id"), "hall-1");
  const auto tile = router_.match(http::Method::get, "/log/tile/0/x001");
  ASSERT_NE(tile.handler, nullptr);
  EXPECT_EQ(tile.parameters.at("rest"), "tile/0/x001");
}

TEST_F(RouterTest, DoesNotMatchOtherDepthsOrEmptyParameters) {
  for (const std::string_view path :
       {"/", "/healthz/", "/healthz/x", "/api/v1/channels", "/api/v1/channels/",
        "/api/v1/channels/a/b", "/log", "/Healthz"}) {
    const auto match = router_.match(http::Method::get, path);
    EXPECT_EQ(match.handler, nullptr) << path;
    EXPECT_TRUE(match.allowed.empty()) << path;
  }
}

TEST_F(RouterTest, TellsTheOtherMethodsOfAPath) {
  const auto match = router_.match(http::Method::del, "/api/v1/channels/a");
  EXPECT_EQ(match.handler, nullptr);
  EXPECT_EQ(match.allowed, (std::vector{http::Method::get, http::Method::put}));
}

}  // namespace
}  // namespace kapok::delivery
