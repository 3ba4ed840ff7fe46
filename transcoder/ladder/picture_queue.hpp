// Pictures on their way from one stage's thread to another's. Bounded: who gives waits for who
// takes, which is how a slow encoder holds back the decoder. `Picture` is an engine's own, of which
// bytes_of() tells the size.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

namespace kapok::ladder {

constexpr std::size_t kMaxQueuedPictures = 8;
constexpr std::size_t kMaxQueuedPictureBytes = std::size_t{256} * 1024 * 1024;
// One being taken while one waits: fewer would make the stages take turns.
constexpr std::size_t kPicturesAlwaysQueued = 2;

template <class Picture>
class PictureQueue {
 public:
  // Waits for room; drops the picture once closed.
  void push(Picture picture) {
    const std::size_t size = bytes_of(picture);
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] {
      return closed_ || pictures_.size() < kPicturesAlwaysQueued ||
             (pictures_.size() < kMaxQueuedPictures && bytes_ + size <= kMaxQueuedPictureBytes);
    });
    if (closed_) return;
    bytes_ += size;
    pictures_.push_back(std::move(picture));
    changed_.notify_all();
  }

  // Does not wait: drops the picture if another one is still in it.
  void offer(Picture picture) {
    const std::lock_guard lock(mutex_);
    if (closed_ || !pictures_.empty()) return;
    bytes_ += bytes_of(picture);
    pictures_.push_back(std::move(picture));
    changed_.notify_all();
  }

  // Waits; absent once closed and empty.
  std::optional<Picture> pop() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return closed_ || !pictures_.empty(); });
    if (pictures_.empty()) return std::nullopt;
    Picture picture = std::move(pictures_.front());
    pictures_.pop_front();
    bytes_ -= bytes_of(picture);
    changed_.notify_all();
    return picture;
  }

  // Returns how many were in it.
  std::size_t clear() {
    const std::lock_guard lock(mutex_);
    const std::size_t count = pictures_.size();
    pictures_.clear();
    bytes_ = 0;
    changed_.notify_all();
    return count;
  }

  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }

 private:
  // A mutex: the stages are threads of their own because encoding blocks.
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Picture> pictures_;
  std::size_t bytes_ = 0;
  bool closed_ = false;
};

}  // namespace kapok::ladder
