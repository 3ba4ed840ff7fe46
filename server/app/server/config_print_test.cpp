#include "server/app/server/config_print.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <set>

#include "server/app/server/config_load.hpp"

namespace kapok::app {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(PrintedConfig, NeverShowsAKey) {
  const auto loaded = load_config(
      {"f",
       "[[channel]]\nid = \"a\"\nkey = \"topsecret\"\n[[channel.feed]]\nname = \"b\"\nkey = "
       "\"hidden22\"\n",
       0600},
      {});
  ASSERT_TRUE(loaded.ok());
  const std::string printed = print_config(loaded.config);
  EXPECT_THAT(printed, Not(HasSubstr("topsecret")));
  EXPECT_THAT(printed, Not(HasSubstr("hidden22")));
  EXPECT_THAT(printed, HasSubstr("key = \"********\""));
}

TEST(ConfigReference, NamesEveryKeyOnce) {
  const std::string text = config_reference();
  for (const SectionSpec& section : sections()) {
    std::set<std::string_view> names;
    for (const KeySpec& key : section.keys) {
      EXPECT_TRUE(names.insert(key.name).second) << key.name;
      EXPECT_THAT(text, HasSubstr("| `" + std::string(key.name) + "` |"));
      EXPECT_FALSE(key.help.empty());
    }
  }
}

TEST(ConfigReference, IsWhatTheDocumentSays) {
  const char* source = std::getenv("KAPOK_SOURCE_DIR");
  if (source == nullptr) GTEST_SKIP() << "KAPOK_SOURCE_DIR is not set";
  std::ifstream in(std::filesystem::path(source) / "docs" / "configuration.md");
  const std::string text((std::istreambuf_iterator<char>(in)), {});
  EXPECT_EQ(text, config_reference())
      << "remedy: kapok-server --config-reference > docs/configuration.md";
}

TEST(ConfigDefaults, LieWithinTheirOwnRanges) {
  const auto loaded = load_config({"f", print_config(Config{}), 0600}, {});
  EXPECT_TRUE(loaded.ok()) << (loaded.ok() ? "" : format_problem(loaded.errors[0], "error"));
}

TEST(ConfigChanges, TellWhatAReloadAppliesAndWhatNeedsARestart) {
  const auto load = [](std::string text) {
    return load_config({"f", std::move(text), 0600}, {}).config;
  };
  const Config before = load("[[channel]]\nid = \"a\"\nkey = \"number one\"\n");
  EXPECT_TRUE(config_changes(before, before).empty());
  const Config after = load(
      "[log]\nlevel = \"debug\"\n[rtmp]\nport = 7\n[[channel]]\nid = \"a\"\nkey = \"number "
      "two\"\n");
  const auto changes = config_changes(before, after);
  ASSERT_EQ(changes.size(), 3u);
  EXPECT_EQ(changes[0].key, "rtmp.port");
  EXPECT_EQ(changes[0].applies, Applies::on_restart);
  EXPECT_EQ(changes[1].key, "log.level");
  EXPECT_EQ(changes[1].applies, Applies::on_reload);
  EXPECT_EQ(changes[2].key, "channel");  // only the key differs, and it is masked when printed
}

}  // namespace
}  // namespace kapok::app
