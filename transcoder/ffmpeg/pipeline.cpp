#include "transcoder/ffmpeg/pipeline.hpp"

#include <algorithm>
#include <utility>

namespace kapok::ffmpeg {

namespace {

// Scaling is cheap beside encoding; each planned picture has a thread already.
constexpr unsigned kMaxFilterThreads = 4;

media::Rational rate_of(const media::VideoRung& rung, media::Rational source) {
  if (rung.rate == media::RungRate::full || source.numerator == 0) return source;
  if (source.numerator % 2 == 0) return {source.numerator / 2, source.denominator};
  return {source.numerator, source.denominator * 2};
}

}  // namespace

Pipeline::Pipeline(const media::Ladder& ladder, const media::VideoFacts& source,
                   media::Timescale timescale, unsigned threads, ladder::RungSink& sink,
                   std::span<RungCounters> counters)
    : sink_(sink) {
  const ladder::Plan plan = ladder::plan_video(ladder, source);
  for (const auto& left_out : plan.left_out)
    sink.notice(LogLevel::info, "rung.left_out",
                fmt::format("{}: {}", left_out.rung, left_out.why));
  for (const auto& picture : plan.pictures) {
    media::VideoFacts from = source;
    if (picture.from) from.interlaced = false;  // its parent's filters saw to it
    // What was mapped already is only scaled.
    ladder::PlannedPicture step = picture;
    if (picture.from) step.tones = ladder::Tones::as_source;
    pictures_.push_back(std::make_unique<PictureStage>(step, from, timescale,
                                                       std::min(threads, kMaxFilterThreads), sink));
    if (picture.from)
      pictures_[*picture.from]->feed(*pictures_.back());
    else
      roots_.push_back(pictures_.back().get());
  }
  for (const auto& planned : plan.rungs) {
    const auto place = std::ranges::find(ladder.video, planned.rung.name, &media::VideoRung::name);
    const auto index = static_cast<std::size_t>(place - ladder.video.begin());
    VideoRungSetup setup{.rung = planned.rung,
                         .id = static_cast<media::TrackId>(index + 1),
                         .timescale = timescale,
                         .frame_rate = rate_of(planned.rung, source.frame_rate),
                         .threads = threads};
    encoders_.push_back(
        {planned.rung.name, std::make_unique<EncodeStage>(std::move(setup), planned.cost, source,
                                                          sink, counters[index])});
    pictures_[planned.picture]->feed(*encoders_.back().stage);
  }
}

void Pipeline::push(Picture picture) {
  for (PictureStage* root : roots_)
    if (root->wants(picture.mark)) root->push({share(*picture.frame), picture.mark});
}

void Pipeline::finish() {
  for (const auto& stage : pictures_) stage->finish();
  for (const auto& encoder : encoders_) encoder.stage->finish();
}

bool Pipeline::shed() {
  EncodeStage* costliest = nullptr;
  std::string_view rung;
  for (const auto& encoder : encoders_) {
    if (encoder.stage->is_shed()) continue;
    if (costliest != nullptr && encoder.stage->cost() <= costliest->cost()) continue;
    costliest = encoder.stage.get();
    rung = encoder.rung;
  }
  if (costliest == nullptr) return false;
  costliest->shed();
  sink_.notice(LogLevel::warn, "rung.shed",
               fmt::format("{}: this machine is too slow for the whole ladder", rung));
  return true;
}

}  // namespace kapok::ffmpeg
