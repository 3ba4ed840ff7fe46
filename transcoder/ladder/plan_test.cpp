#include "transcoder/ladder/plan.hpp"

#include <gtest/gtest.h>

namespace kapok::ladder {
namespace {

media::VideoFacts source(std::uint32_t width, std::uint32_t height, std::uint8_t transfer) {
  media::VideoFacts facts;
  facts.width = width;
  facts.height = height;
  facts.frame_rate = {50, 1};
  const std::uint8_t wide = transfer == 1 ? 1 : 9;
  facts.colour = {.primaries = wide, .transfer = transfer, .matrix = wide};
  return facts;
}

media::VideoRung rung(std::string name, std::uint32_t height, media::Codec codec,
                      media::RungRange range) {
  media::VideoRung made;
  made.name = std::move(name);
  made.height = height;
  made.codec = codec;
  made.range = range;
  made.bit_depth = range == media::RungRange::keep ? 10 : 8;
  return made;
}

media::Ladder ladder_of(std::vector<media::VideoRung> rungs) {
  media::Ladder ladder;
  ladder.video = std::move(rungs);
  return ladder;
}

using media::Codec;
using media::RungRange;

TEST(Plan, RungsOfTheSamePictureShareIt) {
  const Plan plan = plan_video(ladder_of({rung("a", 720, Codec::avc, RungRange::sdr),
                                          rung("b", 720, Codec::hevc, RungRange::sdr)}),
                               source(1920, 1080, 1));
  ASSERT_EQ(plan.pictures.size(), 1U);
  EXPECT_EQ(plan.pictures[0].width, 1280U);
  EXPECT_EQ(plan.pictures[0].from, std::nullopt);
  EXPECT_EQ(plan.rungs[1].picture, 0U);
  EXPECT_GT(plan.rungs[1].cost, plan.rungs[0].cost);
}

TEST(Plan, SmallPicturesComeFromLargerOnesButNotFromThoseOfNearlyTheirSize) {
  const Plan plan = plan_video(ladder_of({rung("540", 540, Codec::avc, RungRange::sdr),
                                          rung("1080", 1080, Codec::avc, RungRange::sdr),
                                          rung("720", 720, Codec::avc, RungRange::sdr)}),
                               source(3840, 2160, 1));
  ASSERT_EQ(plan.pictures.size(), 3U);
  EXPECT_EQ(plan.pictures[0].height, 1080U);
  EXPECT_EQ(plan.pictures[0].from, std::nullopt);
  EXPECT_EQ(plan.pictures[1].from, 0U);  // 720 from 1080
  EXPECT_EQ(plan.pictures[2].from, 0U);  // 540 too, not from 720
}

TEST(Plan, TonesAreMappedOnceAndHdrPicturesAreScaledFromHdrOnes) {
  const Plan plan = plan_video(ladder_of({rung("hdr2160", 2160, Codec::hevc, RungRange::keep),
                                          rung("hdr1080", 1080, Codec::hevc, RungRange::keep),
                                          rung("sdr1080", 1080, Codec::avc, RungRange::sdr),
                                          rung("sdr900", 900, Codec::avc, RungRange::sdr)}),
                               source(3840, 2160, 16));
  ASSERT_EQ(plan.pictures.size(), 4U);
  for (const auto& planned : plan.rungs) {
    const auto& picture = plan.pictures[planned.picture];
    const bool hdr = planned.rung.range == RungRange::keep;
    EXPECT_EQ(picture.tones, hdr ? Tones::as_source : Tones::bt709) << planned.rung.name;
    if (planned.rung.name == "sdr1080") EXPECT_EQ(picture.from, std::nullopt);
    if (planned.rung.name == "hdr1080") {
      ASSERT_TRUE(picture.from.has_value());
      EXPECT_EQ(plan.pictures[*picture.from].height, 2160U);
    }
    if (planned.rung.name == "sdr900") {
      ASSERT_TRUE(picture.from.has_value());
      EXPECT_EQ(plan.pictures[*picture.from].tones, Tones::bt709);
    }
  }
}

TEST(Plan, SdrInWideColoursIsMappedToo) {
  auto wide = source(3840, 2160, 1);
  wide.colour.primaries = 9;
  const auto ladder = ladder_of({rung("a", 720, Codec::avc, RungRange::sdr)});
  EXPECT_EQ(plan_video(ladder, wide).pictures[0].tones, Tones::bt709);
  EXPECT_EQ(plan_video(ladder, source(3840, 2160, 1)).pictures[0].tones, Tones::as_source);
}

TEST(Plan, RungsAboveTheSourceAreLeftOutAndNamed) {
  const Plan plan = plan_video(ladder_of({rung("1080", 1080, Codec::avc, RungRange::sdr),
                                          rung("540", 540, Codec::avc, RungRange::sdr)}),
                               source(1280, 720, 1));
  ASSERT_EQ(plan.rungs.size(), 1U);
  EXPECT_EQ(plan.rungs[0].rung.name, "540");
  ASSERT_EQ(plan.left_out.size(), 1U);
  EXPECT_EQ(plan.left_out[0].rung, "1080");
}

TEST(Plan, ImagesAreMadeOfTheSmallestSdrPictureThatIsLargeEnough) {
  const auto hdr = source(3840, 2160, 16);
  const Plan plan = plan_video(ladder_of({rung("hdr1080", 1080, Codec::hevc, RungRange::keep),
                                          rung("sdr1080", 1080, Codec::avc, RungRange::sdr),
                                          rung("sdr720", 720, Codec::avc, RungRange::sdr),
                                          rung("sdr360", 360, Codec::avc, RungRange::sdr)}),
                               hdr);
  const auto chosen = picture_for_images(plan, hdr, 720);
  ASSERT_TRUE(chosen);
  EXPECT_EQ(plan.pictures[*chosen].height, 720U);
  EXPECT_EQ(plan.pictures[*chosen].tones, Tones::bt709);
  EXPECT_EQ(picture_for_images(plan, hdr, 1440), std::nullopt);
  const Plan kept =
      plan_video(ladder_of({rung("hdr1080", 1080, Codec::hevc, RungRange::keep)}), hdr);
  EXPECT_EQ(picture_for_images(kept, hdr, 720), std::nullopt) << "an HDR picture is not for JPEG";
}

}  // namespace
}  // namespace kapok::ladder
