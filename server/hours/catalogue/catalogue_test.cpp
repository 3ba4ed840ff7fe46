#include "server/hours/catalogue/catalogue.hpp"

#include <gtest/gtest.h>

namespace kapok::catalogue {
namespace {

UtcTime at(int second) {
  return UtcTime(seconds(1'790'000'000 + second));
}

CatalogueConfig sample() {
  CatalogueConfig config;
  config.enterprises = {{"gdtv", "广东广播电视台", EnterpriseKind::broadcaster}};
  config.works = {{"film", "Film", true}};
  Programme film{"film-1", "film", "Film", "demo", "gdtv", at(0), at(100)};
  Programme match{"match-1", "match", "Match", "demo", "gdtv", at(200), at(300)};
  match.free = false;
  Programme always{"tour", "tour", "Tour", "museum", "gdtv", std::nullopt, std::nullopt};
  config.programmes = {match, film, always};
  return config;
}

TEST(Catalogue, FindsTheProgrammeHalfOpen) {
  const Catalogue catalogue = Catalogue::create(sample()).value();
  EXPECT_EQ(catalogue.find("demo", at(-1)), nullptr);
  EXPECT_EQ(catalogue.find("demo", at(0))->id, "film-1");
  EXPECT_EQ(catalogue.find("demo", at(99))->id, "film-1");
  EXPECT_EQ(catalogue.find("demo", at(100)), nullptr);
  EXPECT_EQ(catalogue.find("demo", at(250))->id, "match-1");
  EXPECT_EQ(catalogue.find("museum", at(1'000'000))->id, "tour");
  EXPECT_EQ(catalogue.find("other", at(0)), nullptr);
}

TEST(Catalogue, SplitsAStretchAtTheSchedule) {
  const Catalogue catalogue = Catalogue::create(sample()).value();
  const auto pieces = catalogue.split("demo", at(-10), at(250));
  ASSERT_EQ(pieces.size(), 4U);
  EXPECT_EQ(pieces[0].programme, nullptr);
  EXPECT_EQ(pieces[1].programme->id, "film-1");
  EXPECT_EQ(pieces[2].programme, nullptr);
  EXPECT_EQ(pieces[3].programme->id, "match-1");
  EXPECT_EQ(pieces[3].from, at(200));
  EXPECT_EQ(pieces[3].to, at(250));
  EXPECT_EQ(catalogue.split("none", at(0), at(1)).size(), 1U);
  EXPECT_TRUE(catalogue.split("demo", at(1), at(1)).empty());
}

TEST(Catalogue, ComesBackFromItsTextWithTheSameHash) {
  const Catalogue catalogue = Catalogue::create(sample()).value();
  const Catalogue again = Catalogue::parse(catalogue.canonical_text()).value();
  EXPECT_EQ(again.config(), catalogue.config());
  EXPECT_EQ(again.hash(), catalogue.hash());
}

TEST(Catalogue, MistakesAreNamed) {
  const auto error_of = [](auto change) {
    CatalogueConfig config = sample();
    change(config);
    const auto result = Catalogue::create(config);
    return result ? std::string() : result.error().message;
  };
  EXPECT_NE(error_of([](auto& c) { c.programmes[0].enterprise = "x"; }).find("match-1"),
            std::string::npos);
  EXPECT_NE(error_of([](auto& c) { c.programmes[0].from = at(50); }).find("same time"),
            std::string::npos);
  EXPECT_NE(error_of([](auto& c) { c.programmes[0].to = at(200); }).find("ends before"),
            std::string::npos);
  EXPECT_NE(error_of([](auto& c) { c.programmes[1].id = "match-1"; }).find("twice"),
            std::string::npos);
  EXPECT_NE(error_of([](auto& c) { c.programmes[1].id = "Film"; }).find("must match"),
            std::string::npos);
}

TEST(Catalogue, AWorkThatIsNotListedIsNewAndNamedAsItsProgramme) {
  const Catalogue catalogue = Catalogue::create(sample()).value();
  EXPECT_TRUE(catalogue.work("film")->baseline);
  ASSERT_NE(catalogue.work("match"), nullptr);
  EXPECT_FALSE(catalogue.work("match")->baseline);
  EXPECT_EQ(catalogue.work("match")->title, "Match");
}

TEST(Catalogue, ContentPositionCountsFromTheStart) {
  const Catalogue catalogue = Catalogue::create(sample()).value();
  EXPECT_EQ(content_position_ms(*catalogue.find("demo", at(10)), at(10)), 10'000);
}

TEST(Catalogue, KnowsTheCitiesOfGuangdong) {
  EXPECT_EQ(region_name(440300), "深圳");
  EXPECT_TRUE(region_name(110000).empty());
}

}  // namespace
}  // namespace kapok::catalogue
