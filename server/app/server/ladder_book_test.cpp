#include "server/app/server/ladder_book.hpp"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <cstdlib>
#include <fstream>

namespace kapok::app {
namespace {

namespace json = boost::json;

json::object given(std::string_view text) {
  return json::parse(json::string_view(text.data(), text.size())).as_object();
}

constexpr std::string_view kOwn = R"({
  "name": "own", "device": "software",
  "video": [{"name": "720p", "codec": "avc", "height": 720, "rate": "half", "bit_rate": 2500000,
             "preset": "veryfast"}],
  "audio": [{"name": "stereo", "codec": "aac", "channels": 2, "bit_rate": 128000,
             "loudness": -23}],
  "detect": {"black": "1500ms", "frozen_noise": 2}})";

std::filesystem::path presets() {
  const char* source = std::getenv("KAPOK_SOURCE_DIR");
  return std::filesystem::path(source == nullptr ? "." : source) / "config" / "ladders";
}

std::vector<ChannelConfig> channels() {
  ChannelConfig channel;
  channel.id = "museum";
  return {channel};
}

TEST(LadderJson, IsReadAsALaddersFileIs) {
  media::Ladder ladder;
  ladder.name = "museum";
  const LoadedConfig loaded = load_ladder_json(given(kOwn), presets(), ladder);
  ASSERT_TRUE(loaded.ok()) << loaded.errors.front().cause;
  EXPECT_EQ(ladder.name, "own");
  EXPECT_EQ(ladder.device, "software");
  ASSERT_EQ(ladder.video.size(), 1U);
  EXPECT_EQ(ladder.video[0].rate, media::RungRate::half);
  EXPECT_EQ(ladder.video[0].vbv_ms, 1000U) << "what is left out is as in a file";
  EXPECT_EQ(ladder.audio.at(0).loudness, -23);
  EXPECT_EQ(ladder.detect.black, milliseconds(1500));
  EXPECT_EQ(ladder.detect.frozen_noise, 2U);
  media::Ladder preset;
  ASSERT_TRUE(load_ladder_json(given(R"({"preset":"low-power"})"), presets(), preset).ok());
  EXPECT_EQ(preset.name, "low-power");
  EXPECT_EQ(preset.video.size(), 2U);
}

TEST(LadderJson, StillsAndClockAreFieldsToo) {
  json::object wish = given(kOwn);
  wish["poster"] = given(R"({"interval": "30s", "side": 640})");
  wish["thumbnails"] = given(R"({"enabled": false})");
  wish["clock"] = true;
  media::Ladder ladder;
  ladder.name = "museum";
  const LoadedConfig loaded = load_ladder_json(wish, presets(), ladder);
  ASSERT_TRUE(loaded.ok()) << loaded.errors.front().cause;
  EXPECT_EQ(ladder.poster, (media::PosterWish{true, seconds(30), 640}));
  EXPECT_FALSE(ladder.thumbnails.enabled);
  EXPECT_TRUE(ladder.clock);
}

TEST(LadderJson, ALogoThatIsNotThereIsRefused) {
  json::object wish = given(kOwn);
  wish["overlay"] = given(R"({"image": "nothing.png"})");
  media::Ladder ladder;
  ladder.name = "museum";
  const LoadedConfig loaded = load_ladder_json(wish, presets(), ladder);
  ASSERT_FALSE(loaded.ok());
  EXPECT_EQ(loaded.errors.front().key, "overlay.image");
  EXPECT_NE(loaded.errors.front().cause.find("nothing.png"), std::string::npos);
}

TEST(LadderJson, AGraphOfElementsComesFromFilesAlone) {
  media::Ladder ladder;
  ladder.name = "museum";
  const LoadedConfig loaded =
      load_ladder_json(given(R"({"engine": "gstreamer", "video": [{"name": "own", "height": 720,
                "bit_rate": 3000000, "bin": "x264enc"}]})"),
                       presets(), ladder);
  ASSERT_FALSE(loaded.ok());
  EXPECT_EQ(loaded.errors.front().key, "video.bin");
  EXPECT_NE(loaded.errors.front().remedy.find("transcoder.ladders"), std::string::npos);
}

struct Wrong {
  std::string_view text;
  std::string_view key;
  std::string_view cause;
};
class LadderJsonProblems : public testing::TestWithParam<Wrong> {};

