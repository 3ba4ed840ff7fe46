// The library as a server runs it, with kapok-transcoder as its worker: a film is made, killed on
// the way and finished, and ffmpeg reads every frame of what came of it.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "server/picture/vod/library.hpp"

namespace kapok::vod {
namespace {

namespace fs = std::filesystem;

constexpr int kSeconds = 12;

std::string output_of(const std::string& command) {
  std::string out;
  std::FILE* pipe = ::popen(command.c_str(), "r");
  char block[4096];
  while (const std::size_t got = std::fread(block, 1, sizeof block, pipe)) out.append(block, got);
  if (::pclose(pipe) != 0) ADD_FAILURE() << command;
  return out;
}

struct RecordedShelf final : Shelf {
  std::map<std::string, std::shared_ptr<const packaging::ClosedWindow>> items;
  void put(const std::string& id, std::shared_ptr<const packaging::ClosedWindow> item) override {
    if (item)
      items[id] = std::move(item);
    else
      items.erase(id);
  }
};

struct PidLog final : LogSink {
  std::int64_t worker = 0;
  std::string text;
  bool enabled(LogLevel) const override { return true; }
  void write(LogLevel, std::string_view event, std::span<const LogField>,
             std::span<const LogField> fields) override {
    text += std::string(event);
    for (const LogField& field : fields) {
      if (event == "vod.started" && field.key == "pid")
        if (const auto* pid = std::get_if<std::int64_t>(&field.value.held())) worker = *pid;
      if (const auto* said = std::get_if<std::string>(&field.value.held()))
        text += " " + field.key + "=" + *said;
    }
    text += "\n";
  }
};

media::Ladder ladder() {
  media::Ladder made;
  made.name = "small";
  media::VideoRung rung;
  // Slow enough that it can be killed on the way.
  rung.name = "360p";
  rung.height = 360;
  rung.bit_rate = 500'000;
  rung.preset = "veryslow";
  made.video.push_back(rung);
  media::AudioRung sound;
  sound.name = "mono";
  sound.channels = 1;
  sound.bit_rate = 64'000;
  made.audio.push_back(sound);
  return made;
}

class VodLibrary : public testing::Test {
 protected:
  void SetUp() override {
    const char* program = std::getenv("KAPOK_TRANSCODER");
    if (program == nullptr) GTEST_SKIP() << "KAPOK_TRANSCODER names no program";
    // LeakSanitizer traces its process with another one, which the worker's sandbox forbids.
    ::setenv("ASAN_OPTIONS", "detect_leaks=0", 0);
    program_ = program;
    folder_ = fs::temp_directory_path() / ("kapok-library-" + std::to_string(::getpid()));
    fs::create_directories(folder_ / "import");
  }
  void TearDown() override { fs::remove_all(folder_); }

  void make_film(const std::string& name, const std::string& codecs) const {
    output_of(
        fmt::format("ffmpeg -nostdin -v error -y -f lavfi -i testsrc2=s=640x360:r=25 -f lavfi -i "
                    "sine=r=48000 -t {} {} {} </dev/null",
                    kSeconds, codecs, (folder_ / "import" / name).string()));
  }
  ItemRequest request(const std::string& file) const {
    ItemRequest wanted;
    wanted.id = "film";
    wanted.title = "A film";
    wanted.file = file;
    wanted.ladder = ladder();
    return wanted;
  }

