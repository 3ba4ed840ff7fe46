#include "transcoder/ffmpeg/pipeline.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "transcoder/ffmpeg/graph_text.hpp"

namespace kapok::ffmpeg {

namespace {

// Scaling is cheap beside encoding; each planned picture has a thread already.
constexpr unsigned kMaxFilterThreads = 4;

// What a planned picture is, as a source for others.
media::VideoFacts shown_in(const ladder::PlannedPicture& picture, const media::VideoFacts& source) {
  media::VideoFacts facts = source;
  facts.width = picture.width;
  facts.height = picture.height;
  facts.bit_depth = picture.bit_depth;
  facts.interlaced = false;
  if (picture.tones == ladder::Tones::bt709) facts.colour = media::Colour{1, 1, 1, false};
  return facts;
}

// The rungs that we scale for, and those that have a graph of their own which does it.
ladder::Plan plan_of(const media::Ladder& ladder, bool own, const PipelineSetup& setup) {
  media::Ladder some = ladder;
  std::erase_if(some.video, [&](const media::VideoRung& rung) {
    return rung.bin.empty() == own || (setup.codecs != nullptr && setup.codecs->leaves_out(rung));
  });
  return ladder::plan_video(some, setup.source);
}

bool draws(const media::Ladder& ladder) {
  return !ladder.overlay.png.empty() || ladder.clock;
}

}  // namespace

static_assert(media::kMaxVideoRungs <= std::numeric_limits<decltype(Mark::shed)>::digits);

void Pipeline::add_steps(const media::Ladder& ladder, const ladder::Plan& plan,
                         const Placement& placement, const PipelineSetup& setup) {
  std::vector<media::VideoFacts> made;  // what comes out of each step
  for (const Step& step : placement.steps) {
    StepWork work{.step = step,
                  .to = {},
                  .from = step.from ? made[*step.from] : setup.source,
                  .row = row_of(setup.path->device.kind)};
    media::VideoFacts out = work.from;
    if (step.picture) {
      work.to = plan.pictures[*step.picture];
      // What was mapped already is only scaled, and its parent's filters saw to fields.
      if (work.to.from) work.to.tones = ladder::Tones::as_source;
      out.bit_depth = work.to.bit_depth;
      out.interlaced = false;
    }
    const bool on_device = step.touches_device();
    pictures_.push_back(std::make_unique<PictureStage>(
        GraphSetup{.text = graph_text(work),
                   .device = on_device ? setup.path->opened : nullptr,
                   .timescale = setup.timescale,
                   .threads = std::min(setup.threads, kMaxFilterThreads)},
        sink_, on_device ? setup.watch : nullptr));
    made.push_back(out);
    // What is made of it has what is drawn on it too.
    if (step.picture && !plan.pictures[*step.picture].from)
      add_drawing(ladder, plan.pictures[*step.picture],
                  shown_in(plan.pictures[*step.picture], setup.source), setup.timescale);
    if (step.from)
      pictures_[*step.from]->feed(*pictures_.back());
    else
      roots_.push_back(pictures_.back().get());
  }
}

Pipeline::Pipeline(const media::Ladder& ladder, const PipelineSetup& setup, ladder::RungSink& sink,
                   std::span<RungCounters> counters)
    : sink_(sink) {
  const media::VideoFacts& source = setup.source;
  const ladder::Plan plan = plan_of(ladder, false, setup);
  // What these cost is planned as if we encoded them.
  const ladder::Plan own = plan_of(ladder, true, setup);
  std::vector<ladder::PlannedRung> rungs = plan.rungs;
  rungs.insert(rungs.end(), own.rungs.begin(), own.rungs.end());
  shedding_ = ladder::Shedding(rungs, source.frame_rate);
  for (const auto* each : {&plan, &own})
    for (const auto& left_out : each->left_out)
      sink.notice(LogLevel::info, "rung.left_out",
                  fmt::format("{}: {}", left_out.rung, left_out.why));
  Path path = *setup.path;
  // Drawing is done in memory, and so is then all that comes of it.
  if (draws(ladder)) path.can = {};
  const Placement placement = place(plan, path,
                                    {.place = setup.decoded,
                                     .interlaced = source.interlaced,
                                     .full_range = source.colour.full_range});
  add_steps(ladder, plan, placement, setup);
  for (std::size_t i = 0; i < plan.rungs.size(); ++i) {
    const PlacedRung& placed = placement.rungs[i];
    pictures_[placed.step]->feed(
        add_encoder(ladder, plan.rungs[i], placed.encodes_on, setup, counters));
  }
  for (const auto& planned : own.rungs)
    own_.push_back(&add_encoder(ladder, planned, Place::memory, setup, counters));
  if (ladder.poster.enabled || ladder.thumbnails.enabled)
    add_images(ladder, plan, placement, setup);
}

EncodeStage& Pipeline::add_encoder(const media::Ladder& ladder, const ladder::PlannedRung& planned,
                                   Place place, const PipelineSetup& setup,
                                   std::span<RungCounters> counters) {
  const bool on_device = place == Place::device;
  const auto in_ladder =
      std::ranges::find(ladder.video, planned.rung.name, &media::VideoRung::name);
  const auto index = static_cast<std::size_t>(in_ladder - ladder.video.begin());
  EncodeStage::Setup stage{
      .encoder = {.rung = planned.rung,
                  .id = static_cast<media::TrackId>(index + 1),
                  .timescale = setup.timescale,
                  .frame_rate = ladder::rate_of(planned.rung, setup.source.frame_rate),
                  .threads = setup.threads,
                  .device = on_device ? setup.path->opened : nullptr},
      .place = encoders_.size(),
      .source = setup.source,
      .watch = on_device ? setup.watch : nullptr,
      .codecs = on_device ? nullptr : setup.codecs};
  encoders_.push_back(
      {planned.rung.name, std::make_unique<EncodeStage>(std::move(stage), sink_, counters[index])});
  return *encoders_.back().stage;
}

void Pipeline::add_drawing(const media::Ladder& ladder, const ladder::PlannedPicture& picture,
                           const media::VideoFacts& from, media::Timescale timescale) {
  auto drawing = Drawing::make(ladder, {.width = picture.width,
                                        .height = picture.height,
                                        .bit_depth = picture.bit_depth,
                                        .colour = from.colour,
                                        .sample_aspect = from.sample_aspect,
                                        .timescale = timescale});
  if (drawing)
    pictures_.back()->draw(std::move(*drawing));
  else
    sink_.notice(LogLevel::error, "overlay.failed", drawing.error().message);
}

void Pipeline::add_images(const media::Ladder& ladder, const ladder::Plan& plan,
                          const Placement& placement, const PipelineSetup& setup) {
  const std::uint32_t side = std::max(ladder.poster.enabled ? ladder.poster.side : 0,
                                      ladder.thumbnails.enabled ? ladder.thumbnails.side : 0);
  const auto picture =
      ladder::picture_for_images(plan, setup.source, image_size(setup.source, side).height);
  // One that stays on the device is no better a source than the decoded frame.
  const auto step = std::ranges::find_if(placement.steps, [&](const Step& one) {
    return picture && one.picture == picture && one.out == Place::memory;
  });
  images_of_source_ = step == placement.steps.end();
  const media::VideoFacts from =
      images_of_source_ ? setup.source : shown_in(plan.pictures[*picture], setup.source);
  images_ = std::make_unique<ImageStage>(ladder, from, setup.timescale, setup.pace, sink_);
  if (!images_of_source_)
    pictures_[static_cast<std::size_t>(step - placement.steps.begin())]->feed(*images_);
}

void Pipeline::push(Picture picture, ladder::Room room) {
  shed_what_is_due(picture, room);
  const Mark& mark = picture.mark;
  for (const auto& encoder : encoders_) encoder.stage->count_if_shed(mark);
  if (images_of_source_ && ImageStage::wants(mark)) images_->push({share(*picture.frame), mark});
  for (PictureStage* root : roots_)
    if (root->wants(mark)) root->push({share(*picture.frame), mark});
  for (EncodeStage* encoder : own_) encoder->push({share(*picture.frame), mark});
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
  if (images_) images_->finish();
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
