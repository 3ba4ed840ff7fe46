// Pictures on their way from one stage's thread to another's. Bounded: who gives waits for who
// takes, which is how a slow encoder holds back the decoder.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>

#include "transcoder/ffmpeg/mark.hpp"

namespace kapok::ffmpeg {

class PictureQueue {
 public:
  static constexpr std::size_t kMaxPictures = 8;
  static constexpr std::size_t kMaxBytes = std::size_t{256} * 1024 * 1024;
  // One being taken while one waits: fewer would make the stages take turns.
  static constexpr std::size_t kAlwaysAllowed = 2;

  void push(Picture picture);    // waits for room; drops the picture once closed
  std::optional<Picture> pop();  // waits; absent once closed and empty
  std::size_t clear();           // returns how many were in it
  void close();

 private:
  // A mutex: the stages are threads of their own because encoding blocks.
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Picture> pictures_;
  std::size_t bytes_ = 0;
  bool closed_ = false;
};

}  // namespace kapok::ffmpeg
