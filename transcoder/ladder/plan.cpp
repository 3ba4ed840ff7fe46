#include "transcoder/ladder/plan.hpp"

#include <algorithm>
#include <tuple>

namespace kapok::ladder {

namespace {

// Scaling twice softens: from 1080 to 720 lines it is not seen, from 720 to 540 it is, so a picture
// is scaled from another that has at least half as many lines again.
constexpr std::uint32_t kCascadePercent = 150;

Tones tones_of(const media::VideoRung& rung, const media::VideoFacts& source) {
  return rung.range == media::RungRange::keep ? Tones::as_source : sdr_tones(source);
}

// What encoders at the presets of live work cost for a picture of the same size.
double weight_of(media::Codec codec) {
  if (codec == media::Codec::hevc) return 4.3;
  return codec == media::Codec::av1 ? 3 : 1;
}

bool may_derive(const PlannedPicture& picture, const PlannedPicture& parent) {
  if (parent.tones != picture.tones || parent.bit_depth < picture.bit_depth) return false;
  if (parent.width == picture.width && parent.height == picture.height) return true;
  // Mapping tones again costs more than a little sharpness.
  const std::uint32_t percent = picture.tones == Tones::bt709 ? 100 : kCascadePercent;
  return std::uint64_t{parent.height} * 100 >= std::uint64_t{picture.height} * percent;
}

}  // namespace

media::Rational rate_of(const media::VideoRung& rung, media::Rational source) {
  if (rung.rate == media::RungRate::full || source.numerator == 0) return source;
  if (source.numerator % 2 == 0) return {source.numerator / 2, source.denominator};
  return {source.numerator, source.denominator * 2};
}

Tones sdr_tones(const media::VideoFacts& source) {
  // SDR in BT.2020 (primaries 9) too looks pale on the displays that SDR rungs are for.
  const bool narrow =
      dynamic_range_of(source.colour) == media::DynamicRange::sdr && source.colour.primaries != 9;
  return narrow ? Tones::as_source : Tones::bt709;
}

std::optional<std::size_t> picture_for_images(const Plan& plan, const media::VideoFacts& source,
                                              std::uint32_t height) {
  const Tones tones = sdr_tones(source);
  std::optional<std::size_t> best;  // larger ones come first
  for (std::size_t i = 0; i < plan.pictures.size(); ++i)
    if (plan.pictures[i].tones == tones && plan.pictures[i].height >= height) best = i;
  return best;
}

Plan plan_video(const media::Ladder& ladder, const media::VideoFacts& source) {
  media::Ladder video = ladder;
  video.audio.clear();
  auto fitted = media::rungs_for(video, &source, nullptr);

  Plan plan;
  plan.left_out = std::move(fitted.left_out);
  const auto picture_for = [&](const media::VideoRung& rung) {
    return PlannedPicture{.width = media::width_of(rung, source),
                          .height = rung.height,
                          .bit_depth = rung.bit_depth,
                          .tones = tones_of(rung, source),
                          .from = {}};
  };
  for (const auto& rung : fitted.ladder.video) {
    const auto picture = picture_for(rung);
    if (std::ranges::find(plan.pictures, picture) == plan.pictures.end())
      plan.pictures.push_back(picture);
  }
  // Parents first.
  std::ranges::sort(plan.pictures, std::ranges::greater{}, [](const PlannedPicture& p) {
    return std::tuple(p.height, p.width, p.bit_depth, p.tones);
  });
  for (const auto& rung : fitted.ladder.video) {
    const auto place = std::ranges::find(plan.pictures, picture_for(rung));
    const double pixels = static_cast<double>(place->width) * place->height;
    plan.rungs.push_back(
        {.rung = rung,
         .picture = static_cast<std::size_t>(place - plan.pictures.begin()),
         .cost = pixels * weight_of(rung.codec) * (rung.rate == media::RungRate::half ? 0.5 : 1)});
  }
  for (std::size_t i = plan.pictures.size(); i-- > 0;)
    for (std::size_t parent = i; parent-- > 0 && !plan.pictures[i].from;)
      if (may_derive(plan.pictures[i], plan.pictures[parent])) plan.pictures[i].from = parent;
  return plan;
}

}  // namespace kapok::ladder
