// libav's own messages, to an engine's notices. libav has one log for the whole process; the engine
// that was made last gets it (a worker has one). Broken streams make libav say thousands of lines,
// so only some pass.
#pragma once

#include "transcoder/ladder/engine.hpp"

namespace kapok::ffmpeg {

class AvLog {
 public:
  static constexpr unsigned kMaxLinesPerSecond = 5;

  explicit AvLog(ladder::RungSink& sink);
  ~AvLog();
  AvLog(const AvLog&) = delete;
  AvLog& operator=(const AvLog&) = delete;

 private:
  ladder::RungSink& sink_;
};

}  // namespace kapok::ffmpeg
