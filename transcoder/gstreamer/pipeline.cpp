#include "transcoder/gstreamer/pipeline.hpp"

#include <algorithm>
#include <utility>

namespace kapok::gstreamer {

namespace {

// Scaling is cheap beside encoding; each planned picture has a thread already.
constexpr unsigned kMaxScalerThreads = 4;

// What a planned picture looks like: the source's look in another size, or SDR in BT.709.
media::VideoFacts facts_of(const ladder::PlannedPicture& picture, media::VideoFacts facts) {
  facts.width = picture.width;
  facts.height = picture.height;
  facts.bit_depth = picture.bit_depth;
  facts.chroma_format = 1;
  facts.interlaced = false;
  if (picture.tones == ladder::Tones::bt709)
    facts.colour = {.primaries = 1, .transfer = 1, .matrix = 1};
  facts.colour.full_range = false;
  return facts;
}

}  // namespace

Pipeline::Pipeline(const media::Ladder& ladder, Source source, const Toolbox& toolbox,
                   unsigned threads, ladder::RungSink& sink, std::span<RungCounters> counters)
    : ladder_(ladder),
      source_(std::move(source)),
      toolbox_(toolbox),
      threads_(threads),
      sink_(sink),
      counters_(counters) {
  add_planned();
  add_own_graphs();
  shedding_ = ladder::Shedding(planned_, source_.facts.frame_rate);
}

// To name SDR what is HDR would be worse than no rung.
Result<void> Pipeline::check_tones(const media::VideoRung& rung) const {
  if (rung.range == media::RungRange::keep ||
      dynamic_range_of(source_.facts.colour) == media::DynamicRange::sdr)
    return {};
  return fail(Errc::unsupported,
              "the source is HDR, which GStreamer does not map to SDR: say engine = \"ffmpeg\", or "
              "range = \"keep\" in 10 bits");
}

VideoEncoderSetup Pipeline::setup_of(const media::VideoRung& rung) const {
  const auto place = std::ranges::find(ladder_.video, rung.name, &media::VideoRung::name);
  return {.rung = rung,
          .id = static_cast<media::TrackId>(place - ladder_.video.begin() + 1),
          .times = source_.times,
          .frame_rate = ladder::rate_of(rung, source_.facts.frame_rate),
          .text = rung.bin,
          .pictures = nullptr};
}

EncodeStage& Pipeline::add(VideoEncoderSetup setup, const ladder::PlannedRung& planned) {
  RungCounters& counters = counters_[setup.id - 1];
  encoders_.push_back(
      std::make_unique<EncodeStage>(std::move(setup), encoders_.size(), sink_, counters));
  planned_.push_back(planned);
  return *encoders_.back();
}

void Pipeline::add_planned() {
  media::Ladder makeable = ladder_;
  std::vector<std::pair<std::string, const Encoder*>> chosen;
  std::erase_if(makeable.video, [&](const media::VideoRung& rung) {
    if (!rung.bin.empty()) return true;
    if (rung.height > source_.facts.height) return false;  // left out, and told so
    const auto tones = check_tones(rung);
    const auto encoder = toolbox_.encoder(rung.codec, rung.bit_depth);
    if (tones && encoder) {
      chosen.emplace_back(rung.name, *encoder);
      return false;
    }
    sink_.notice(
        LogLevel::error, "rung.failed",
        fmt::format("{}: {}", rung.name, tones ? encoder.error().message : tones.error().message));
    return true;
  });
  const ladder::Plan plan = ladder::plan_video(makeable, source_.facts);
  for (const auto& left_out : plan.left_out)
    sink_.notice(LogLevel::info, "rung.left_out",
                 fmt::format("{}: {}", left_out.rung, left_out.why));
  std::vector<media::VideoFacts> looks;
  for (const auto& picture : plan.pictures) {
    const media::VideoFacts from = picture.from ? looks[*picture.from] : source_.facts;
    const std::string format =
        picture.from ? std::string(format_of(from.bit_depth)) : source_.format;
    looks.push_back(facts_of(picture, source_.facts));
    pictures_.push_back(std::make_unique<PictureStage>(
        PictureStage::Setup{.picture = picture,
                            .from = from,
                            .in = raw_caps(from, format),
                            .out = raw_caps(looks.back(), format_of(picture.bit_depth)),
                            .times = source_.times,
                            .threads = std::min(threads_, kMaxScalerThreads)},
        sink_));
    if (picture.from)
      pictures_[*picture.from]->feed(*pictures_.back());
    else
      roots_.push_back(pictures_.back().get());
  }
  for (const auto& planned : plan.rungs) {
    const media::VideoFacts& look = looks[planned.picture];
    const auto encoder = std::ranges::find(chosen, planned.rung.name,
                                           &std::pair<std::string, const Encoder*>::first);
    VideoEncoderSetup setup = setup_of(planned.rung);
    setup.text = encoder_text(*encoder->second,
                              {.rung = planned.rung,
                               .light = source_.facts,
                               .is_hdr = dynamic_range_of(look.colour) != media::DynamicRange::sdr,
                               .threads = threads_});
    media::VideoFacts pictures = look;
    pictures.frame_rate = setup.frame_rate;
    setup.pictures = raw_caps(pictures, format_of(look.bit_depth));
    pictures_[planned.picture]->feed(add(std::move(setup), planned));
  }
}

void Pipeline::add_own_graphs() {
  media::Ladder own = ladder_;
  own.audio.clear();
  std::erase_if(own.video, [&](const media::VideoRung& rung) {
    return rung.bin.empty() || toolbox_.has_broken_graph(rung.name);
  });
  if (own.video.empty()) return;
  // What it costs is planned as if we encoded it; it does the scaling itself.
  const ladder::Plan plan = ladder::plan_video(own, source_.facts);
  for (const auto& left_out : plan.left_out)
    sink_.notice(LogLevel::info, "rung.left_out",
                 fmt::format("{}: {}", left_out.rung, left_out.why));
  for (const auto& planned : plan.rungs) {
    VideoEncoderSetup setup = setup_of(planned.rung);
    media::VideoFacts pictures = source_.facts;
    pictures.frame_rate = setup.frame_rate;
    setup.pictures = raw_caps(pictures, source_.format);
    own_.push_back(&add(std::move(setup), planned));
  }
}

void Pipeline::push(Picture picture, ladder::Room room) {
  shed_what_is_due(picture, room);
  for (const auto& encoder : encoders_) encoder->count_if_shed(picture.mark);
  for (PictureStage* root : roots_)
    if (root->wants(picture.mark)) root->push(share(picture));
  for (EncodeStage* encoder : own_) encoder->push(share(picture));
}

void Pipeline::shed_what_is_due(Picture& picture, ladder::Room room) {
  const std::lock_guard lock(shedding_mutex_);
  Mark& mark = picture.mark;
  const auto back = mark.starts_segment ? shedding_.segment_starts(room) : std::nullopt;
  if (back && back->rung) {
    shed_ &= ~(1U << *back->rung);
    encoders_[*back->rung]->resume();
    sink_.notice(LogLevel::info, "rung.resumed", encoders_[*back->rung]->rung());
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
  for (const auto& encoder : encoders_) encoder->finish();
}

bool Pipeline::shed() {
  const std::lock_guard lock(shedding_mutex_);
  const auto step = shedding_.take();
  if (!step) return false;
  if (step->rung) {
    shed_ |= 1U << *step->rung;
    encoders_[*step->rung]->shed();
    sink_.notice(LogLevel::warn, "rung.shed",
                 fmt::format("{}: this machine is too slow for the whole ladder",
                             encoders_[*step->rung]->rung()));
  } else {
    halved_ = true;
    sink_.notice(LogLevel::warn, "rate.halved",
                 "all rungs go to half of the frame rate: this machine is too slow for the ladder");
  }
  return true;
}

}  // namespace kapok::gstreamer