TEST_P(LadderJsonProblems, NameTheFieldTheCauseAndARemedy) {
  media::Ladder ladder;
  ladder.name = "museum";
  const LoadedConfig loaded = load_ladder_json(given(GetParam().text), presets(), ladder);
  ASSERT_FALSE(loaded.ok());
  const ConfigProblem& problem = loaded.errors.front();
  EXPECT_EQ(problem.key, GetParam().key);
  EXPECT_NE(problem.cause.find(GetParam().cause), std::string::npos) << problem.cause;
  EXPECT_NE(problem.remedy, "");
}

INSTANTIATE_TEST_SUITE_P(
    EveryKind, LadderJsonProblems,
    testing::Values(Wrong{"{}", "", "no rung"}, Wrong{R"({"video":[]})", "", "no rung"},
                    Wrong{R"({"preset":"low-powr"})", "preset", "cannot be read"},
                    Wrong{R"({"preset":"../../etc/passwd"})", "preset", "no preset's name"},
                    Wrong{R"({"preset":"low-power","device":"auto"})", "preset", "other fields"},
                    Wrong{R"({"name":"Big Hall","video":[]})", "name", "not a valid name"},
                    Wrong{R"({"engin":"ffmpeg"})", "engin", "no such key"},
                    Wrong{R"({"video":[{"name":"a","height":720,"bit_rate":1000000,"heigth":3}]})",
                          "video[0].heigth", "no such key"},
                    Wrong{R"({"video":[{"name":"a","height":721,"bit_rate":1000000}]})",
                          "video[0].height", "even"},
                    Wrong{R"({"video":[{"name":"a","height":"720","bit_rate":1000000}]})",
                          "video[0].height", "whole number"},
                    Wrong{
                        R"({"video":[{"name":"a\n[[audio]]\n","height":720,"bit_rate":1000000}]})",
                        "video[0].name", "not a valid name"},
                    Wrong{R"({"video":[{"name":"a","height":720,"bit_rate":1000000,"codec":{}}]})",
                          "video[0].codec", "word"}));

struct Book {
  std::filesystem::path folder;
  LadderBook book;
  Book() : folder(make_folder()), book(folder / "ladders", Log()) {
    book.configure(channels(), presets());
  }
  ~Book() { std::filesystem::remove_all(folder); }
  Book(const Book&) = delete;
  Book& operator=(const Book&) = delete;
  static std::filesystem::path make_folder() {
    std::string name = testing::TempDir() + "ladders-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    return name;
  }
};

TEST(LadderBook, WhatWasSetOutlivesARestartUntilItIsTakenBack) {
  Book first;
  EXPECT_EQ(first.book.of("museum"), std::nullopt);
  const auto set = first.book.set("museum", given(kOwn));
  ASSERT_TRUE(set) << set.error().cause;
  EXPECT_EQ(first.book.of("museum"), *set);
  LadderBook second(first.folder / "ladders", Log());
  second.configure(channels(), presets());
  EXPECT_EQ(second.of("museum"), *set);
  ASSERT_TRUE(second.reset("museum"));
  EXPECT_EQ(second.of("museum"), std::nullopt);
  EXPECT_EQ(second.reset("museum").error().code, Errc::not_found);
  LadderBook third(first.folder / "ladders", Log());
  third.configure(channels(), presets());
  EXPECT_EQ(third.of("museum"), std::nullopt);
}

TEST(LadderBook, AWrongOneLeavesWhatWas) {
  Book books;
  const auto set = books.book.set("museum", given(R"({"preset":"4k-sdr-museum"})"));
  ASSERT_TRUE(set);
  const auto wrong = books.book.set("museum", given(R"({"preset":"none"})"));
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, Errc::config);
  EXPECT_EQ(books.book.of("museum"), *set);
  EXPECT_EQ(books.book.set("nobody", given(kOwn)).error().code, Errc::not_found);
}

TEST(LadderBook, AFileThatIsNoLadderIsLeftOutAndAnotherMaySetItAnew) {
  Book books;
  std::filesystem::create_directories(books.folder / "ladders");
  for (const char* text : {"", "[]", "{\"video\":3}", "{\"preset\":\"gone\"}"}) {
    std::ofstream(books.folder / "ladders" / "museum.json") << text;
    books.book.configure(channels(), presets());
    EXPECT_EQ(books.book.of("museum"), std::nullopt) << text;
  }
  EXPECT_TRUE(books.book.set("museum", given(kOwn)));
}

TEST(LadderBook, ListsThePresets) {
  Book books;
  const auto ladders = books.book.presets().value();
  ASSERT_EQ(ladders.size(), 6U);
  EXPECT_EQ(ladders.front().name, "4k-sdr-museum");
}

}  // namespace
}  // namespace kapok::app
