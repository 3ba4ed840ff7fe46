#include "server/picture/delivery/http/static_files.hpp"

#include <gtest/gtest.h>

#include <fstream>

namespace kapok::delivery {
namespace {

namespace fs = std::filesystem;

class StaticFilesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/tmp/kapok-web-XXXXXX";
    outside_ = ::mkdtemp(name.data());
    folder_ = outside_ / "dist";
    fs::create_directories(folder_ / "assets");
    write(folder_ / "index.html", "<!doctype html>");
    write(folder_ / "console.html", "console");
    write(folder_ / "assets/app-1a2b.js", "script");
    write(folder_ / "assets/app-1a2b.js.gz", "packed");
    write(folder_ / "assets/app-1a2b.js.br", "tighter");
    write(outside_ / "secret", "secret");
    fs::create_symlink(outside_ / "secret", folder_ / "link.txt");
    files_ = StaticFiles::load(folder_).value();
  }
  void TearDown() override { fs::remove_all(outside_); }
  static void write(const fs::path& path, std::string_view text) { std::ofstream(path) << text; }
  std::optional<BytesReply> find(std::string_view path, std::string_view encodings = "") {
    return files_->find(path, {encodings, ""});
  }
  fs::path outside_;
  fs::path folder_;
  std::shared_ptr<StaticFiles> files_;
};

TEST_F(StaticFilesTest, ServesPagesRevalidatedAndAssetsForever) {
  const auto page = find("/");
  ASSERT_TRUE(page);
  EXPECT_EQ(page->body.text(), "<!doctype html>");
  EXPECT_EQ(page->type, "text/html; charset=utf-8");
  EXPECT_EQ(page->caching.scope, Caching::Scope::revalidate);
  EXPECT_NE(page->lines.find("Content-Security-Policy: default-src 'self'"),
            std::string_view::npos);
  const auto again = files_->find("/", {"", page->etag});
  EXPECT_EQ(again->status, 304U);
  EXPECT_TRUE(find("/assets/app-1a2b.js")->caching.immutable);
}

TEST_F(StaticFilesTest, SendsThePackedFormThatIsTaken) {
  EXPECT_EQ(find("/assets/app-1a2b.js", "gzip, br")->body.text(), "tighter");
  EXPECT_EQ(find("/assets/app-1a2b.js", "gzip")->body.text(), "packed");
  EXPECT_EQ(find("/assets/app-1a2b.js", "br;q=0")->body.text(), "script");
  EXPECT_TRUE(find("/assets/app-1a2b.js")->varies);
  EXPECT_FALSE(find("/assets/app-1a2b.js.gz"));
}

TEST_F(StaticFilesTest, FallsBackToThePageOfAPlace) {
  EXPECT_EQ(find("/watch/demo")->body.text(), "<!doctype html>");
  EXPECT_EQ(find("/console/users")->body.text(), "console");
  EXPECT_EQ(find("/report")->body.text(), "<!doctype html>");
  EXPECT_FALSE(find("/consoles"));
  EXPECT_FALSE(find("/nothing"));
}

TEST_F(StaticFilesTest, KnowsNothingOutsideOfTheFolder) {
  for (const std::string_view path : {"/../secret", "/link.txt", "/assets", "/assets/", "", "/."})
    EXPECT_FALSE(find(path)) << path;
}

TEST_F(StaticFilesTest, ReloadsAndKeepsTheOldOnError) {
  write(folder_ / "index.html", "new");
  ASSERT_TRUE(files_->reload());
  EXPECT_EQ(find("/")->body.text(), "new");
  fs::remove_all(folder_);
  const auto reloaded = files_->reload();
  ASSERT_FALSE(reloaded);
  EXPECT_EQ(reloaded.error().code, Errc::config);
  EXPECT_EQ(find("/")->body.text(), "new");
}

}  // namespace
}  // namespace kapok::delivery
