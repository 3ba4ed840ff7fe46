// The engines that the shared tests run on, and the list of what GStreamer lacks, with the reason
// that the engine gives when it hands such a rung to libavcodec. skips_test.cpp proves that list:
// what stands in it is handed over so, what does not is made by GStreamer.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "transcoder/ffmpeg/clip_test.hpp"

namespace kapok::engines {

using media::Codec;

enum class Engine : std::uint8_t { ffmpeg, gstreamer };
std::string name_of(Engine engine);
Result<std::unique_ptr<ladder::Engine>> make(Engine engine, const media::Ladder& ladder,
                                             ladder::EngineOptions options, ladder::RungSink& sink);

// What GStreamer may lack.
enum class Feature : std::uint8_t {
  avc,
  hevc,
  hevc_hdr,
  av1,
  av1_hdr,
  tone_mapping,
  sdr_of_bt2020
};
constexpr Feature kFeatures[] = {Feature::avc,          Feature::hevc,    Feature::hevc_hdr,
                                 Feature::av1,          Feature::av1_hdr, Feature::tone_mapping,
                                 Feature::sdr_of_bt2020};
std::string name_of(Feature feature);
struct Skip {
  Feature feature;
  std::string reason;  // as it stands in the engine's notice
};
const std::vector<Skip>& skips();
// Null: GStreamer has it.
const Skip* skip_of(Feature feature);

// Each shared test once for every engine.
class EngineTest : public testing::TestWithParam<Engine> {
 protected:
  std::unique_ptr<ladder::Engine> make_engine(const media::Ladder& ladder, ladder::RungSink& sink,
                                              ladder::Pace pace = ladder::Pace::file) const;
  ffmpeg::RecordingSink::Rung run(const ffmpeg::Clip& clip, const media::VideoRung& rung) const;
  media::VideoRung rung(std::string name, Codec codec, std::uint32_t height) const;
};

media::Ladder ladder_of(std::vector<media::VideoRung> rungs);
ffmpeg::ClipSpec hdr10_clip();

}  // namespace kapok::engines
