#include "server/app/server/config_catalogue.hpp"

#include <gtest/gtest.h>

#include "server/app/server/config_load.hpp"

namespace kapok::app {
namespace {

constexpr std::string_view kHead =
    "[[channel]]\nid = \"c\"\nkey = \"a long key\"\n"
    "[[enterprise]]\nid = \"e\"\nname = \"E\"\n";

Result<catalogue::Catalogue> made_from(std::string_view text) {
  const auto loaded = load_config({"f", std::string(kHead) + std::string(text), 0600}, {});
  EXPECT_TRUE(loaded.ok());
  return catalogue_of(loaded.config);
}

TEST(ConfigCatalogue, AProgrammeWithoutAWorkIsOneOfItsOwn) {
  const auto made =
      made_from("[[programme]]\nid = \"p\"\ntitle = \"P\"\nchannel = \"c\"\nenterprise = \"e\"\n");
  ASSERT_TRUE(made) << made.error().message;
  ASSERT_EQ(made->config().works.size(), 1U);
  EXPECT_EQ(made->config().works[0].id, "p");
  EXPECT_EQ(made->config().works[0].title, "P");
  EXPECT_FALSE(made->config().works[0].baseline);
}

TEST(ConfigCatalogue, AWorkIsBaselineByItsOwnWordOrAProgrammes) {
  const auto made = made_from(
      "[[work]]\nid = \"old\"\ntitle = \"Old\"\nbaseline = true\n"
      "[[work]]\nid = \"new\"\ntitle = \"New\"\n"
      "[[work]]\nid = \"told\"\ntitle = \"Told\"\n"
      "[[programme]]\nid = \"p\"\nwork = \"told\"\nchannel = \"c\"\nenterprise = \"e\"\nnew = "
      "false\n");
  ASSERT_TRUE(made) << made.error().message;
  for (const catalogue::Work& work : made->config().works)
    EXPECT_EQ(work.baseline, work.id != "new") << work.id;
}

}  // namespace
}  // namespace kapok::app
