// kapok-transcoder with a file, as the VOD library runs it: files of every container, made by
// ffmpeg.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "transcoder/app/server_watch.hpp"
#include "transcoder/app/spawned_worker_test.hpp"

namespace kapok::transcoder {
namespace {

namespace fs = std::filesystem;

constexpr milliseconds kSegment{1'000};

class Folder {
 public:
  Folder() : path_(fs::temp_directory_path() / ("kapok-file-" + std::to_string(::getpid()))) {
    fs::create_directories(path_);
  }
  ~Folder() { fs::remove_all(path_); }
  fs::path operator/(const std::string& name) const { return path_ / name; }

 private:
  fs::path path_;
};

// Three seconds of moving pictures and a tone.
fs::path make(const Folder& folder, const std::string& name, const std::string& codecs,
              const std::string& size = "320x180") {
  fs::path path = folder / name;
  const std::string command = "ffmpeg -nostdin -v error -y -f lavfi -i testsrc2=s=" + size +
                              ":r=25 -f lavfi -i sine=r=48000 " + codecs + " -t 3 '" +
                              path.string() + "' </dev/null";
  if (std::system(command.c_str()) != 0) ADD_FAILURE() << command;
  return path;
}

// Everything a worker made of a file.
struct Said {
  std::vector<wire::FileTrack> tracks;
  std::vector<nanoseconds> segments;
  std::map<std::string, std::vector<nanoseconds>> frames;  // shown, by rendition
  std::map<std::string, std::vector<nanoseconds>> sync;
  std::map<std::string, media::Timescale> timescales;
  std::optional<wire::FileRefused> refused;
  std::string format;
  nanoseconds duration{0};
  std::vector<nanoseconds> thumbnails;
  std::map<std::string, std::string> languages;  // of rungs
  std::string errors;                            // that the worker told
  bool drained = false;
  int status = -1;
};

media::Ladder ladder() {
  media::Ladder ladder = small_ladder();
  ladder.video[0].height = 90;
  ladder.video[0].name = "90p";
  media::AudioRung sound;
  sound.name = "stereo";
  sound.channels = 1;
  sound.bit_rate = 64'000;
  ladder.audio.push_back(sound);
  return ladder;
}

void note(Said& said, const std::string& name, const media::Packet& packet,
          media::Timescale timescale) {
  const nanoseconds pts = media::to_nanoseconds(packet.pts, timescale);
  said.frames[name].push_back(pts);
  if (packet.sync) said.sync[name].push_back(pts);
}

void take(Said& said, const wire::FromWorker& message) {
  if (const auto* opened = std::get_if<wire::FileOpened>(&message)) {
    said.format = opened->format;
    said.duration = opened->duration;
  } else if (const auto* track = std::get_if<wire::FileTrack>(&message)) {
    said.tracks.push_back(*track);
  } else if (const auto* segment = std::get_if<wire::FileSegment>(&message)) {
    said.segments.push_back(segment->at);
  } else if (const auto* rung = std::get_if<wire::RungTrack>(&message)) {
    said.timescales[rung->rung] = rung->track->timescale;
    said.languages[rung->rung] = rung->track->language;
  } else if (const auto* image = std::get_if<media::Image>(&message)) {
    if (image->kind == media::ImageKind::thumbnail)
      said.thumbnails.push_back(media::to_nanoseconds(image->pts, image->timescale));
  } else if (const auto* made = std::get_if<wire::RungPacket>(&message)) {
    note(said, made->rung, made->packet, said.timescales[made->rung]);
  } else if (const auto* packet = std::get_if<wire::FilePacket>(&message)) {
    note(said, "track " + std::to_string(packet->packet.track), packet->packet,
         said.tracks[packet->packet.track - 1].track->timescale);
  } else if (const auto* refused = std::get_if<wire::FileRefused>(&message)) {
    said.refused = *refused;
  } else if (const auto* notice = std::get_if<wire::Notice>(&message)) {
    if (notice->level == LogLevel::error) said.errors += notice->event + ": " + notice->text + "\n";
  } else if (std::holds_alternative<wire::Drained>(message)) {
    said.drained = true;
  }
}

Said run(const fs::path& path, wire::FileStart start = {.segment = kSegment},
         const media::Ladder& wanted = ladder()) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  EXPECT_GE(file, 0) << path;
  SpawnedWorker worker({"--file"}, file);
  ::close(file);
  worker.send(wire::Hello{});
  worker.send(wanted);
  worker.send(start);
  Said said;
  while (const auto message = worker.next()) take(said, *message);
  said.status = worker.exit_status();
  for (auto& [name, times] : said.frames) std::ranges::sort(times);
  return said;
}

// A ladder of all of it: no picture missing, none twice, every segment begun with a closed GOP.
void expect_whole(const Said& said) {
  ASSERT_FALSE(said.refused) << said.refused->text;
  EXPECT_TRUE(said.drained);
  EXPECT_EQ(said.status, 0);
  EXPECT_EQ(said.errors, "");
  ASSERT_TRUE(said.frames.contains("90p"));
  const auto& frames = said.frames.at("90p");
  EXPECT_EQ(frames.size(), 75U);
  EXPECT_EQ(std::set(frames.begin(), frames.end()).size(), frames.size());
  EXPECT_EQ(frames.front(), wire::kFileBegin);
  ASSERT_EQ(said.segments.size(), 3U);
  for (int i = 0; i < 3; ++i)
    EXPECT_NEAR(static_cast<double>(said.segments[static_cast<std::size_t>(i)].count()) / 1e9,
                10.0 + i, 0.002);
  EXPECT_EQ(said.sync.at("90p"), said.segments);
  EXPECT_EQ(said.thumbnails, said.segments) << "a picture of each, however slow the machine";
  EXPECT_TRUE(said.frames.contains("stereo"));
}

constexpr const char* kAvc =
    "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 25 -bf 2 -b_strategy 0 "
    "-sc_threshold 0 -c:a aac";

TEST(FileWorker, MakesLaddersOfMp4MovTsAndMatroska) {
  const Folder folder;
  for (const std::string name : {"a.mp4", "a.mov", "a.ts", "a.mkv"}) {
    SCOPED_TRACE(name);
    const Said said = run(make(folder, name, kAvc));
    expect_whole(said);
    ASSERT_EQ(said.tracks.size(), 2U);
    EXPECT_EQ(said.tracks[0].track->codec, media::Codec::avc);
    EXPECT_TRUE(said.tracks[0].published);
    EXPECT_EQ(said.tracks[1].track->codec, media::Codec::aac);
    EXPECT_TRUE(said.tracks[1].published);
    EXPECT_EQ(said.frames.at("track 1").size(), 75U);
    EXPECT_NEAR(static_cast<double>(said.duration.count()) / 1e9, 3.0, 0.2);
  }
}

TEST(FileWorker, MakesALadderOfHevcInTransportStream) {
  const Folder folder;
  const Said said =
      run(make(folder, "a.ts",
               "-c:v libx265 -pix_fmt yuv420p -preset ultrafast -x265-params "
               "log-level=none:keyint=25:min-keyint=25:scenecut=0:open-gop=0 -c:a ac3"));
  expect_whole(said);
  EXPECT_EQ(said.tracks[0].track->codec, media::Codec::hevc);
  EXPECT_TRUE(said.tracks[0].published);
  EXPECT_EQ(said.tracks[1].track->codec, media::Codec::ac3);
}

TEST(FileWorker, MakesALadderOfMxfWhoseCodecsItDoesNotCarry) {
  const Folder folder;
  const Said said =
      run(make(folder, "a.mxf", "-c:v mpeg2video -b:v 5M -g 12 -bf 2 -c:a pcm_s16le", "352x288"));
  expect_whole(said);
  EXPECT_EQ(said.format, "mxf");
  ASSERT_EQ(said.tracks.size(), 2U);
  EXPECT_FALSE(said.tracks[0].published);
  EXPECT_EQ(said.tracks[0].track->codec_string, "mpeg2video");
  EXPECT_FALSE(said.tracks[1].published);
  EXPECT_EQ(said.tracks[1].track->codec_string, "pcm-s16le");
}

TEST(FileWorker, MakesALadderOfProResInMov) {
  const Folder folder;
  const Said said = run(make(folder, "a.mov", "-c:v prores -profile:v 2 -c:a pcm_s24le"));
  expect_whole(said);
  EXPECT_EQ(said.tracks[0].track->codec_string, "prores");
}

// As the library fits the ladder, once it knows of the sounds.
TEST(FileWorker, MakesRungsOfEverySoundInItsLanguage) {
  const Folder folder;
  const fs::path path =
      make(folder, "two.mkv",
           std::string("-f lavfi -i sine=f=300:r=48000 -map 0:v -map 1:a -map 2:a "
                       "-metadata:s:a:0 language=zho -metadata:s:a:1 language=eng ") +
               kAvc);
  media::Ladder wanted = ladder();
  media::AudioRung english = wanted.audio[0];
  english.name = "stereo-en";
  english.source = 1;
  wanted.audio.push_back(english);
  const Said said = run(path, {.segment = kSegment}, wanted);
  expect_whole(said);
  ASSERT_EQ(said.tracks.size(), 3U);
  EXPECT_TRUE(said.tracks[1].published && said.tracks[2].published);
  EXPECT_EQ(said.tracks[2].track->language, "en");
  EXPECT_EQ(said.languages.at("stereo"), "zh");
  EXPECT_EQ(said.languages.at("stereo-en"), "en");
  EXPECT_EQ(said.frames.at("stereo-en"), said.frames.at("stereo"));
}

TEST(FileWorker, GoesOnAtASegmentAsIfItHadNeverStopped) {
  const Folder folder;
  for (const auto& [name, codecs, size] :
       {std::tuple{"a.mp4", std::string(kAvc), "320x180"},
        std::tuple{"a.mxf", std::string("-c:v mpeg2video -b:v 5M -g 12 -bf 2 -c:a pcm_s16le"),
                   "352x288"}}) {
    SCOPED_TRACE(name);
    const fs::path path = make(folder, name, codecs, size);
    const Said whole = run(path);
    wire::FileStart start{.from = whole.segments[1], .segment = kSegment};
    const Said rest = run(path, start);
    ASSERT_TRUE(rest.drained);
    EXPECT_EQ(rest.segments, (std::vector<nanoseconds>{whole.segments[1], whole.segments[2]}));
    // What the library takes: from the segment's begin on.
    const auto from_there = [&](std::vector<nanoseconds> times) {
      std::erase_if(times, [&](nanoseconds time) { return time < start.from; });
      return times;
    };
    EXPECT_EQ(from_there(rest.frames.at("90p")), from_there(whole.frames.at("90p")));
    EXPECT_EQ(from_there(rest.frames.at("stereo")), from_there(whole.frames.at("stereo")))
        << "sound goes on where its frames were";
  }
}

TEST(FileWorker, SaysThatASourceWithLongGopsCannotBePublished) {
  const Folder folder;
  const fs::path path =
      make(folder, "a.mp4", "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 999");
  const wire::FileStart start{.segment = milliseconds(500), .ceiling = milliseconds(1500)};
  const Said said = run(path, start);
  ASSERT_TRUE(said.refused);
  EXPECT_EQ(said.refused->why, wire::FileRefused::Why::source_unfit);
  wire::FileStart without = start;
  without.publish_source = false;
  const Said again = run(path, without);
  EXPECT_TRUE(again.drained);
  EXPECT_EQ(again.segments.size(), 6U);
  EXPECT_EQ(again.frames.at("90p").size(), 75U);
}

TEST(FileWorker, RefusesWhatIsNoSuchFile) {
  const Folder folder;
  const auto write = [&](const std::string& name, const std::string& text) {
    std::ofstream(folder / name, std::ios::binary) << text;
    return folder / name;
  };
  std::string noise(200'000, '\0');
  for (std::size_t i = 0; i < noise.size(); ++i)
    noise[i] = static_cast<char>(i * 2'654'435'761U >> 13);
  for (const fs::path& path :
       {write("text.mp4", "This is a text, whatever its name says.\n"),
        write("list.mp4", "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n/etc/passwd\n"),
        write("concat.mp4", "ffconcat version 1.0\nfile /etc/passwd\n"),
        write("image.mkv", "P6\n2 2\n255\n000000000000"), write("noise.ts", noise)}) {
    SCOPED_TRACE(path);
    const Said said = run(path);
    ASSERT_TRUE(said.refused);
    EXPECT_EQ(said.refused->why, wire::FileRefused::Why::unreadable);
    EXPECT_NE(said.refused->text.find("remux"), std::string::npos) << said.refused->text;
    EXPECT_EQ(said.status, 0);
  }
}

TEST(FileWorker, EndsWithWhatACutFileHasOrSaysWhy) {
  const Folder folder;
  const fs::path ts = make(folder, "whole.ts", kAvc);
  fs::resize_file(ts, fs::file_size(ts) / 2);
  const Said half = run(ts);
  EXPECT_TRUE(half.drained);
  EXPECT_GT(half.frames.at("90p").size(), 10U);
  // An MP4 without its index says nothing.
  const fs::path mp4 = make(folder, "whole.mp4", kAvc);
  fs::resize_file(mp4, fs::file_size(mp4) / 2);
  const Said none = run(mp4);
  ASSERT_TRUE(none.refused);
  EXPECT_EQ(none.status, 0);
}

TEST(FileWorker, SurvivesDamageOrIsEndedByIt) {
  const Folder folder;
  const fs::path path = make(folder, "a.ts", kAvc);
  std::string bytes;
  {
    std::ifstream in(path, std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(in), {});
  }
  std::uint32_t seed = 1;
  for (int round = 0; round < 3; ++round) {
    std::string broken = bytes;
    for (std::size_t i = 0; i < broken.size(); ++i)
      if ((seed = seed * 1'664'525 + 1'013'904'223) >> 24 == 7)
        broken[i] = static_cast<char>(seed >> 8);
    std::ofstream(folder / "broken.ts", std::ios::binary) << broken;
    const Said said = run(folder / "broken.ts");
    EXPECT_TRUE(said.drained || said.refused || said.status != 0);
    EXPECT_FALSE(WIFSIGNALED(said.status) && WTERMSIG(said.status) == SIGSYS) << "seccomp";
  }
}

// An element of an operator's graph that holds one picture for a day: the engine takes no more, the
// reading thread waits for it and does not see the socket's end.
TEST(FileWorker, OneThatIsStuckInAnEncoderDoesNotOutliveItsServer) {
  const Folder folder;
  const fs::path path = folder / "long.mp4";
  const std::string command =
      "ffmpeg -nostdin -v error -y -f lavfi -i testsrc2=s=320x180:r=25 -t 60 -c:v libx264 -preset "
      "ultrafast "
      "-pix_fmt yuv420p -g 25 '" +
      path.string() + "' </dev/null";
  ASSERT_EQ(std::system(command.c_str()), 0);
  media::Ladder stuck = small_ladder();
  stuck.engine = "gstreamer";
  stuck.video[0].bin =
      "identity sleep-time=86400000000 ! videoscale ! video/x-raw,width=320,height=180 ! x264enc";
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_GE(file, 0);
  SpawnedWorker worker({"--file"}, file);
  ::close(file);
  worker.send(wire::Hello{});
  worker.send(stuck);
  worker.send(wire::FileStart{.segment = kSegment});
  // Two seconds in which it takes nothing more.
  std::uint64_t decoded = 0;
  int beats_alike = 0;
  while (beats_alike < 4) {
    const auto message = worker.next();
    ASSERT_TRUE(message) << decoded;
    if (const auto* notice = std::get_if<wire::Notice>(&*message))
      EXPECT_LT(notice->level, LogLevel::error) << notice->event << ": " << notice->text;
    const auto* beat = std::get_if<wire::Heartbeat>(&*message);
    if (beat == nullptr) continue;
    beats_alike = beat->decoded > 0 && beat->decoded == decoded ? beats_alike + 1 : 0;
    decoded = beat->decoded;
  }
  EXPECT_LT(decoded, 1500U);
  worker.close();
  const int status = worker.exit_status();
  ASSERT_TRUE(WIFEXITED(status)) << status;
  EXPECT_EQ(WEXITSTATUS(status), ServerWatch::kServerGone);
}

}  // namespace
}  // namespace kapok::transcoder
