#include "transcoder/ffmpeg/av_log.hpp"

extern "C" {
#include <libavutil/log.h>
}

#include <cstdarg>
#include <mutex>
#include <string_view>

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
  constexpr int kMaxLine = 512;
  char line[kMaxLine] = {};
  int starts_line = 1;
  av_log_format_line2(speaker, level, format, arguments, line, kMaxLine, &starts_line);
  std::string_view text(line);
  while (text.ends_with('\n')) text.remove_suffix(1);
  if (text.empty()) return;

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
