// docs/operations.md names every metric and every log event from info upwards of the sources, and
// no event that none of them writes.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <string>

namespace kapok::app {
namespace {

std::string read(const std::filesystem::path& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::set<std::string> all_matches(const std::string& text, const std::regex& pattern) {
  std::set<std::string> out;
  for (std::sregex_iterator at(text.begin(), text.end(), pattern), end; at != end; ++at)
    out.insert((*at)[1]);
  return out;
}

class OperationsDocument : public testing::Test {
 protected:
  void SetUp() override {
    const char* source = std::getenv("KAPOK_SOURCE_DIR");
    if (source == nullptr) GTEST_SKIP() << "KAPOK_SOURCE_DIR is not set";
    const std::filesystem::path root(source);
    document = read(root / "docs" / "operations.md");
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root / "server")) {
      const std::string name = entry.path().filename().string();
      const bool code = name.ends_with(".cpp") || name.ends_with(".hpp");
      if (!code || name.ends_with("_test.cpp") || name.ends_with("_test.hpp")) continue;
      sources += read(entry.path());
    }
  }
  std::string document;
  std::string sources;
};

TEST_F(OperationsDocument, NamesEveryLogEventAndNoOther) {
  const auto shown = all_matches(
      sources,
      std::regex(
          R"re(\b(?:info\(|warn\(|error\(|log_notice\([a-z_.]+,)\s*"([a-z_]+(?:\.[a-z_]+)+)")re"));
  const auto debug =
      all_matches(sources, std::regex(R"re(\bdebug\(\s*"([a-z_]+(?:\.[a-z_]+)+)")re"));
  const auto told = all_matches(
      document, std::regex(R"re(\| `([a-z_]+\.[a-z_.]+)` \| (?:debug|info|warn|err))re"));
  EXPECT_FALSE(shown.empty());
  for (const std::string& event : shown)
    EXPECT_TRUE(told.contains(event)) << event << " is missing in docs/operations.md";
  for (const std::string& event : told)
    EXPECT_TRUE(shown.contains(event) || debug.contains(event))
        << event << " is in docs/operations.md only";
}

TEST_F(OperationsDocument, NamesEveryMetric) {
  const auto made = all_matches(sources, std::regex(R"re("(kapok_[a-z0-9_]+)")re"));
  EXPECT_FALSE(made.empty());
  for (const std::string& metric : made)
    EXPECT_NE(document.find("`" + metric + "`"), std::string::npos)
        << metric << " is missing in docs/operations.md";
}

}  // namespace
}  // namespace kapok::app
