#include "server/picture/containers/flv/colour_info.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>

#include "server/picture/containers/amf/amf.hpp"

namespace kapok::flv {

namespace {
constexpr std::uint8_t kUnspecified = 2;  // CICP

// A number in units of `unit`, held to the range of T; NaN and nonsense become 0.
template <class T>
T scaled(const amf::Value& value, double unit) {
  const double number = std::round(value.number_or(0) / unit);
  if (!(number > 0)) return 0;
  return static_cast<T>(std::min(number, static_cast<double>(std::numeric_limits<T>::max())));
}

std::uint8_t code_point(const amf::Value& value) {
  const auto code = scaled<std::uint8_t>(value, 1);
  return code == 0 ? kUnspecified : code;
}

std::optional<media::Colour> read_colour(const amf::Value& config) {
  if (config.object() == nullptr) return std::nullopt;
  media::Colour colour;
  colour.primaries = code_point(config["colorPrimaries"]);
  colour.transfer = code_point(config["transferCharacteristics"]);
  colour.matrix = code_point(config["matrixCoefficients"]);
  return colour;
}

std::optional<media::MasteringDisplay> read_mastering(const amf::Value& display) {
  if (display.object() == nullptr) return std::nullopt;
  constexpr double kChromaticity = 0.00002;
  constexpr double kLuminance = 0.0001;
  media::MasteringDisplay mastering;
  constexpr std::string_view kNames[3][2] = {
      {"greenX", "greenY"}, {"blueX", "blueY"}, {"redX", "redY"}};
  for (int i = 0; i < 3; ++i) {
    mastering.primaries_x[i] = scaled<std::uint16_t>(display[kNames[i][0]], kChromaticity);
    mastering.primaries_y[i] = scaled<std::uint16_t>(display[kNames[i][1]], kChromaticity);
  }
  mastering.white_x = scaled<std::uint16_t>(display["whitePointX"], kChromaticity);
  mastering.white_y = scaled<std::uint16_t>(display["whitePointY"], kChromaticity);
  mastering.max_luminance = scaled<std::uint32_t>(display["maxLuminance"], kLuminance);
  mastering.min_luminance = scaled<std::uint32_t>(display["minLuminance"], kLuminance);
  if (mastering.max_luminance == 0) return std::nullopt;  // not a display
  return mastering;
}

std::optional<media::ContentLight> read_light(const amf::Value& level) {
  if (level.object() == nullptr) return std::nullopt;
  return media::ContentLight{scaled<std::uint16_t>(level["maxCLL"], 1),
                             scaled<std::uint16_t>(level["maxFall"], 1)};
}
}  // namespace

Result<std::optional<ColourInfo>> read_colour_info(ByteSpan metadata) {
  const auto values = KAPOK_TRY(amf::read_amf0(metadata));
  if (values.size() < 2 || values[0].text() != "colorInfo") return std::optional<ColourInfo>();
  const amf::Value& info = values[1];
  return std::optional(ColourInfo{read_colour(info["colorConfig"]), read_mastering(info["hdrMdcv"]),
                                  read_light(info["hdrCll"])});
}

std::shared_ptr<const media::Track> completed(const std::shared_ptr<const media::Track>& track,
                                              const ColourInfo& info) {
  const media::VideoFacts* known = track->video();
  if (known == nullptr) return track;
  media::VideoFacts facts = *known;
  if (info.colour) {
    const auto fill = [](std::uint8_t& open, std::uint8_t told) {
      if (open == kUnspecified) open = told;
    };
    fill(facts.colour.primaries, info.colour->primaries);
    fill(facts.colour.transfer, info.colour->transfer);
    fill(facts.colour.matrix, info.colour->matrix);
  }
  if (!facts.mastering) facts.mastering = info.mastering;
  if (!facts.light) facts.light = info.light;
  if (facts == *known) return track;
  media::Track more = *track;
  more.facts = facts;
  return std::make_shared<const media::Track>(std::move(more));
}

}  // namespace kapok::flv
