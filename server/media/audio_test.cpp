// Opus, AC-3, E-AC-3, FLAC and MP3: what a track is, from records and frames that Debian's ffmpeg
// made; expectations are ffprobe's and, for dac3 and dec3, FFmpeg's own muxer's.
#include <gtest/gtest.h>

#include "server/base/crypto.hpp"
#include "server/media/ac3.hpp"
#include "server/media/describe.hpp"
#include "server/media/opus.hpp"

namespace kapok::media {
namespace {

Bytes hex(std::string_view text) {
  return from_hex(text).value();
}

Result<std::shared_ptr<const Track>> describe(Codec codec, std::string_view config) {
  return describe_track(
      {.id = 1, .codec = codec, .timescale = 48000, .config = Buffer(hex(config)), .language = ""});
}
Result<std::shared_ptr<const Track>> describe_frame(Codec codec, ByteSpan frame) {
  return describe_track_from_frame(
      {.id = 1, .codec = codec, .timescale = 48000, .config = {}, .language = ""}, frame);
}

constexpr std::string_view kStereoHead = "4f707573486561640102380180bb0000000000";
constexpr std::string_view kSurroundHead = "4f707573486561640106380180bb00000000010402000401020305";

TEST(DescribeOpus, ReadsChannelsAndAlwaysRunsAt48k) {
  const auto stereo = describe(Codec::opus, kStereoHead).value();
  EXPECT_EQ(stereo->codec_string, "opus");
  EXPECT_EQ(*stereo->audio(), (AudioFacts{48000, 2, 0}));
  EXPECT_EQ(describe(Codec::opus, kSurroundHead).value()->audio()->channels, 6);
}

TEST(DescribeOpus, RefusesBrokenHeads) {
  EXPECT_FALSE(describe(Codec::opus, "4f707573486561640100380180bb0000000000"));  // no channels
  EXPECT_FALSE(describe(Codec::opus, "4f707573486561640103380180bb0000000000"));  // 3, family 0
  EXPECT_FALSE(describe(Codec::opus, "4f707573486561641102380180bb0000000000"));  // version 17
  EXPECT_FALSE(describe(Codec::opus, kSurroundHead.substr(0, kSurroundHead.size() - 2)));
}

TEST(OpusSpecificBox, SwapsByteOrderAndBack) {
  const Bytes box = opus::specific_box(hex(kSurroundHead));
  EXPECT_EQ(to_hex(box), "000601380000bb800000010402000401020305");  // as FFmpeg wrote it
  EXPECT_EQ(to_hex(opus::head_from_specific_box(box).value()), kSurroundHead);
}

TEST(OpusSamples, AreInTheFirstByte) {
  const auto samples = [](std::string_view packet) { return opus::samples_of(hex(packet)); };
  EXPECT_EQ(samples("fcb406"), 960u);  // CELT 20 ms, one frame
  EXPECT_EQ(samples("e0"), 120u);      // 2.5 ms
  EXPECT_EQ(samples("1800"), 2880u);   // SILK 60 ms
  EXPECT_EQ(samples("79"), 1920u);     // hybrid 20 ms, two frames
  EXPECT_EQ(samples("fb06"), 5760u);   // six of 20 ms
  EXPECT_EQ(samples("fb07"), 0u);      // 140 ms is not allowed
  EXPECT_EQ(samples("fb"), 0u);
  EXPECT_EQ(samples(""), 0u);
}

TEST(DescribeAc3, MakesDac3FromTheFirstFrame) {
  const auto track = describe_frame(Codec::ac3, hex("0b77b50b1e40ebf8403eff99")).value();
  EXPECT_EQ(to_hex(track->config.bytes()), "103de0");
  EXPECT_EQ(track->codec_string, "ac-3");
  EXPECT_EQ(*track->audio(), (AudioFacts{48000, 6, 1536}));
  EXPECT_EQ(*describe(Codec::ac3, "901140").value()->audio(), (AudioFacts{32000, 2, 1536}));
}

TEST(DescribeAc3, RefusesBrokenFrames) {
  EXPECT_FALSE(describe_frame(Codec::ac3, hex("0b77b50b1e40")));
  EXPECT_FALSE(describe_frame(Codec::ac3, hex("0b78b50b1e40ebf8403eff99")));
  EXPECT_FALSE(describe_frame(Codec::ac3, hex("0b77b50bde40ebf8403eff99")));  // sample rate code 3
  EXPECT_FALSE(describe_frame(Codec::ac3, {}));
}

// A frame header, padded to the size that it states.
Bytes eac3_frame(std::string_view header, std::size_t size) {
  Bytes frame = hex(header);
  frame.resize(size);
  return frame;
}

TEST(DescribeEac3, MakesDec3FromTheFirstFrame) {
  const auto track =
      describe_frame(Codec::eac3, eac3_frame("0b77037f3f87c00020f8200002004000", 1792)).value();
  EXPECT_EQ(to_hex(track->config.bytes()), "0e00200f00");
  EXPECT_EQ(track->codec_string, "ec-3");
  EXPECT_EQ(*track->audio(), (AudioFacts{48000, 6, 1536}));
}

TEST(DescribeEac3, CountsTheChannelsOfADependentSubstream) {
  Bytes unit = eac3_frame("0b77037f3f87c00020f8200002004000", 1792);
  // Dependent, substream 0, 64 bytes, 48 kHz, six blocks, acmod 2/2, bsid 16, chanmap Lrs/Rrs
  // (bit 6): 01 000 00000011111 | 00 11 110 0 | 10000 | 00000 0 | 1 0000001000000000
  const Bytes dependent = eac3_frame("0b77401f3c8010200000", 64);
  unit.insert(unit.end(), dependent.begin(), dependent.end());
  const auto track = describe_frame(Codec::eac3, unit);
  ASSERT_TRUE(track) << track.error().message;
  EXPECT_EQ((*track)->audio()->channels, 8);
  // 464 kbit/s; one dependent substream, chan_loc Lrs/Rrs.
  EXPECT_EQ(to_hex((*track)->config.bytes()), "0e80200f0202");
  EXPECT_EQ(*describe(Codec::eac3, "0e80200f0202").value()->audio(), *(*track)->audio());
}

// dec3 has no code for them: a rendition could be written and not read back after a restart.
TEST(DescribeEac3, RefusesHalfSampleRates) {
  const auto track = describe_frame(Codec::eac3, hex("0b770003e6770000"));
  ASSERT_FALSE(track);
  EXPECT_EQ(track.error().code, Errc::unsupported);
}

TEST(DescribeEac3, RefusesBrokenUnits) {
  EXPECT_FALSE(describe_frame(Codec::eac3, hex("0b77037f3f87c00020f8200002004000")));  // cut short
  EXPECT_FALSE(
      describe_frame(Codec::eac3, eac3_frame("0b77401f3c8010200000", 64)));  // dependent only
  EXPECT_FALSE(describe_frame(Codec::eac3, {}));
}

TEST(DescribeFlac, ReadsStreamInfoAndDropsWhatFollows) {
  const std::string info = "1200120000025800051b0bb802f00000bb80a316b305f13b13fe767b3d0d068f95bc";
  const auto track = describe(Codec::flac,
                              "664c6143"
                              "00000022" +
                                  info +
                                  "84000004"
                                  "00000000")
                         .value();
  EXPECT_EQ(track->codec_string, "flac");
  EXPECT_EQ(*track->audio(), (AudioFacts{48000, 2, 4608}));
  EXPECT_EQ(to_hex(track->config.bytes()),
            "664c6143"
            "80000022" +
                info);
  EXPECT_FALSE(describe(Codec::flac,
                        "664c6143"
                        "00000022" +
                            info.substr(2)));
  EXPECT_FALSE(describe(Codec::flac,
                        "664c6144"
                        "00000022" +
                            info));
}

TEST(DescribeMp3, RecognisesTheFrameHeader) {
  const auto track = describe_frame(Codec::mp3, hex("fffb9464")).value();
  EXPECT_EQ(track->codec_string, "mp4a.6B");
  EXPECT_EQ(*track->audio(), (AudioFacts{48000, 2, 1152}));
  EXPECT_EQ(*describe_frame(Codec::mp3, hex("fff384c4")).value()->audio(),
            (AudioFacts{24000, 1, 576}));
  EXPECT_FALSE(describe_frame(Codec::mp3, hex("fff19464")));  // reserved version or layer
  EXPECT_FALSE(describe(Codec::mp3, ""));
}

TEST(DescribeMp2, RecognisesTheFrameHeaderAndNoOtherLayer) {
  const auto track = describe_frame(Codec::mp2, hex("fffdc404")).value();
  EXPECT_EQ(*track->audio(), (AudioFacts{48000, 2, 1152}));
  EXPECT_EQ(track->codec_string, "mp4a.40.33");
  // MPEG-2 halves the rate and keeps the frame.
  EXPECT_EQ(*describe_frame(Codec::mp2, hex("fff584c4")).value()->audio(),
            (AudioFacts{24000, 1, 1152}));
  EXPECT_FALSE(describe_frame(Codec::mp2, hex("fffb9464")));
  EXPECT_FALSE(describe_frame(Codec::mp3, hex("fffdc404")));
}

}  // namespace
}  // namespace kapok::media
