#include "transcoder/engines/engines_test.hpp"

namespace kapok::engines {
namespace {

class FeatureTest : public testing::TestWithParam<std::tuple<Engine, Feature>> {};

media::VideoRung rung_for(Feature feature) {
  const bool is_av1 = feature == Feature::av1 || feature == Feature::av1_hdr;
  const bool is_hevc = feature == Feature::hevc || feature == Feature::hevc_hdr;
  const bool is_hdr = feature == Feature::av1_hdr || feature == Feature::hevc_hdr;
  auto made = ffmpeg::rung("r", is_av1 ? Codec::av1 : is_hevc ? Codec::hevc : Codec::avc, 180);
  if (is_hdr) {
    made.range = media::RungRange::keep;
    made.bit_depth = 10;
  }
  return made;
}

ffmpeg::ClipSpec clip_for(Feature feature) {
  if (feature == Feature::tone_mapping || feature == Feature::av1_hdr ||
      feature == Feature::hevc_hdr)
    return hdr10_clip();
  ffmpeg::ClipSpec clip{.frames = 20, .segment = 10};
  if (feature == Feature::sdr_of_bt2020) clip.facts.colour = {9, 14, 9, false};
  return clip;
}

// Both ways: what a skip names must fail for the reason that it gives, all else must work.
TEST_P(FeatureTest, IsThereUnlessTheListOfSkipsSaysWhyNot) {
  const auto [engine, feature] = GetParam();
  const auto clip = ffmpeg::make_clip(clip_for(feature));
  ffmpeg::RecordingSink sink;
  const auto made =
      make(engine, ladder_of({rung_for(feature)}), {.pace = ladder::Pace::file, .threads = 2}, sink)
          .value();
  ffmpeg::feed(*made, clip);
  made->drain();
  if (const Skip* skip = skip_of(engine, feature)) {
    EXPECT_FALSE(sink.has("r")) << "it works: take it from the list";
    EXPECT_EQ(sink.notices("rung.failed"), 1U);
    EXPECT_NE(sink.all_notices().find(skip->reason), std::string::npos) << sink.all_notices();
  } else {
    ASSERT_TRUE(sink.has("r")) << sink.all_notices();
    EXPECT_EQ(sink["r"].packets.size(), clip.packets.size());
  }
}

INSTANTIATE_TEST_SUITE_P(Each, FeatureTest,
                         testing::Combine(testing::Values(Engine::ffmpeg, Engine::gstreamer),
                                          testing::ValuesIn(kFeatures)),
                         [](const auto& row) {
                           return name_of(std::get<0>(row.param)) + "_" +
                                  name_of(std::get<1>(row.param));
                         });

}  // namespace
}  // namespace kapok::engines
