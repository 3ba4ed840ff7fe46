#include "tests/support/ts_loop.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

namespace kapok::support {
namespace {

// Three passes of a file that ffmpeg made, written out: ffprobe must find one stream without a
// break.
TEST(TsLoop, PassesJoinWithoutABreak) {
  const auto folder = std::filesystem::temp_directory_path() / "kapok-ts-loop-test";
  std::filesystem::create_directories(folder);
  const auto source = (folder / "source.ts").string();
  const auto looped = (folder / "looped.ts").string();
  const std::string make =
      "ffmpeg -nostdin -v error -y -f lavfi -i testsrc2=s=320x180:r=25:d=2 -c:v libx264 -preset "
      "ultrafast "
      "-bf 2 -g 25 -f mpegts " +
      source;
  if (std::system("ffmpeg -version >/dev/null 2>&1") != 0) GTEST_SKIP() << "no ffmpeg";
  ASSERT_EQ(std::system(make.c_str()), 0);
  auto file = TsFile::load(source);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ((*file)->pass_ticks, 2 * 90'000);

  TsLoop loop(*file);
  std::ofstream out(looped, std::ios::binary);
  nanoseconds last(-1);
  for (std::size_t i = 0; i < 3 * (*file)->due.size(); ++i) {
    EXPECT_GE(loop.due(), last);
    last = loop.due();
    const Buffer message = loop.next();
    out.write(message.text().data(), static_cast<std::streamsize>(message.size()));
  }
  out.close();
  const std::string check =
      "test -z \"$(ffmpeg -v warning -i " + looped +
      " -f null - 2>&1)\" && "
      "test $(ffprobe -v error -select_streams v -show_entries packet=dts -of csv=p=0 " +
      looped +
      " | awk -F, '/^[0-9]/ {n++; if (n > 1 && $1 - last != 3600) bad++; last = $1}"
      " END {print n \"-\" bad + 0}') = 150-0";
  EXPECT_EQ(std::system(check.c_str()), 0) << check;
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace kapok::support
