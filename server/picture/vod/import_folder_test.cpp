#include "server/picture/vod/import_folder.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

namespace kapok::vod {
namespace {

namespace fs = std::filesystem;

class ImportFolder : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("kapok-import-" + std::to_string(::getpid()));
    fs::create_directories(folder_ / "import" / "films");
    std::ofstream(folder_ / "secret") << "secret";
    std::ofstream(folder_ / "import" / "a.mp4") << "twelve bytes";
    std::ofstream(folder_ / "import" / "films" / "b.mkv") << "x";
    std::ofstream(folder_ / "import" / "empty.ts");
    fs::create_symlink(folder_ / "secret", folder_ / "import" / "link");
    fs::create_directory_symlink(folder_, folder_ / "import" / "up");
    ::mkfifo((folder_ / "import" / "pipe").c_str(), 0600);
  }
  void TearDown() override { fs::remove_all(folder_); }
  Errc refusal(std::string_view path) const {
    const auto opened = open_import(folder_ / "import", path);
    EXPECT_FALSE(opened) << path;
    return opened ? Errc::internal : opened.error().code;
  }
  fs::path folder_;
};

TEST_F(ImportFolder, OpensFilesBelowIt) {
  const auto file = open_import(folder_ / "import", "a.mp4");
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->identity.size, 12U);
  EXPECT_GT(file->identity.modified_ns, 0);
  EXPECT_TRUE(open_import(folder_ / "import", "films/b.mkv"));
}

TEST_F(ImportFolder, NeverLeadsOut) {
  for (const std::string_view path : {"../secret", "films/../../secret", "/etc/passwd", "", ".",
                                      "films/", "films//b.mkv", "./a.mp4", "a\nb"})
    EXPECT_EQ(refusal(path), Errc::malformed) << path;
  EXPECT_EQ(refusal("link"), Errc::denied);
  EXPECT_EQ(refusal("up/secret"), Errc::denied);
  EXPECT_EQ(refusal(std::string(2'000, 'a')), Errc::malformed);
}

TEST_F(ImportFolder, SaysWhatIsThereInstead) {
  EXPECT_EQ(refusal("none.mp4"), Errc::not_found);
  EXPECT_EQ(refusal("films"), Errc::unsupported);
  EXPECT_EQ(refusal("pipe"), Errc::unsupported);
  EXPECT_EQ(refusal("empty.ts"), Errc::unsupported);
  const auto none = open_import({}, "a.mp4");
  ASSERT_FALSE(none);
  EXPECT_NE(none.error().message.find("vod.import"), std::string::npos);
}

}  // namespace
}  // namespace kapok::vod
