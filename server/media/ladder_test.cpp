#include "server/media/ladder.hpp"

#include <gtest/gtest.h>

#include <set>

namespace kapok::media {
namespace {

VideoRung rung(std::string name, std::uint32_t height) {
  VideoRung made;
  made.name = std::move(name);
  made.height = height;
  made.bit_rate = 3'000'000;
  return made;
}
Ladder two_rungs() {
  Ladder ladder;
  ladder.name = "test";
  ladder.video = {rung("1080p", 1080), rung("720p", 720)};
  ladder.audio = {{"stereo", Codec::aac, 2, 128'000}};
  return ladder;
}
std::string why(const Ladder& ladder) {
  const auto valid = validate(ladder);
  return valid ? "" : valid.error().message;
}

TEST(Ladder, WholeIsAccepted) {
  EXPECT_EQ(why(two_rungs()), "");
}

TEST(Ladder, ItsDeviceIsOneOfTheWordsThatThereAre) {
  Ladder ladder = two_rungs();
  for (const char* word : {"auto", "software", "nvidia", "vulkan:1"}) {
    ladder.device = word;
    EXPECT_EQ(why(ladder), "") << word;
  }
  ladder.device = "cuda";
  EXPECT_NE(why(ladder).find("nvidia"), std::string::npos) << why(ladder);
}

TEST(Ladder, NamesAreUniqueAndNotTheSources) {
  for (const char* name : {"source", "source-2", "audio-zh", "Big", "", "720p"}) {
    Ladder ladder = two_rungs();
    ladder.video[0].name = name;
    EXPECT_NE(why(ladder), "") << name;
  }
  Ladder ladder = two_rungs();
  ladder.audio[0].name = "720p";
  EXPECT_EQ(why(ladder), "two rungs are called 720p");
}

TEST(Ladder, OneCodecHasOneRange) {
  Ladder ladder = two_rungs();
  for (VideoRung& each : ladder.video) {
    each.codec = Codec::hevc;
    each.bit_depth = 10;
  }
  ladder.video[1].range = RungRange::keep;
  EXPECT_NE(why(ladder).find("differ in range"), std::string::npos);
  ladder.video[0].codec = Codec::av1;
  EXPECT_EQ(why(ladder), "");
}

TEST(Ladder, ErrorsNameTheRung) {
  Ladder ladder = two_rungs();
  ladder.video[1].bit_depth = 10;
  EXPECT_EQ(why(ladder), "720p: bit_depth 10 in avc plays nowhere: use hevc or av1");
  ladder = two_rungs();
  ladder.video[0].tune = "psnr; rm";
  EXPECT_NE(why(ladder).find("1080p: tune"), std::string::npos);
}

TEST(Ladder, AGraphOfOnesOwnIsForGstreamerAndPrintable) {
  Ladder ladder = two_rungs();
  ladder.video[1].bin = "videoscale ! video/x-raw,height=720 ! x264enc";
  EXPECT_EQ(why(ladder), "720p: bin is for engine = \"gstreamer\" only");
  ladder.engine = "gstreamer";
  EXPECT_EQ(why(ladder), "");
  for (const std::string& bad : {std::string("x264enc\n"), std::string("x264enc \xc3\xa9"),
                                 std::string(kMaxBinText + 1, 'x')}) {
    ladder.video[1].bin = bad;
    EXPECT_EQ(why(ladder), "720p: bin is not printable ASCII of at most 1024") << bad;
  }
  ladder.video[1].bin = std::string(kMaxBinText, 'x');
  EXPECT_EQ(why(ladder), "");
  ladder.engine = "other";
  EXPECT_EQ(why(ladder), "engine \"other\" is neither ffmpeg nor gstreamer");
}

TEST(Ladder, RungsAboveTheSourceAreLeftOut) {
  VideoFacts source;
  source.width = 1280;
  source.height = 720;
  AudioFacts stereo{48'000, 2, 1024};
  const FittedLadder fitted = rungs_for(two_rungs(), &source, &stereo);
  ASSERT_EQ(fitted.ladder.video.size(), 1U);
  EXPECT_EQ(fitted.ladder.video[0].name, "720p");
  ASSERT_EQ(fitted.left_out.size(), 1U);
  EXPECT_EQ(fitted.left_out[0].rung, "1080p");
  EXPECT_EQ(fitted.left_out[0].why, "1080 lines are more than the source's 720");
}

TEST(Ladder, OfColoursThatOnlyDolbyVisionKnowsNoPictureIsMade) {
  VideoFacts source;
  source.width = 3840;
  source.height = 2160;
  source.dolby_vision = DolbyVision{5, 9, 0};
  AudioFacts stereo{48'000, 2, 1024};
  const FittedLadder five = rungs_for(two_rungs(), &source, &stereo);
  EXPECT_TRUE(five.ladder.video.empty());
  ASSERT_EQ(five.left_out.size(), 2U);
  EXPECT_EQ(five.left_out[0].why,
            "the colours of Dolby Vision profile 5 are not those of other pictures: send profile "
            "8.1 or 8.4");
  EXPECT_EQ(five.ladder.audio.size(), two_rungs().audio.size());
  source.dolby_vision = DolbyVision{8, 9, 1};
  EXPECT_EQ(rungs_for(two_rungs(), &source, &stereo).ladder.video.size(), 2U);
  source.dolby_vision = DolbyVision{7, 9, std::nullopt};
  EXPECT_EQ(rungs_for(two_rungs(), &source, &stereo).ladder.video.size(), 2U);
}

TEST(Ladder, SurroundOfAStereoSourceIsLeftOut) {
  Ladder ladder = two_rungs();
  ladder.audio.push_back({"surround", Codec::aac, 6, 384'000});
  AudioFacts stereo{48'000, 2, 1024};
  const FittedLadder fitted = rungs_for(ladder, nullptr, &stereo);
  EXPECT_TRUE(fitted.ladder.video.empty());
  ASSERT_EQ(fitted.ladder.audio.size(), 1U);
  EXPECT_EQ(fitted.left_out.size(), 3U);
}

std::vector<std::string> names_of(const std::vector<AudioRung>& rungs) {
  std::vector<std::string> names;
  for (const AudioRung& rung : rungs) names.push_back(rung.name);
  return names;
}
using Names = std::vector<std::string>;

TEST(Ladder, EachSoundOfTheSourceHasItsRungs) {
  Ladder ladder = two_rungs();
  ladder.audio.push_back({"surround", Codec::aac, 6, 384'000});
  const std::vector<AudioSource> sounds{{Codec::aac, {48'000, 6, 1024}, "zh"},
                                        {Codec::ac3, {48'000, 2, 1536}, "en-GB"},
                                        {Codec::mp2, {48'000, 2, 1152}, ""}};
  const FittedLadder fitted = fit(ladder, nullptr, sounds);
  EXPECT_EQ(names_of(fitted.ladder.audio),
            (Names{"stereo", "surround", "stereo-en-gb", "stereo-3"}));
  EXPECT_EQ(fitted.ladder.audio[1].source, 0);
  EXPECT_EQ(fitted.ladder.audio[2].source, 1);
  EXPECT_EQ(fitted.ladder.audio[3].source, 2);
  EXPECT_EQ(why(fitted.ladder), "");
  ASSERT_EQ(fitted.left_out.size(), 4U) << "pictures, and surround of stereo";
  EXPECT_EQ(fitted.left_out[2].rung, "surround-en-gb");
  EXPECT_TRUE(fitted.added.empty());
}

TEST(Ladder, RungsOfSoundsHaveNamesOfTheirOwn) {
  Ladder ladder;
  ladder.audio = {{"stereo", Codec::aac, 2, 128'000}, {"stereo-en", Codec::aac, 2, 64'000}};
  const std::vector<AudioSource> sounds(3, {Codec::aac, {48'000, 2, 1024}, "en"});
  EXPECT_EQ(names_of(fit(ladder, nullptr, sounds).ladder.audio),
            (Names{"stereo", "stereo-en", "stereo-2", "stereo-en-en", "stereo-3", "stereo-en-3"}));
  const std::vector<AudioSource> many(20, sounds[0]);
  const FittedLadder bounded = fit(ladder, nullptr, many);
  EXPECT_EQ(bounded.ladder.audio.size(), kMaxAudioRungs);
  const Names names = names_of(bounded.ladder.audio);
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), names.size());
  EXPECT_EQ(bounded.ladder.audio.back().source, kMaxAudioSources - 1);
}

TEST(Ladder, OfPicturesAloneGetsStereoWhereTheSourceHasNone) {
  Ladder ladder = two_rungs();
  ladder.audio.clear();
  VideoFacts video;
  video.height = 2160;
  video.width = 3840;
  const AudioSource aac{Codec::aac, {48'000, 2, 1024}, "zh"};
  const AudioSource dolby{Codec::eac3, {48'000, 6, 1536}, "zh"};
  const AudioSource english{Codec::mp2, {48'000, 1, 1152}, "en"};
  const auto made = [&](std::vector<AudioSource> sounds) {
    return fit(ladder, &video, sounds).ladder.audio;
  };
  EXPECT_TRUE(made({}).empty());
  EXPECT_TRUE(made({aac}).empty());
  EXPECT_TRUE(made({dolby, aac}).empty()) << "the same language, once for everybody";
  EXPECT_EQ(names_of(made({dolby, dolby})), Names{"aac-stereo"});
  const auto other = made({aac, english});
  ASSERT_EQ(names_of(other), Names{"aac-stereo-en"});
  EXPECT_EQ(other[0].channels, 1);
  EXPECT_EQ(other[0].source, 1);
  const FittedLadder fitted = fit(ladder, &video, std::vector{dolby});
  ASSERT_EQ(fitted.added.size(), 1U);
  EXPECT_EQ(fitted.added[0].why, "the source's eac3 with 6 channels is not for every player");
  EXPECT_EQ(why(fitted.ladder), "");
}

TEST(Ladder, LoudnessIsWithinReason) {
  Ladder ladder = two_rungs();
  ladder.audio[0].loudness = -23;
  EXPECT_EQ(why(ladder), "");
  ladder.audio[0].loudness = 23;
  EXPECT_EQ(why(ladder), "stereo: loudness is not within -40 and -9 LUFS (nor 0, as it is)");
}

TEST(Ladder, HalfOfTwentyFiveStaysWhole) {
  Ladder ladder = two_rungs();
  for (VideoRung& each : ladder.video) each.rate = RungRate::half;
  VideoFacts source;
  source.width = 3840;
  source.height = 2160;
  source.frame_rate = {50, 1};
  EXPECT_EQ(rungs_for(ladder, &source, nullptr).ladder.video[0].rate, RungRate::half);
  source.frame_rate = {25, 1};
  EXPECT_EQ(rungs_for(ladder, &source, nullptr).ladder.video[0].rate, RungRate::full);
}

TEST(Ladder, WidthFollowsTheShapeAndIsEven) {
  VideoFacts source;
  source.width = 3840;
  source.height = 2160;
  EXPECT_EQ(width_of(rung("a", 1080), source), 1920U);
  EXPECT_EQ(width_of(rung("a", 480), source), 854U);
  source.width = 4096;  // equirectangular
  source.height = 2048;
  EXPECT_EQ(width_of(rung("a", 1080), source), 2160U);
}

Bytes png(std::uint32_t width, std::uint32_t height) {
  using namespace std::string_view_literals;
  Bytes bytes;
  ByteWriter out(bytes);
  out.text("\x89PNG\r\n\x1a\n\0\0\0\rIHDR"sv);
  out.u32(width);
  out.u32(height);
  return bytes;
}

TEST(Logo, IsAPngOfBoundedSize) {
  EXPECT_TRUE(check_logo(png(512, 128)));
  EXPECT_TRUE(check_logo(png(4096, 4096)));
  EXPECT_FALSE(check_logo(png(4097, 1)));
  EXPECT_FALSE(check_logo(png(0, 128)));
  EXPECT_FALSE(check_logo(ByteSpan(png(512, 128)).first(20)));
  EXPECT_FALSE(check_logo(as_bytes("\xff\xd8\xff\xe0 a JPEG")));
  Bytes large = png(512, 128);
  large.resize(kMaxLogoBytes + 1);
  EXPECT_FALSE(check_logo(large));
}

}  // namespace
}  // namespace kapok::media
