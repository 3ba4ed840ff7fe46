#include "transcoder/ffmpeg/image_stage.hpp"

#include <utility>

namespace kapok::ffmpeg {

ImageStage::ImageStage(const media::Ladder& ladder, const media::VideoFacts& from,
                       media::Timescale timescale, ladder::Pace pace, ladder::RungSink& sink)
    : pace_(pace), poster_interval_(ladder.poster.interval), timescale_(timescale), sink_(sink) {
  if (ladder.poster.enabled)
    poster_.emplace(media::ImageKind::poster, ladder.poster.side, from, timescale);
  if (ladder.thumbnails.enabled)
    thumbnail_.emplace(media::ImageKind::thumbnail, ladder.thumbnails.side, from, timescale);
  thread_ = std::thread([this] { run(); });
}

ImageStage::~ImageStage() {
  finish();
}

void ImageStage::finish() {
  queue_.close();
  if (thread_.joinable()) thread_.join();
}

void ImageStage::push(Picture picture) {
  if (!wants(picture.mark)) return;
  if (pace_ == ladder::Pace::file)
    queue_.push(std::move(picture));
  else
    queue_.offer(std::move(picture));
}

void ImageStage::run() {
  bool failed = false;
  while (auto picture = queue_.pop()) {
    if (failed) continue;
    if (const auto made = make(*picture); !made) {
      failed = true;
      sink_.notice(LogLevel::error, "images.failed", made.error().message);
    }
  }
}

Result<void> ImageStage::make(const Picture& given) {
  const Picture picture{KAPOK_TRY(in_memory(*given.frame)), given.mark};
  if (thumbnail_) sink_.image(KAPOK_TRY(thumbnail_->make(picture)));
  const auto at = media::to_nanoseconds(picture.mark.pts, timescale_);
  if (poster_ && (!poster_due_ || at >= *poster_due_)) {
    sink_.image(KAPOK_TRY(poster_->make(picture)));
    poster_due_ = at + poster_interval_;
  }
  return {};
}

}  // namespace kapok::ffmpeg
