#include "transcoder/ffmpeg/pipeline.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace kapok::ffmpeg {

namespace {

// Scaling is cheap beside encoding; each planned picture has a thread already.
constexpr unsigned kMaxFilterThreads = 4;

}  // namespace

static_assert(media::kMaxVideoRungs <= std::numeric_limits<decltype(Mark::shed)>::digits);

Pipeline::Pipeline(const media::Ladder& ladder, const media::VideoFacts& source,
                   media::Timescale timescale, unsigned threads, ladder::RungSink& sink,
                   std::span<RungCounters> counters)
    : sink_(sink) {
  const ladder::Plan plan = ladder::plan_video(ladder, source);
  shedding_ = ladder::Shedding(plan.rungs, source.frame_rate);
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
                         .frame_rate = ladder::rate_of(planned.rung, source.frame_rate),
                         .threads = threads};
    encoders_.push_back(
        {planned.rung.name, std::make_unique<EncodeStage>(std::move(setup), encoders_.size(),
                                                          source, sink, counters[index])});
    pictures_[planned.picture]->feed(*encoders_.back().stage);
  }
}

void Pipeline::push(Picture picture, ladder::Room room) {
  shed_what_is_due(picture, room);
  const Mark& mark = picture.mark;
  for (const auto& encoder : encoders_) encoder.stage->count_if_shed(mark);
  for (PictureStage* root : roots_)
    if (root->wants(mark)) root->push({share(*picture.frame), mark});
}

void Pipeline::shed_what_is_due(Picture& picture, ladder::Room room) {
  const std::lock_guard lock(shedding_mutex_);
  Mark& mark = picture.mark;
  const auto back = mark.starts_segment ? shedding_.segment_starts(room) : std::nullopt;
  if (back && back->rung) {
    shed_ &= ~(1U << *back->rung);
    encoders_[*back->rung].stage->resume();
    sink_.notice(LogLevel::info, "rung.resumed", encoders_[*back->rung].rung);
  } else if (back) {
    halved_ = false;
    sink_.notice(LogLevel::info, "rate.restored", "all rungs have their whole frame rate again");
  }
  // A picture lasts until the next that is there, so halving begins with one that stays.
  if (!halved_ || mark.number % 2 == 0) halves_ = halved_;
  mark.halved = halves_;
  mark.shed = shed_;
}

void Pipeline::finish() {
  for (const auto& stage : pictures_) stage->finish();
  for (const auto& encoder : encoders_) encoder.stage->finish();
}

bool Pipeline::shed() {
  const std::lock_guard lock(shedding_mutex_);
  const auto step = shedding_.take();
  if (!step) return false;
  if (step->rung) {
    shed_ |= 1U << *step->rung;
    encoders_[*step->rung].stage->shed();
    sink_.notice(LogLevel::warn, "rung.shed",
                 fmt::format("{}: this machine is too slow for the whole ladder",
                             encoders_[*step->rung].rung));
  } else {
    halved_ = true;
    sink_.notice(LogLevel::warn, "rate.halved",
                 "all rungs go to half of the frame rate: this machine is too slow for the ladder");
  }
  return true;
}

}  // namespace kapok::ffmpeg
