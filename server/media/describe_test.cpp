#include "server/media/describe.hpp"

#include <gtest/gtest.h>

#include "server/base/crypto.hpp"
#include "server/media/hevc.hpp"
#include "server/media/supplemental.hpp"

// The records were made by Debian's ffmpeg with x264, x265 and its AAC encoder; what is expected of
// them is what ffprobe says of the same files.
namespace kapok::media {
namespace {

Buffer hex(std::string_view text) {
  return Buffer(from_hex(text).value());
}

Result<std::shared_ptr<const Track>> describe(Codec codec, std::string_view config) {
  return describe_track(
      {.id = 1, .codec = codec, .timescale = 90000, .config = hex(config), .language = ""});
}

constexpr std::string_view kAvcMain1080 =
    "014d402affe1001d674d402aeca03c0113f2e02d40404050000003001000000640f183196001000468ce0fc8";
constexpr std::string_view kAvcInterlaced576 =
    "0164001effe1001c6764001eacd940b424dff8020001688000000300800000190f8a14cb01000668fba3cb22c0fdf8"
    "f800";
constexpr std::string_view kAvcHigh422 =
    "017a000dffe10019677a000db6cd941419f8dc04400000fa40003a9803c50a658001000668ebe3cb22c0fefafa00";
constexpr std::string_view kHevcHdr10 =
    "0102200000009000000000003cf000fcfdfafa00000f04a00001001840010c01ffff02200000030090000003000003"
    "003c959009a10001002d42010102200000030090000003000003003ca00a080c1f3b6595912930bc05a84880482000"
    "0003002000000641a2000100064401c073c18927000200094e01900403e8019080001e4e01891833c286c41d4c0bb8"
    "84d03e803d13404200989680000003003280";
constexpr std::string_view kHevcOpenGop =
    "0102200000009000000000003cf000fcfdfafa00000f03a00001001840010c01ffff02200000030090000003000003"
    "003c959409a10001002d42010102200000030090000003000003003ca00a080c1f3b6595952930bc05a84870482000"
    "0003002000000641a2000100064401c073c189";
constexpr std::string_view kHevcInterlaced =
    "01016000000040000000000078f000fcfdf8f800000f04a00001001840010c01ffff01600000030040000003000003"
    "0078959409a10001002b420101016000000300400000030000030078a003c0801107cb965654a4c2f0168680000003"
    "008000000c84a2000100064401c073c18927000100064e0181010f80";
constexpr std::string_view kHevc444Depth12 =
    "0104080000009808000000003cf000fcfffcfc00000f03a00001001740010c01ffff04080000030098080000030000"
    "3c959809a10001002b420101040800000300980800000300003c9001b101e39f294b2b349272bc05a0200000030020"
    "0000030321a2000100084401c172860c4624";

TEST(DescribeAvc, ReadsSizeAfterCroppingColourAndTiming) {
  const auto track = describe(Codec::avc, kAvcMain1080).value();
  EXPECT_EQ(track->kind, TrackKind::video);
  EXPECT_EQ(track->codec_string, "avc1.4d402a");
  const VideoFacts& facts = *track->video();
  EXPECT_EQ(facts.width, 1920u);
  EXPECT_EQ(facts.height, 1080u);  // coded as 1088
  EXPECT_EQ(facts.bit_depth, 8);
  EXPECT_EQ(facts.chroma_format, 1);
  EXPECT_EQ(facts.frame_rate, (Rational{50, 1}));
  EXPECT_EQ(facts.colour, (Colour{1, 1, 1, false}));
  EXPECT_EQ(facts.nal_length_size, 4);
  EXPECT_FALSE(facts.interlaced);
}

TEST(DescribeAvc, SeesInterlacedPicturesAndSampleAspect) {
  const auto track = describe(Codec::avc, kAvcInterlaced576).value();
  const VideoFacts& facts = *track->video();
  EXPECT_EQ(facts.width, 720u);
  EXPECT_EQ(facts.height, 576u);
  EXPECT_TRUE(facts.interlaced);
  EXPECT_EQ(facts.sample_aspect, (Rational{64, 45}));
  EXPECT_EQ(facts.frame_rate, (Rational{25, 1}));
}

TEST(DescribeAvc, ReadsChromaFormatDepthAndFractionalRate) {
  const auto track = describe(Codec::avc, kAvcHigh422).value();
  const VideoFacts& facts = *track->video();
  EXPECT_EQ(track->codec_string, "avc1.7a000d");
  EXPECT_EQ(facts.width, 320u);
  EXPECT_EQ(facts.height, 180u);
  EXPECT_EQ(facts.bit_depth, 10);
  EXPECT_EQ(facts.chroma_format, 2);
  EXPECT_EQ(facts.frame_rate, (Rational{30000, 1001}));
}

TEST(DescribeHevc, ReadsHdr10FromTheRecord) {
  const auto track = describe(Codec::hevc, kHevcHdr10).value();
  EXPECT_EQ(track->codec_string, "hvc1.2.4.L60.90");
  const VideoFacts& facts = *track->video();
  EXPECT_EQ(facts.width, 320u);
  EXPECT_EQ(facts.height, 180u);  // coded as 192
  EXPECT_EQ(facts.bit_depth, 10);
  EXPECT_EQ(facts.frame_rate, (Rational{50, 1}));
  EXPECT_EQ(facts.colour, (Colour{9, 16, 9, false}));
  EXPECT_EQ(dynamic_range_of(facts.colour), DynamicRange::pq);
  ASSERT_TRUE(facts.mastering.has_value());
  EXPECT_EQ(facts.mastering->primaries_x[0], 13250);
  EXPECT_EQ(facts.mastering->primaries_y[2], 16000);
  EXPECT_EQ(facts.mastering->white_x, 15635);
  EXPECT_EQ(facts.mastering->max_luminance, 10'000'000u);
  EXPECT_EQ(facts.mastering->min_luminance, 50u);
  EXPECT_EQ(facts.light, (ContentLight{1000, 400}));
}

TEST(DescribeHevc, CountsFieldsAsHalfFrames) {
  const auto track = describe(Codec::hevc, kHevcInterlaced).value();
  EXPECT_TRUE(track->video()->interlaced);
  EXPECT_EQ(track->codec_string, "hvc1.1.6.L120.40");
  EXPECT_EQ(track->video()->width, 1920u);
  // 25 coded pictures a second, each a field (ffprobe does not look at field_seq_flag).
  EXPECT_EQ(track->video()->frame_rate, (Rational{25, 2}));
}

TEST(DescribeHevc, ReadsRangeExtensions) {
  const auto track = describe(Codec::hevc, kHevc444Depth12).value();
  EXPECT_EQ(track->codec_string, "hvc1.4.10.L60.98.8");
  EXPECT_EQ(track->video()->bit_depth, 12);
  EXPECT_EQ(track->video()->chroma_format, 3);
  EXPECT_EQ(track->video()->width, 426u);
}

TEST(HevcCodecString, KeepsEveryConstraintByteButTrailingZeros) {
  hevc::ProfileTierLevel main10{.profile = 2, .compatibility = 0x20000000, .level = 153};
  main10.constraints = {0xb0, 0, 0, 0, 0, 0};
  EXPECT_EQ(hevc::codec_string(main10), "hvc1.2.4.L153.B0");
  main10.high_tier = true;
  main10.constraints = {0x90, 0, 0x10, 0, 0, 0};
  main10.profile_space = 1;
  EXPECT_EQ(hevc::codec_string(main10), "hvc1.A2.4.H153.90.0.10");
  main10.constraints = {};
  EXPECT_EQ(hevc::codec_string(main10), "hvc1.A2.4.H153");
}

TEST(DescribeAac, ReadsLowComplexity) {
  const auto stereo = describe(Codec::aac, "119056e500").value();
  EXPECT_EQ(stereo->codec_string, "mp4a.40.2");
  EXPECT_EQ(*stereo->audio(), (AudioFacts{48000, 2, 1024}));
  const auto surround = describe(Codec::aac, "1230").value();
  EXPECT_EQ(*surround->audio(), (AudioFacts{44100, 6, 1024}));
}

TEST(DescribeAac, ReadsHighEfficiencyAsTheDecoderPutsItOut) {
  // Hierarchical: SBR 24000 -> 48000, LC core, stereo.
  const auto he = describe(Codec::aac, "2b118800").value();
  EXPECT_EQ(he->codec_string, "mp4a.40.5");
  EXPECT_EQ(*he->audio(), (AudioFacts{48000, 2, 2048}));
  // Hierarchical PS: mono core, stereo out.
  const auto v2 = describe(Codec::aac, "eb098800").value();
  EXPECT_EQ(v2->codec_string, "mp4a.40.29");
  EXPECT_EQ(*v2->audio(), (AudioFacts{48000, 2, 2048}));
  // Backward compatible: LC 24000 stereo, then sync extension 0x2b7, SBR, 48000.
  const auto compatible = describe(Codec::aac, "131056e598").value();
  EXPECT_EQ(compatible->codec_string, "mp4a.40.5");
  EXPECT_EQ(*compatible->audio(), (AudioFacts{48000, 2, 2048}));
}

TEST(Describe, RefusesWhatIsCutShortAtEveryByte) {
  for (const auto& [codec, config] :
       {std::pair{Codec::avc, kAvcMain1080}, {Codec::hevc, kHevcHdr10}}) {
    const Buffer whole = hex(config);
    for (std::size_t size = 0; size + 30 < whole.size(); ++size)
      describe_track({.id = 1, .codec = codec, .config = whole.slice(0, size), .language = ""})
          .value_or(nullptr);  // must not read past the end; ASan watches
    EXPECT_FALSE(
        describe_track({.id = 1, .codec = codec, .config = whole.slice(0, 20), .language = ""}));
  }
  EXPECT_FALSE(describe(Codec::aac, "11"));
  EXPECT_FALSE(describe(Codec::aac, ""));
}

TEST(Describe, RefusesPicturesAboveTheLimit) {
  // kAvcMain1080 with pic_width_in_mbs_minus1 rewritten to 2047 (32768 pixels).
  // 4d402a, then bits: sps_id ue 1, log2 ue, poc type ...; built as a minimal baseline SPS instead:
  // id 0 '1', log2_max_frame_num '1', poc type 2 '011', refs 1 '010', gaps '0',
  // width-1 = 2047 '00000000000100000000000', height-1 = 0 '1', frames only '1', 8x8 '1',
  // cropping '0', vui '0', stop '1'.
  const auto track = describe(Codec::avc,
                              "01420028ffe1000a67420028da0002000e4000"
                              "00");
  ASSERT_FALSE(track);
}

Bytes unit(std::initializer_list<std::string_view> nals) {
  Bytes out;
  ByteWriter writer(out);
  for (const auto nal : nals) {
    const Bytes bytes = from_hex(nal).value();
    writer.u32(static_cast<std::uint32_t>(bytes.size()));
    writer.bytes(bytes);
  }
  return out;
}

TEST(IsSync, AvcNeedsAnIdrSlice) {
  const auto track = describe(Codec::avc, kAvcMain1080).value();
  EXPECT_TRUE(is_sync(*track, unit({"09f0", "6588840a"})));
  EXPECT_FALSE(is_sync(*track, unit({"09f0", "419a0a"})));
  EXPECT_FALSE(is_sync(*track, {}));
  // A recovery point with an I slice is an open GOP.
  EXPECT_EQ(random_access(*track, unit({"06060180"
                                        "80",
                                        "419a0a"})),
            RandomAccess::open_gop);
}

TEST(IsSync, HevcTakesIdrAndBlaAndNoCraThatMayHaveLeadingPictures) {
  const auto reorders = describe(Codec::hevc, kHevcOpenGop).value();
  EXPECT_TRUE(is_sync(*reorders, unit({"460150", "2601ac"})));  // IDR_W_RADL
  EXPECT_TRUE(is_sync(*reorders, unit({"2801ac"})));            // IDR_N_LP
  EXPECT_TRUE(is_sync(*reorders, unit({"2001ac"})));            // BLA_W_LP
  EXPECT_FALSE(is_sync(*reorders, unit({"0201d0"})));           // TRAIL_R
  EXPECT_FALSE(is_sync(*reorders, unit({"2a01ac"})));           // CRA
  EXPECT_EQ(random_access(*reorders, unit({"2a01ac"})), RandomAccess::open_gop);
}

TEST(Enriched, TakesHdrFromTheFirstAccessUnitAndOnlyOnce) {
  // The record without its SEI array, as encoders of FLV and TS write it.
  std::string bare(kHevcHdr10.substr(0, kHevcHdr10.find("27000200094e01")));
  bare.replace(2 * 22, 2, "03");
  const auto track = describe(Codec::hevc, bare).value();
  EXPECT_FALSE(track->video()->light.has_value());
  const Bytes first =
      unit({"4e01900403e8019080", "4e01891833c286c41d4c0bb884d03e803d13404200989680000003003280",
            "2601ac"});
  const auto more = enriched(track, first);
  ASSERT_NE(more, track);
  EXPECT_EQ(*more->video(), *describe(Codec::hevc, kHevcHdr10).value()->video());
  EXPECT_EQ(enriched(more, first), more);
  EXPECT_EQ(enriched(more, unit({"0201d0"})), more);
}

TEST(Enriched, FoldsAlternativeTransferIntoHlg) {
  const auto track = describe(Codec::hevc, kHevcOpenGop).value();
  EXPECT_EQ(track->video()->colour, (Colour{9, 14, 9, false}));
  const auto more = enriched(track, unit({"4e0193011280", "2601ac"}));
  EXPECT_EQ(more->video()->colour.transfer, 18);
  EXPECT_EQ(dynamic_range_of(more->video()->colour), DynamicRange::hlg);
}

TEST(Enriched, SeesCaptionsInTheFirstAccessUnit) {
  constexpr std::string_view kCaptions = "b500314741393403c1fffc8080ff";
  constexpr std::string_view kActiveFormat = "b500314454473141ff";  // ATSC too, but no captions
  const std::string sei = "040e" + std::string(kCaptions) + "80";
  const auto avc = describe(Codec::avc, kAvcMain1080).value();
  EXPECT_FALSE(avc->video()->closed_captions);
  EXPECT_TRUE(enriched(avc, unit({"06" + sei, "6588"}))->video()->closed_captions);
  EXPECT_EQ(enriched(avc, unit({"060409" + std::string(kActiveFormat) + "80", "6588"})), avc);
  const auto hevc = describe(Codec::hevc, kHevcOpenGop).value();
  EXPECT_TRUE(enriched(hevc, unit({"4e01" + sei, "2601ac"}))->video()->closed_captions);
}

TEST(Enriched, SeesHdrVividInTheFirstAccessUnit) {
  const auto hevc = describe(Codec::hevc, kHevcOpenGop).value();
  EXPECT_FALSE(hevc->video()->hdr_vivid);
  const auto with_sei = [&](std::string_view t35) {
    return enriched(hevc, unit({"4e010408" + std::string(t35) + "80", "2601ac"}));
  };
  // The code itself has 00 00 in it only where no emulation prevention is due.
  EXPECT_TRUE(with_sei("26000400050142ff")->video()->hdr_vivid);
  EXPECT_EQ(with_sei("26000400060142ff"), hevc) << "another metadata of the same provider";
  EXPECT_EQ(with_sei("b5000400050142ff"), hevc) << "another country";
  // A base layer of its own keeps its transfer.
  EXPECT_EQ(with_sei("26000400050142ff")->video()->colour, hevc->video()->colour);
}

TEST(Enriched, SeesHdr10PlusInTheFirstAccessUnit) {
  const auto hevc = describe(Codec::hevc, kHevcHdr10).value();
  EXPECT_FALSE(is_hdr10_plus(*hevc));
  const auto with_sei = [&](const std::shared_ptr<const Track>& track, std::string_view t35) {
    return enriched(track, unit({"4e010409" + std::string(t35) + "80", "2601ac"}));
  };
  const auto plus = with_sei(hevc, "b5003c000104014000");
  EXPECT_TRUE(plus->video()->hdr10_plus);
  EXPECT_TRUE(is_hdr10_plus(*plus));
  EXPECT_EQ(plus->codec_string, hevc->codec_string) << "the codec string stays as it was";
  EXPECT_EQ(with_sei(hevc, "b5003c000104004000"), hevc) << "another application mode";
  EXPECT_EQ(with_sei(hevc, "b5003c000101014000"), hevc) << "ST 2094-10";
  EXPECT_EQ(with_sei(hevc, "26003c000104014000"), hevc) << "another country";
  // It is reported where it stands, but is no HDR10+ over another curve.
  const auto gamma = with_sei(describe(Codec::hevc, kHevcOpenGop).value(), "b5003c000104014000");
  EXPECT_TRUE(gamma->video()->hdr10_plus);
  EXPECT_FALSE(is_hdr10_plus(*gamma));
}

TEST(Enriched, SurvivesLengthsThatLie) {
  const auto track = describe(Codec::hevc, kHevcHdr10).value();
  const Bytes liar = from_hex("ffffffff26").value();
  EXPECT_EQ(enriched(track, liar), track);
  EXPECT_FALSE(is_sync(*track, liar));
  const Bytes short_sei = unit({"4e0189ff", "4e01", "4e"});
  EXPECT_EQ(enriched(track, short_sei), track);
}

}  // namespace
}  // namespace kapok::media
