#include "transcoder/engines/engines_test.hpp"

namespace kapok::engines {
namespace {

class FeatureTest : public testing::TestWithParam<Feature> {};

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

// Both ways: what a skip names is handed to libavcodec with the reason that it gives, all else is
// made by GStreamer's own elements. Every rung is there.
TEST_P(FeatureTest, IsMadeByGstreamerUnlessTheListOfSkipsSaysWhyNot) {
  const auto feature = GetParam();
  const auto clip = ffmpeg::make_clip(clip_for(feature));
  ffmpeg::RecordingSink sink;
  const auto made = make(Engine::gstreamer, ladder_of({rung_for(feature)}),
                         {.pace = ladder::Pace::file, .threads = 2}, sink)
                        .value();
  ffmpeg::feed(*made, clip);
  made->drain();
  ASSERT_TRUE(sink.has("r")) << sink.all_notices();
  EXPECT_EQ(sink["r"].packets.size(), clip.packets.size())
      << "decoded " << made->stats().decoded << ", errors " << made->stats().decode_errors << "\n"
      << sink.all_notices();
  const Skip* skip = skip_of(feature);
  EXPECT_EQ(sink.notices("codec.replaced"), skip == nullptr ? 0U : 1U) << sink.all_notices();
  if (skip != nullptr)
    EXPECT_NE(sink.all_notices().find(skip->reason), std::string::npos) << sink.all_notices();
}

INSTANTIATE_TEST_SUITE_P(Each, FeatureTest, testing::ValuesIn(kFeatures),
                         [](const auto& row) { return name_of(row.param); });

}  // namespace
}  // namespace kapok::engines