  // A server's life: a library that runs until `enough`, then is closed.
  template <class Begin, class Enough>
  void live(Begin begin, Enough enough) {
    boost::asio::io_context context(1);
    SystemClock clock;
    NullMetrics metrics;
    Library library({.folder = folder_ / "vod", .jobs = 1},
                    {.home = context.get_executor(),
                     .clock = clock,
                     .log = Log(log_),
                     .transcoder = {program_, {"--worker", "--file"}},
                     .import_folder = folder_ / "import",
                     .segment = milliseconds(1000),
                     .silence = seconds(120),
                     .first_wait = milliseconds(50)},
                    shelf_, metrics);
    const auto run = [&]() -> Task<> {
      const auto opened = library.open();
      EXPECT_TRUE(opened) << opened.error().message;
      begin(library);
      const MonoTime patience = clock.mono() + seconds(240);
      boost::asio::steady_timer timer(context);
      while (!enough(library) && clock.mono() < patience) {
        timer.expires_after(milliseconds(5));
        [[maybe_unused]] auto [error] = co_await timer.async_wait(kAsValue);
      }
      EXPECT_LT(clock.mono(), patience) << log_->text;
      co_await library.close();
    };
    boost::asio::co_spawn(context, run(), [](std::exception_ptr error) {
      if (error) std::rethrow_exception(error);
    });
    context.run();
  }
  static bool is_over(const Library& library) {
    const auto facts = library.find("film");
    return facts && (facts->state == ItemState::done || facts->state == ItemState::failed);
  }
  std::string bytes_of(const std::string& rendition, int number) const {
    std::ifstream in(folder_ / "vod" / "film" / rendition / fmt::format("{}.m4s", number),
                     std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  // The rendition as one file: what a player puts together.
  std::string joined(const std::string& rendition) const {
    const auto* found = shelf_.items.at("film")->find(rendition);
    const fs::path path = folder_ / (rendition + ".mp4");
    std::ofstream out(path, std::ios::binary);
    out << found->init->bytes.text();
    for (std::size_t i = 0; i < found->segments.size(); ++i)
      out << bytes_of(rendition, static_cast<int>(i) + 1);
    return path.string();
  }
  // Presentation times of all frames, in milliseconds, sorted.
  std::vector<int> frames_of(const std::string& rendition) const {
    const std::string text = output_of(
        "ffprobe -v error -select_streams v -show_entries frame=pts_time -of "
        "csv=p=0 " +
        joined(rendition));
    std::vector<int> times;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);)
      if (!line.empty())
        times.push_back(static_cast<int>(std::lround(std::atof(line.c_str()) * 1000)));
    std::ranges::sort(times);
    return times;
  }
  void expect_every_frame_once(const std::string& rendition) const {
    const std::vector<int> times = frames_of(rendition);
    ASSERT_EQ(times.size(), static_cast<std::size_t>(kSeconds) * 25) << rendition;
    for (std::size_t i = 0; i < times.size(); ++i)
      ASSERT_EQ(times[i], 10'000 + static_cast<int>(i) * 40) << rendition << ", frame " << i;
  }

  fs::path program_;
  fs::path folder_;
  RecordedShelf shelf_;
  std::shared_ptr<PidLog> log_ = std::make_shared<PidLog>();
};

constexpr const char* kAvc =
    "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 25 -bf 2 -b_strategy 0 -sc_threshold 0 "
    "-c:a aac";

TEST_F(VodLibrary, MakesAFilmWholeThoughWorkerAndServerAreKilled) {
  make_film("film.mp4", kAvc);
  std::string second;
  bool killed = false;
  // The worker dies in the middle, then the server: its library is closed without the film done.
  live([&](Library& library) { ASSERT_TRUE(library.add(request("film.mp4"))); },
       [&](Library& library) {
         const auto facts = library.find("film");
         if (!killed && !bytes_of("360p", 3).empty()) {
           second = bytes_of("360p", 2);
           ::kill(static_cast<pid_t>(log_->worker), SIGKILL);
           killed = true;
         }
         return is_over(library) || (facts->restarts > 0 && !bytes_of("360p", 6).empty());
       });
  ASSERT_TRUE(killed) << log_->text;
  live([](Library&) {}, [](Library& library) { return is_over(library); });
  ASSERT_TRUE(shelf_.items.contains("film")) << log_->text;
  EXPECT_NE(log_->text.find("vod.resumed"), std::string::npos) << log_->text;
  EXPECT_EQ(bytes_of("360p", 2), second) << "what was made before is as it was";
  const auto& window = *shelf_.items.at("film");
  for (const std::string id : {"source", "360p", "audio-1", "mono"}) {
    const auto* rendition = window.find(id);
    ASSERT_NE(rendition, nullptr) << id;
    EXPECT_EQ(rendition->segments.size(), static_cast<std::size_t>(kSeconds)) << id;
    for (const auto& segment : rendition->segments) EXPECT_GT(segment.bytes, 0U) << id;
    for (std::size_t i = 1; i < rendition->segments.size(); ++i) {
      const auto& before = rendition->segments[i - 1];
      EXPECT_EQ(rendition->segments[i].start, before.start + before.duration) << id << " " << i;
    }
  }
  expect_every_frame_once("source");
  expect_every_frame_once("360p");
}

TEST_F(VodLibrary, MakesALadderAloneOfWhatItDoesNotCarry) {
  make_film("film.mxf", "-c:v mpeg2video -b:v 5M -g 12 -bf 2 -c:a pcm_s16le");
  live([&](Library& library) { ASSERT_TRUE(library.add(request("film.mxf"))); },
       [](Library& library) { return is_over(library); });
  ASSERT_TRUE(shelf_.items.contains("film")) << log_->text;
  EXPECT_EQ(shelf_.items.at("film")->find("source"), nullptr);
  expect_every_frame_once("360p");
}

TEST_F(VodLibrary, LeavesASourceOutThatCannotBeCut) {
  make_film("film.mp4", "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 999 -c:a aac");
  live([&](Library& library) { ASSERT_TRUE(library.add(request("film.mp4"))); },
       [](Library& library) { return is_over(library); });
  ASSERT_TRUE(shelf_.items.contains("film")) << log_->text;
  EXPECT_NE(log_->text.find("vod.source_left_out"), std::string::npos);
  EXPECT_EQ(shelf_.items.at("film")->find("source"), nullptr);
  EXPECT_NE(shelf_.items.at("film")->find("audio-1"), nullptr);
  expect_every_frame_once("360p");
}

TEST_F(VodLibrary, SaysWhyAFileIsNoFilm) {
  std::ofstream(folder_ / "import" / "text.mp4") << "This is a text.\n";
  std::string error;
  live([&](Library& library) { ASSERT_TRUE(library.add(request("text.mp4"))); },
       [&](Library& library) {
         error = library.find("film")->error;
         return is_over(library);
       });
  EXPECT_NE(error.find("no MP4, MOV, MXF"), std::string::npos) << error;
  EXPECT_TRUE(shelf_.items.empty());
}

TEST_F(VodLibrary, GivesUpAWorkerThatAlwaysEnds) {
  make_film("film.mp4", kAvc);
  program_ = "/bin/false";
  std::string error;
  live([&](Library& library) { ASSERT_TRUE(library.add(request("film.mp4"))); },
       [&](Library& library) {
         error = library.find("film")->error;
         return is_over(library);
       });
  EXPECT_NE(error.find("5 times in a row"), std::string::npos) << error;
}

TEST_F(VodLibrary, RefusesASecondItemOfTheSameNameAndRemovesTheFirst) {
  make_film("film.mp4", kAvc);
  bool begun = false;
  std::optional<Result<void>> removed;
  const auto begin = [&](Library& library) {
    ASSERT_TRUE(library.add(request("film.mp4")));
    const auto again = library.add(request("film.mp4"));
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, Errc::conflict);
  };
  const auto enough = [&](Library& library) {
    const auto done = [&](const std::exception_ptr&, Result<void> how) {
      removed = std::move(how);
    };
    if (!std::exchange(begun, true))
      boost::asio::co_spawn(library.home(), library.remove("film"), done);
    return removed.has_value();
  };
  live(begin, enough);
  ASSERT_TRUE(removed);
  EXPECT_TRUE(*removed) << removed->error().message;
  EXPECT_FALSE(fs::exists(folder_ / "vod" / "film"));
}

}  // namespace
}  // namespace kapok::vod
