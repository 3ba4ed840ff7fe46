#include "transcoder/ffmpeg/stage.hpp"

#include <algorithm>
#include <utility>

#include "transcoder/ffmpeg/video_encoder.hpp"

namespace kapok::ffmpeg {

EncodeStage::EncodeStage(Setup setup, ladder::RungSink& sink, RungCounters& counters)
    : setup_(std::move(setup)),
      bit_(1U << setup_.place),
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
  return rung().rate == media::RungRate::full || mark.number % 2 == 0;
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
  if (rung().rate == media::RungRate::half || picture.mark.halved)
    picture.mark.duration += picture.mark.duration;
  queue_.push(std::move(picture));
}

void EncodeStage::shed() {
  attendance_.leave();
  attendance_.cleared(queue_.clear());
}

void EncodeStage::notice(LogLevel level, std::string_view event, std::string_view text) {
  sink_.notice(level, event, fmt::format("{}: {}", rung().name, text));
}

void EncodeStage::failed(const Error& error) {
  if (failed_.exchange(true)) return;
  if (setup_.watch != nullptr) return setup_.watch->failed(error);
  notice(LogLevel::error, "rung.failed", error.message);
}

Result<void> EncodeStage::open(const AVFrame& first) {
  if (setup_.codecs != nullptr) {
    auto opened = setup_.codecs->encoder(setup_.encoder, first, setup_.source, sink_, counters_);
    if (opened) {
      encoder_ = std::move(*opened);
      return {};
    }
    if (!rung().bin.empty()) return std::unexpected(std::move(opened).error());
    notice(LogLevel::warn, "codec.replaced",
           fmt::format("{}; libavcodec encodes it", opened.error().message));
    setup_.codecs = nullptr;
  }
  encoder_ = KAPOK_TRY(VideoEncoder::open(setup_.encoder, first, setup_.source, sink_, counters_));
  return {};
}

Result<void> EncodeStage::encode(Picture picture) {
  if (setup_.watch != nullptr) KAPOK_TRY(setup_.watch->use());
  if (waits_for_start_ && !picture.mark.starts_segment) return {};
  waits_for_start_ = false;
  if (!encoder_) KAPOK_TRY(open(*picture.frame));
  auto done = encoder_->encode(std::move(picture));
  if (done || setup_.codecs == nullptr || !rung().bin.empty()) return done;
  notice(LogLevel::error, "device.failed",
         fmt::format("{}; libavcodec goes on at the next segment", done.error().message));
  encoder_.reset();
  setup_.codecs = nullptr;
  waits_for_start_ = true;
  return {};
}

void EncodeStage::run() {
  while (auto picture = queue_.pop()) {
    if (failed_) continue;
    if (!attendance_.passes(picture->mark)) continue;
    if (const auto done = encode(*std::move(picture)); !done) failed(done.error());
  }
  if (!encoder_ || failed_) return;
  if (const auto done = encoder_->finish(); !done) failed(done.error());
}

PictureStage::PictureStage(GraphSetup graph, ladder::RungSink& sink, DeviceWatch* watch)
    : graph_(std::move(graph)), sink_(sink), watch_(watch), thread_([this] { run(); }) {}

PictureStage::~PictureStage() {
  finish();
}

void PictureStage::finish() {
  queue_.close();
  if (thread_.joinable()) thread_.join();
}

bool PictureStage::wants(const Mark& mark) const {
  const auto does = [&](const auto* stage) { return stage->wants(mark); };
  if (images_ != nullptr && ImageStage::wants(mark)) return true;
  return std::ranges::any_of(smaller_, does) || std::ranges::any_of(encoders_, does);
}

void PictureStage::hand_on(Picture picture) {
  if (drawing_) {
    // The picture is worth more than what is drawn on it.
    if (const auto drawn = drawing_->draw(*picture.frame, picture.mark.pts); !drawn) {
      drawing_.reset();
      sink_.notice(LogLevel::error, "overlay.failed", drawn.error().message);
    }
  }
  for (PictureStage* stage : smaller_)
    if (stage->wants(picture.mark)) stage->push({share(*picture.frame), picture.mark});
  for (EncodeStage* stage : encoders_) stage->push({share(*picture.frame), picture.mark});
  if (images_ != nullptr) images_->push(std::move(picture));
}

Result<void> PictureStage::put(Picture picture) {
  if (watch_ != nullptr) KAPOK_TRY(watch_->use());
  return graph_.put(std::move(picture), [this](Picture made) { hand_on(std::move(made)); });
}

void PictureStage::failed(const Error& error) {
  if (watch_ != nullptr) return watch_->failed(error);
  sink_.notice(LogLevel::error, "picture.failed", error.message);
}

void PictureStage::run() {
  bool has_failed = false;
  const auto check = [&](const Result<void>& done) {
    if (done) return;
    has_failed = true;
    failed(done.error());
  };
  while (auto picture = queue_.pop())
    if (!has_failed) check(put(*std::move(picture)));
  if (!has_failed) check(graph_.finish([this](Picture made) { hand_on(std::move(made)); }));
}

}  // namespace kapok::ffmpeg
