#include "transcoder/ffmpeg/av_log.hpp"

extern "C" {
#include <libavutil/log.h>
}

#include <cstdarg>
#include <cstdio>
#include <mutex>
#include <string>

namespace kapok::ffmpeg {

namespace {

// Global, as libav's log is: its callback gets no pointer of ours.
struct Target {
  std::mutex mutex;
  ladder::RungSink* sink = nullptr;
  std::chrono::steady_clock::time_point second;
  unsigned lines = 0;
};
Target& target() {
  static Target held;
  return held;
}

void pass_on(void* speaker, int level, const char* format, std::va_list arguments) {
  if (level > AV_LOG_WARNING) return;
  constexpr std::size_t kMaxLine = 512;
  char line[kMaxLine] = {};
  std::vsnprintf(line, kMaxLine, format, arguments);
  std::string text(line);
  while (text.ends_with('\n')) text.pop_back();
  // Of every JPEG: what is asked of swscale is full range, and so it is told.
  constexpr std::string_view kOfEveryJpeg = "deprecated pixel format used";
  if (text.empty() || text.starts_with(kOfEveryJpeg)) return;
  // A class whose first member is its description, as libav's contexts are.
  if (speaker != nullptr) {
    const auto* known = *static_cast<const AVClass* const*>(speaker);
    if (known != nullptr) text.insert(0, fmt::format("{}: ", known->item_name(speaker)));
  }

  Target& to = target();
  const std::lock_guard lock(to.mutex);
  const auto now = std::chrono::steady_clock::now();
  if (now - to.second >= std::chrono::seconds(1)) {
    to.second = now;
    to.lines = 0;
  }
  if (to.sink == nullptr || ++to.lines > AvLog::kMaxLinesPerSecond) return;
  to.sink->notice(level <= AV_LOG_ERROR ? LogLevel::warn : LogLevel::debug, "codec.message", text);
}

}  // namespace

AvLog::AvLog(ladder::RungSink& sink) : sink_(sink) {
  const std::lock_guard lock(target().mutex);
  target().sink = &sink;
  av_log_set_callback(pass_on);
}

AvLog::~AvLog() {
  const std::lock_guard lock(target().mutex);
  if (target().sink == &sink_) target().sink = nullptr;
}

}  // namespace kapok::ffmpeg
