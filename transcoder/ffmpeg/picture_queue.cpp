#include "transcoder/ffmpeg/picture_queue.hpp"

#include <utility>

namespace kapok::ffmpeg {

void PictureQueue::push(Picture picture) {
  const std::size_t size = bytes_of(*picture.frame);
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] {
    return closed_ || pictures_.size() < kAlwaysAllowed ||
           (pictures_.size() < kMaxPictures && bytes_ + size <= kMaxBytes);
  });
  if (closed_) return;
  bytes_ += size;
  pictures_.push_back(std::move(picture));
  changed_.notify_all();
}

std::optional<Picture> PictureQueue::pop() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return closed_ || !pictures_.empty(); });
  if (pictures_.empty()) return std::nullopt;
  Picture picture = std::move(pictures_.front());
  pictures_.pop_front();
  bytes_ -= bytes_of(*picture.frame);
  changed_.notify_all();
  return picture;
}

std::size_t PictureQueue::clear() {
  const std::lock_guard lock(mutex_);
  const std::size_t count = pictures_.size();
  pictures_.clear();
  bytes_ = 0;
  changed_.notify_all();
  return count;
}

void PictureQueue::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  changed_.notify_all();
}

}  // namespace kapok::ffmpeg
