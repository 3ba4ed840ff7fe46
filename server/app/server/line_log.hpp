// Where log events go in the programs: one line per event on standard error, logfmt or JSON, by
// spdlog. Lines are written by one background thread from a bounded queue (the oldest are dropped
// when standard error is blocked), so a stuck terminal never stalls media. Callable from any
// thread. Floods are held back and counted (repeat_filter), secrets hidden (log_text).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "server/app/server/config.hpp"
#include "server/app/server/repeat_filter.hpp"
#include "server/base/clock.hpp"
#include "server/base/log.hpp"

namespace spdlog {
class logger;
}

namespace kapok::app {

struct LineLogOptions {
  LogLevel level = LogLevel::info;
  LogFormat format = LogFormat::logfmt;
};

class LineLog final : public LogSink {
 public:
  // `out` receives finished lines; make_stderr_log() passes standard error.
  LineLog(LineLogOptions options, std::shared_ptr<spdlog::logger> out, const Clock& clock);
  ~LineLog() override;

  bool enabled(LogLevel level) const override;
  void write(LogLevel level, std::string_view event, std::span<const LogField> context,
             std::span<const LogField> fields) override;
  // After a reload.
  void set_level(LogLevel level) { level_ = level; }
  // Tells what was held back more than a second ago. Call it every second or so: the last repeats
  // of a flood have no later line that would tell of them.
  void tick();
  // Tells everything held back. Destroying this object then waits until all is written.
  void flush();

 private:
  void put(LogLevel level, std::string_view event, std::string_view fields);
  void put(const std::vector<RepeatFilter::Summary>& summaries);

  std::atomic<LogLevel> level_;
  const LogFormat format_;
  std::shared_ptr<spdlog::logger> out_;
  const Clock& clock_;
  // A mutex, because events come from every shard and repeats are counted over all of them.
  std::mutex mutex_;
  RepeatFilter repeats_;
};

std::shared_ptr<LineLog> make_stderr_log(LineLogOptions options, const Clock& clock);

}  // namespace kapok::app
