#include "server/picture/vod/item_folder.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "server/base/crypto.hpp"
#include "server/media/describe.hpp"
#include "server/picture/containers/cmaf/box_reader.hpp"
#include "server/picture/vod/assembly.hpp"

namespace kapok::vod {
namespace {

namespace fs = std::filesystem;

constexpr media::Timescale kTimescale = 90'000;
constexpr std::int64_t kFrame = 3'600;

std::shared_ptr<const media::Track> video_track() {
  media::TrackDraft draft;
  draft.id = 1;
  draft.codec = media::Codec::avc;
  draft.timescale = kTimescale;
  draft.config = Buffer(
      from_hex("014d402affe1001d674d402aeca03c0113f2e02d40404050000003001000000640f1831960010004"
               "68ce0fc8")
          .value());
  return media::describe_track(std::move(draft)).value();
}

class ItemFolderTest : public testing::Test {
 protected:
  void SetUp() override {
    path_ = fs::temp_directory_path() / ("kapok-item-" + std::to_string(::getpid()));
    fs::remove_all(path_);
  }
  void TearDown() override { fs::remove_all(path_); }

  CutSegment segment(std::uint64_t number) const {
    CutSegment made;
    made.number = number;
    made.start = {static_cast<std::int64_t>(9 + number) * kTimescale};
    made.duration = {kTimescale};
    for (int i = 0; i < 25; ++i) {
      cmaf::Sample sample;
      sample.dts = sample.pts = made.start + media::Ticks{i * kFrame};
      sample.duration = {kFrame};
      sample.sync = i == 0;
      sample.payload = Buffer::copy_of("picture " + std::to_string(number * 100 + i));
      made.samples.push_back(std::move(sample));
    }
    return made;
  }
  std::string bytes_of(const std::string& rendition, int number) const {
    std::ifstream in(path_ / rendition / (std::to_string(number) + ".m4s"), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  ItemFolder fresh() const {
    ItemFolder folder(path_);
    EXPECT_TRUE(folder.open());
    EXPECT_TRUE(folder.start_over(77, milliseconds(1000)));
    return folder;
  }
  fs::path path_;
};

TEST_F(ItemFolderTest, KeepsWholeSegmentsOverARestart) {
  {
    ItemFolder folder = fresh();
    ASSERT_TRUE(folder.add_rendition("source", *video_track(), false));
    ASSERT_TRUE(folder.add_rendition("720p", *video_track(), true));
    for (const std::uint64_t number : {1, 2, 3})
      ASSERT_TRUE(folder.append("source", segment(number)));
    for (const std::uint64_t number : {1, 2}) ASSERT_TRUE(folder.append("720p", segment(number)));
  }
  // Killed in the middle of a record.
  std::ofstream(path_ / "index", std::ios::app | std::ios::binary) << "torn";
  ItemFolder again(path_);
  ASSERT_TRUE(again.open());
  const auto kept = again.kept("source");
  EXPECT_EQ(kept.segments, 2U) << "the least that every rendition has";
  ASSERT_TRUE(kept.end);
  EXPECT_EQ(*kept.end, seconds(12));
  const std::string before = bytes_of("source", 2);
  ASSERT_TRUE(again.rewind(kept.segments));
  ASSERT_TRUE(again.append("source", segment(3)));
  ASSERT_TRUE(again.append("720p", segment(3)));
  EXPECT_EQ(bytes_of("source", 2), before);
  const auto item = again.closed("film");
  ASSERT_TRUE(item) << item.error().message;
  ASSERT_EQ(item->renditions.size(), 2U);
  EXPECT_EQ(item->renditions[0].info.id, "source");
  EXPECT_EQ(item->renditions[1].info.id, "720p");
  EXPECT_TRUE(item->renditions[1].info.rung);
  EXPECT_EQ(item->run, 77U);
  for (const auto& rendition : item->renditions) {
    ASSERT_EQ(rendition.segments.size(), 3U);
    EXPECT_GT(rendition.info.bandwidth, 0U);
    for (std::size_t i = 0; i < 3; ++i)
      EXPECT_EQ(rendition.segments[i].bytes,
                bytes_of(rendition.info.id, static_cast<int>(i) + 1).size());
  }
}

TEST_F(ItemFolderTest, ListsTheSourceInTheFilesOrder) {
  {
    ItemFolder folder = fresh();
    for (const char* id : {"stereo-en", "stereo"})
      ASSERT_TRUE(folder.add_rendition(id, *video_track(), true));
    for (const char* id : {"source", "audio-zh", "audio-en"})
      ASSERT_TRUE(folder.add_rendition(id, *video_track(), false));
    for (const char* id : {"source", "audio-zh", "audio-en", "stereo", "stereo-en"})
      ASSERT_TRUE(folder.append(id, segment(1)));
  }
  ItemFolder again(path_);
  ASSERT_TRUE(again.open());
  ASSERT_TRUE(again.rewind(1));
  std::vector<std::string> ids;
  for (const auto& rendition : again.closed("film")->renditions) ids.push_back(rendition.info.id);
  EXPECT_EQ(ids,
            (std::vector<std::string>{"source", "audio-zh", "audio-en", "stereo", "stereo-en"}));
}

TEST_F(ItemFolderTest, WritesSegmentsThatCanBeRead) {
  ItemFolder folder = fresh();
  ASSERT_TRUE(folder.add_rendition("source", *video_track(), false));
  ASSERT_TRUE(folder.append("source", segment(1)));
  const std::string bytes = bytes_of("source", 1);
  const auto scan = cmaf::find_chunks(as_bytes(bytes));
  ASSERT_EQ(scan.chunks.size(), 1U);
  EXPECT_EQ(scan.chunks[0].start.count, 10 * kTimescale);
  EXPECT_EQ(scan.chunks[0].samples.size(), 25U);
  EXPECT_TRUE(scan.chunks[0].independent);
}

TEST_F(ItemFolderTest, ForgetsASegmentWhoseBytesAreGoneAndWhatIsBehindIt) {
  {
    ItemFolder folder = fresh();
    ASSERT_TRUE(folder.add_rendition("source", *video_track(), false));
    for (const std::uint64_t number : {1, 2, 3})
      ASSERT_TRUE(folder.append("source", segment(number)));
  }
  fs::resize_file(path_ / "source" / "2.m4s", 10);
  ItemFolder again(path_);
  ASSERT_TRUE(again.open());
  EXPECT_EQ(again.kept("source").segments, 1U);
}

TEST_F(ItemFolderTest, RefusesOtherParametersUnderTheSameName) {
  ItemFolder folder = fresh();
  ASSERT_TRUE(folder.add_rendition("source", *video_track(), false));
  ASSERT_TRUE(folder.append("source", segment(1)));
  EXPECT_TRUE(folder.add_rendition("source", *video_track(), false));
  media::Track other = *video_track();
  std::get<media::VideoFacts>(other.facts).colour = {9, 16, 9, false};
  const auto added = folder.add_rendition("source", other, false);
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().code, Errc::conflict);
}

TEST_F(ItemFolderTest, StartsOverWithNothing) {
  ItemFolder folder = fresh();
  ASSERT_TRUE(folder.add_rendition("source", *video_track(), false));
  ASSERT_TRUE(folder.append("source", segment(1)));
  ASSERT_TRUE(folder.start_over(78, milliseconds(1000)));
  EXPECT_TRUE(folder.empty());
  EXPECT_FALSE(fs::exists(path_ / "source"));
}

// ---- what a worker says, put together ----

media::Ladder ladder() {
  media::Ladder made;
  made.name = "hall";
  media::VideoRung rung;
  rung.name = "720p";
  rung.height = 720;
  rung.bit_rate = 2'000'000;
  made.video.push_back(rung);
  rung.name = "4320p";
  rung.height = 4320;
  made.video.push_back(rung);
  return made;
}

media::Packet packet(int frame) {
  media::Packet made;
  made.track = 1;
  made.dts = made.pts = {10 * kTimescale + frame * kFrame};
  made.duration = {kFrame};
  made.sync = frame % 25 == 0;
  made.payload = Buffer::copy_of("picture");
  return made;
}

TEST_F(ItemFolderTest, AnAssemblyPutsTheWorkersWordsTogether) {
  ItemFolder folder = fresh();
  Assembly assembly(folder, ladder(), 0);
  ASSERT_TRUE(assembly.take(wire::FileTrack{video_track(), true}));
  for (int frame = 0; frame < 50; ++frame) {
    if (frame % 25 == 0) ASSERT_TRUE(assembly.take(wire::FileSegment{seconds(10 + frame / 25)}));
    if (frame == 0) ASSERT_TRUE(assembly.take(wire::RungTrack{"720p", video_track()}));
    ASSERT_TRUE(assembly.take(wire::FilePacket{packet(frame)}));
    ASSERT_TRUE(assembly.take(wire::RungPacket{"720p", packet(frame)}));
  }
  EXPECT_EQ(assembly.leading(), "source");
  EXPECT_EQ(assembly.segments(), 1U);
  EXPECT_EQ(assembly.made(), seconds(2));
  const auto finished = assembly.finish();
  ASSERT_TRUE(finished) << finished.error().message;
  EXPECT_EQ(assembly.segments(), 2U);
  ASSERT_EQ(assembly.left_out().size(), 1U);
  EXPECT_EQ(assembly.left_out()[0].rung, "4320p");
  EXPECT_EQ(folder.kept("source").segments, 2U);
}

wire::FileTrack sound(media::TrackId id, std::string language) {
  auto track = std::make_shared<media::Track>();
  track->id = id;
  track->kind = media::TrackKind::audio;
  track->codec = media::Codec::unknown;
  track->codec_string = "pcm-s16le";
  track->timescale = 48'000;
  track->language = std::move(language);
  track->facts = media::AudioFacts{48'000, 2, 1024};
  return {std::move(track), false};
}

TEST_F(ItemFolderTest, EverySoundOfAFileHasARungOfItsLanguage) {
  ItemFolder folder = fresh();
  media::Ladder wanted = ladder();
  media::AudioRung stereo;
  stereo.name = "stereo";
  stereo.bit_rate = 96'000;
  wanted.audio.push_back(stereo);
  Assembly assembly(folder, wanted, 0);
  ASSERT_TRUE(assembly.take(wire::FileTrack{video_track(), true}));
  ASSERT_TRUE(assembly.take(sound(2, "zh")));
  ASSERT_TRUE(assembly.take(sound(3, "en")));
  ASSERT_TRUE(assembly.take(sound(4, "")));
  ASSERT_TRUE(assembly.take(wire::FileSegment{seconds(10)}));
  std::vector<std::pair<std::string, int>> made;
  for (const media::AudioRung& rung : assembly.sounds()) made.emplace_back(rung.name, rung.source);
  EXPECT_EQ(made, (std::vector<std::pair<std::string, int>>{
                      {"stereo", 0}, {"stereo-en", 1}, {"stereo-3", 2}}));
  media::Track rung = media::Track();
  rung.kind = media::TrackKind::audio;
  rung.codec = media::Codec::aac;
  rung.timescale = 48'000;
  rung.config = Buffer(from_hex("1190").value());
  rung.facts = media::AudioFacts{48'000, 2, 1024};
  for (const auto& [name, source] : made)
    ASSERT_TRUE(assembly.take(wire::RungTrack{name, std::make_shared<const media::Track>(rung)}));
  EXPECT_FALSE(assembly.take(wire::RungTrack{"stereo-fr", video_track()}));
}

media::Image image(media::ImageKind kind, nanoseconds at, std::size_t bytes) {
  std::string jpeg = "\xff\xd8\xff" + std::string(bytes, 'x') + "\xff\xd9";
  return {
      kind, media::from_nanoseconds(at, kTimescale), kTimescale, 320, 180, Buffer::copy_of(jpeg)};
}

TEST_F(ItemFolderTest, StillPicturesAreOfSegmentsAndThePosterShowsMost) {
  using enum media::ImageKind;
  {
    ItemFolder folder = fresh();
    Assembly assembly(folder, ladder(), 0);
    ASSERT_TRUE(assembly.take(wire::FileTrack{video_track(), true}));
    for (int i = 0; i < 3; ++i) {
      ASSERT_TRUE(assembly.take(wire::FileSegment{seconds(10 + i)}));
      ASSERT_TRUE(assembly.take(image(thumbnail, seconds(10 + i), 100)));
    }
    // Of no segment, and of one that has its own.
    ASSERT_TRUE(assembly.take(image(thumbnail, milliseconds(10'500), 100)));
    ASSERT_TRUE(assembly.take(image(thumbnail, seconds(11), 900)));
    for (const std::size_t bytes : {200U, 500U, 300U})
      ASSERT_TRUE(assembly.take(image(poster, seconds(11), bytes)));
    ASSERT_TRUE(assembly.take(image(poster, seconds(10'000), 900)));
    media::Image broken = image(thumbnail, seconds(12), 100);
    broken.jpeg = Buffer::copy_of("no picture");
    EXPECT_FALSE(assembly.take(broken));
    for (const std::uint64_t number : {1, 2}) {
      ASSERT_TRUE(folder.append("source", segment(number)));
    }
    const auto item = folder.closed("film");
    ASSERT_TRUE(item) << item.error().message;
    ASSERT_EQ(item->thumbnails.size(), 2U) << "that of a segment that is not there is none";
    EXPECT_EQ(item->thumbnails[1].number, 2U);
    EXPECT_EQ(item->thumbnails[1].size, 105U);
    ASSERT_NE(item->poster, nullptr);
    EXPECT_EQ(item->poster->jpeg.size(), 505U);
  }
  ItemFolder again(path_);
  ASSERT_TRUE(again.open());
  EXPECT_EQ(again.closed("film")->thumbnails.size(), 2U) << "after a restart too";
  ASSERT_TRUE(again.start_over(78, milliseconds(1000)));
  EXPECT_FALSE(fs::exists(path_ / "poster.jpg"));
  EXPECT_FALSE(fs::exists(path_ / "thumbnails"));
}

TEST_F(ItemFolderTest, AnAssemblyBelievesNothing) {
  ItemFolder folder = fresh();
  {
    Assembly assembly(folder, ladder(), 0);
    EXPECT_FALSE(assembly.take(wire::FilePacket{packet(0)})) << "no track";
    EXPECT_FALSE(assembly.take(wire::RungTrack{"720p", video_track()})) << "no segment";
    EXPECT_FALSE(assembly.take(wire::FileSegment{seconds(10)})) << "no rung fits nothing";
  }
  Assembly assembly(folder, ladder(), 0);
  ASSERT_TRUE(assembly.take(wire::FileTrack{video_track(), true}));
  EXPECT_FALSE(assembly.take(wire::FileTrack{video_track(), true})) << "the same id again";
  ASSERT_TRUE(assembly.take(wire::FileSegment{seconds(10)}));
  EXPECT_FALSE(assembly.take(wire::FileSegment{seconds(9)}));
  EXPECT_FALSE(assembly.take(wire::RungTrack{"none", video_track()}));
  media::Track broken = *video_track();
  broken.config = Buffer::copy_of("no record");
  EXPECT_FALSE(
      assembly.take(wire::RungTrack{"720p", std::make_shared<const media::Track>(broken)}));
  EXPECT_FALSE(assembly.take(wire::RungPacket{"720p", packet(0)})) << "before its track";
  media::Packet far = packet(0);
  far.pts = {std::int64_t{1} << 55};
  EXPECT_FALSE(assembly.take(wire::FilePacket{far}));
  EXPECT_FALSE(assembly.finish()) << "a rendition without a picture";
}

}  // namespace
}  // namespace kapok::vod
