#include "server/media/av1.hpp"

#include <gtest/gtest.h>

#include "server/base/crypto.hpp"
#include "server/media/describe.hpp"
#include "server/media/supplemental.hpp"

// Material of SVT-AV1 1.4 through Debian's ffmpeg; expectations are ffprobe's.
namespace kapok::media {
namespace {

Buffer hex(std::string_view text) {
  return Buffer(from_hex(text).value());
}

constexpr std::string_view kHdr10Record = "81004c000a0e000000043cfecc02f85091009040";
// The start of its first temporal unit: sequence header, HDR_CLL, HDR_MDCV, frame cut short.
constexpr std::string_view kHdr10Unit =
    "0a0e000000043cfeccfbf950910090402a060103e80190802a1a02ae1451ec43d7b0a426660f5c500d54390003e800"
    "00"
    "0000528032f41f1400";

std::shared_ptr<const Track> describe(std::string_view record) {
  return describe_track({.id = 1,
                         .codec = Codec::av1,
                         .timescale = 90000,
                         .config = hex(record),
                         .language = ""})
      .value();
}

TEST(DescribeAv1, ReadsTenBitPq) {
  const auto track = describe(kHdr10Record);
  EXPECT_EQ(track->codec_string, "av01.0.00M.10.0.110.09.16.09.0");
  const VideoFacts& facts = *track->video();
  EXPECT_EQ(facts.width, 320u);
  EXPECT_EQ(facts.height, 180u);
  EXPECT_EQ(facts.bit_depth, 10);
  EXPECT_EQ(facts.chroma_format, 1);
  EXPECT_EQ(facts.colour, (Colour{9, 16, 9, false}));
}

TEST(DescribeAv1, LeavesOutDefaultsInTheCodecString) {
  EXPECT_EQ(describe("81000c000a0b000000043cfecc02f80040")->codec_string, "av01.0.00M.08");
}

TEST(DescribeAv1, MakesTheRecordFromTheBitstream) {
  const Bytes unit = from_hex(
                         "1200"
                         "0a0e000000043cfecc02f85091009040")
                         .value();
  const auto track = describe_track_from_frame(
      {.id = 1, .codec = Codec::av1, .timescale = 90000, .config = {}, .language = ""}, unit);
  ASSERT_TRUE(track) << track.error().message;
  EXPECT_EQ(to_hex((*track)->config.bytes()), kHdr10Record);
}

TEST(DescribeAv1, RefusesWhatIsCutShort) {
  const Buffer record = hex(kHdr10Record);
  for (std::size_t size = 0; size < record.size(); ++size)
    EXPECT_FALSE(describe_track(
        {.id = 1, .codec = Codec::av1, .config = record.slice(0, size), .language = ""}))
        << size;
}

TEST(EnrichAv1, ConvertsHdrMetadataToTheUnitsOfHevc) {
  const auto more = enriched(describe(kHdr10Record), hex(kHdr10Unit).bytes());
  ASSERT_TRUE(more->video()->light.has_value());
  EXPECT_EQ(*more->video()->light, (ContentLight{1000, 400}));
  ASSERT_TRUE(more->video()->mastering.has_value());
  const MasteringDisplay& mastering = *more->video()->mastering;
  EXPECT_EQ(mastering.primaries_x[2], 34000);  // red last
  EXPECT_EQ(mastering.primaries_y[0], 34500);  // green first
  EXPECT_EQ(mastering.primaries_x[1], 7500);
  EXPECT_EQ(mastering.white_y, 16450);
  EXPECT_EQ(mastering.max_luminance, 10'000'000u);
  EXPECT_EQ(mastering.min_luminance, 50u);
}

TEST(EnrichAv1, SeesHdr10Plus) {
  const auto track = describe(kHdr10Record);
  const auto with_metadata = [&](const std::string& t35) {
    return enriched(track, hex("0a0e000000043cfecc02f85091009040"
                               "2a0b04" +
                               t35 +
                               "80"
                               "320110")
                               .bytes());
  };
  const auto plus = with_metadata("b5003c000104014000");
  EXPECT_TRUE(plus->video()->hdr10_plus);
  EXPECT_TRUE(is_hdr10_plus(*plus));
  EXPECT_EQ(with_metadata("b5003c000104004000"), track);
}

TEST(IsSyncAv1, NeedsAShownKeyFrameWithItsSequenceHeader) {
  const auto track = describe(kHdr10Record);
  const std::string sequence = "0a0e000000043cfecc02f85091009040";
  const auto sync = [&](const std::string& unit) { return is_sync(*track, hex(unit).bytes()); };
  EXPECT_TRUE(sync(sequence + "320110"));   // shown key frame
  EXPECT_FALSE(sync("320110"));             // no sequence header
  EXPECT_FALSE(sync(sequence + "320100"));  // key frame, not shown
  EXPECT_FALSE(sync(sequence + "320130"));  // inter frame
  EXPECT_FALSE(sync(sequence + "1a0190"));  // show_existing_frame
  EXPECT_FALSE(sync(""));
}

TEST(WithoutDelimiters, SharesThePayloadBehindALeadingDelimiter) {
  const Buffer unit =
      hex("1200"
          "320110");
  const Buffer stripped = av1::without_delimiters(unit);
  EXPECT_EQ(to_hex(stripped.bytes()), "320110");
  EXPECT_EQ(stripped.data(), unit.data() + 2);
  EXPECT_EQ(av1::without_delimiters(stripped).data(), stripped.data());
}

TEST(WithoutDelimiters, DropsPaddingInsideAndKeepsBrokenUnits) {
  EXPECT_EQ(to_hex(av1::without_delimiters(hex("1200"
                                               "320110"
                                               "7a020000"
                                               "320130"))
                       .bytes()),
            "320110320130");
  EXPECT_EQ(to_hex(av1::without_delimiters(hex("12003209")).bytes()), "12003209");
}

}  // namespace
}  // namespace kapok::media
