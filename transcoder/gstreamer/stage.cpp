#include "transcoder/gstreamer/stage.hpp"

#include <algorithm>
#include <utility>

namespace kapok::gstreamer {

EncodeStage::EncodeStage(VideoEncoderSetup setup, std::size_t place, ladder::RungSink& sink,
                         RungCounters& counters)
    : name_(setup.rung.name),
      rate_(setup.rung.rate),
      setup_(std::move(setup)),
      bit_(1U << place),
      sink_(sink),
      counters_(counters),
      attendance_(counters),
      thread_([this] { run(); }) {}

EncodeStage::~EncodeStage() {
  finish();
}

void EncodeStage::finish() {
  queue_.close();
  if (thread_.joinable()) thread_.join();
}

bool EncodeStage::has_rate_of(const Mark& mark) const {
  return rate_ == media::RungRate::full || mark.number % 2 == 0;
}

bool EncodeStage::wants(const Mark& mark) const {
  if (failed_ || (mark.shed & bit_) != 0) return false;
  return has_rate_of(mark) && (!mark.halved || mark.number % 2 == 0);
}

void EncodeStage::count_if_shed(const Mark& mark) {
  if (!failed_ && has_rate_of(mark) && !wants(mark)) ++counters_.shed;
}

void EncodeStage::push(Picture picture) {
  if (!wants(picture.mark)) return;
  if (attendance_.admits(picture.mark) == ladder::Attendance::Answer::no) return;
  if (rate_ == media::RungRate::half || picture.mark.halved)
    picture.mark.duration += picture.mark.duration;
  queue_.push(std::move(picture));
}

void EncodeStage::shed() {
  attendance_.leave();
  attendance_.cleared(queue_.clear());
}

void EncodeStage::failed(const Error& error) {
  if (failed_.exchange(true)) return;
  sink_.notice(LogLevel::error, "rung.failed", fmt::format("{}: {}", name_, error.message));
}

Result<void> EncodeStage::encode(Picture picture) {
  if (!encoder_) encoder_ = KAPOK_TRY(VideoEncoder::open(std::move(setup_), sink_, counters_));
  return encoder_->encode(std::move(picture));
}

void EncodeStage::run() {
  while (auto picture = queue_.pop()) {
    if (failed_ || !attendance_.passes(picture->mark)) continue;
    if (const auto done = encode(*std::move(picture)); !done) failed(done.error());
  }
  if (encoder_ && !failed_)
    if (const auto done = encoder_->finish(); !done) failed(done.error());
  encoder_.reset();
}

namespace {

// Cubic, as the other engine scales; pictures have their shape already, so no borders.
std::string scaler_text(const PictureStage::Setup& setup) {
  std::string text;
  if (setup.from.interlaced) text = "deinterlace mode=auto fields=top ! ";
  text +=
      fmt::format("videoconvertscale add-borders=false method=catrom n-threads={}", setup.threads);
  // Other primaries are other numbers, not another name.
  if (setup.picture.tones == ladder::Tones::bt709) text += " gamma-mode=remap primaries-mode=fast";
  return text;
}

}  // namespace

PictureStage::PictureStage(Setup setup, ladder::RungSink& sink) : times_(setup.times), sink_(sink) {
  const std::string text = scaler_text(setup);
  const std::size_t bytes = std::size_t{setup.from.width} * setup.from.height * 3;  // 10 bits
  Pipe::Setup pipe{
      .text = text,
      .after = {},
      .in = std::move(setup.in),
      .out = std::move(setup.out),
      .queued = std::clamp(ladder::kMaxQueuedPictureBytes / std::max<std::size_t>(1, bytes),
                           ladder::kPicturesAlwaysQueued, ladder::kMaxQueuedPictures)};
  auto opened = Pipe::open(std::move(pipe), [this](GstSample& sample) { hand_on(sample); });
  if (opened)
    pipe_ = std::move(*opened);
  else
    check(std::unexpected(std::move(opened).error()));
}

bool PictureStage::wants(const Mark& mark) const {
  const auto does = [&](const auto* stage) { return stage->wants(mark); };
  return std::ranges::any_of(smaller_, does) || std::ranges::any_of(encoders_, does);
}

void PictureStage::check(const Result<void>& done) {
  if (done || std::exchange(failed_, true)) return;
  sink_.notice(LogLevel::error, "picture.failed", done.error().message);
}

void PictureStage::push(Picture picture) {
  if (failed_) return;
  {
    const std::lock_guard lock(mutex_);
    marks_.add(picture.mark);
  }
  check(pipe_->push(std::move(picture.buffer)));
}

void PictureStage::finish() {
  if (pipe_ && !failed_) check(pipe_->finish());
  pipe_.reset();
}

void PictureStage::hand_on(GstSample& sample) {
  GstBuffer* buffer = gst_sample_get_buffer(&sample);
  const auto at = running_time(sample, GST_BUFFER_PTS(buffer));
  if (!at) return;
  std::optional<Mark> mark;
  {
    const std::lock_guard lock(mutex_);
    mark = marks_.take(times_.ticks(*at));
  }
  if (!mark) return;
  const Picture picture{BufferPtr(gst_buffer_ref(buffer)), *mark};
  for (PictureStage* stage : smaller_)
    if (stage->wants(*mark)) stage->push(share(picture));
  for (EncodeStage* stage : encoders_) stage->push(share(picture));
}

}  // namespace kapok::gstreamer
