#include "server/app/server/line_log.hpp"

#include <fmt/format.h>
#include <spdlog/async.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>

#include "server/app/server/log_text.hpp"

namespace kapok::app {
namespace {

// About 2 MB of lines: seconds of a flood that the repeat filter lets through.
constexpr std::size_t kMaxQueuedLines = 8192;

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warn:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

// The thread pool must outlive its logger's last line: spdlog's logger holds it weakly.
struct StderrOutput {
  std::shared_ptr<spdlog::details::thread_pool> pool =
      std::make_shared<spdlog::details::thread_pool>(kMaxQueuedLines, 1);
  std::shared_ptr<spdlog::sinks::stderr_sink_mt> sink =
      std::make_shared<spdlog::sinks::stderr_sink_mt>();
  std::shared_ptr<spdlog::async_logger> logger = std::make_shared<spdlog::async_logger>(
      "kapok", sink, pool, spdlog::async_overflow_policy::overrun_oldest);
};

}  // namespace

LineLog::LineLog(LineLogOptions options, std::shared_ptr<spdlog::logger> out, const Clock& clock)
    : level_(options.level), format_(options.format), out_(std::move(out)), clock_(clock) {
  out_->set_pattern("%v");
  out_->set_level(spdlog::level::trace);  // enabled() has decided already
}

LineLog::~LineLog() {
  flush();
}

bool LineLog::enabled(LogLevel level) const {
  return level >= level_.load();
}

void LineLog::put(LogLevel level, std::string_view event, std::string_view fields) {
  const std::string time = format_utc(clock_.utc());
  const std::string line =
      format_ == LogFormat::json
          ? fmt::format(R"({{"time":"{}","level":"{}","event":"{}"{}}})", time, name_of(level),
                        event, fields)
          : fmt::format("time={} level={} event={}{}", time, name_of(level), event, fields);
  out_->log(spdlog_level(level), spdlog::string_view_t(line.data(), line.size()));
}

void LineLog::put(const std::vector<RepeatFilter::Summary>& summaries) {
  for (const RepeatFilter::Summary& summary : summaries) {
    const bool json = format_ == LogFormat::json;
    put(summary.level, summary.event,
        fmt::format(fmt::runtime(json ? "{},\"repeated\":{}" : "{} repeated={}"), summary.fields,
                    summary.repeated));
  }
}

void LineLog::write(LogLevel level, std::string_view event, std::span<const LogField> context,
                    std::span<const LogField> fields) {
  const std::string text =
      format_ == LogFormat::json ? json_fields(context, fields) : logfmt_fields(context, fields);
  const MonoTime now = clock_.mono();
  const std::lock_guard lock(mutex_);
  put(repeats_.due(now));
  if (repeats_.admit(now, level, event, text)) put(level, event, text);
}

void LineLog::tick() {
  const std::lock_guard lock(mutex_);
  put(repeats_.due(clock_.mono()));
}

void LineLog::flush() {
  const std::lock_guard lock(mutex_);
  put(repeats_.all());
  out_->flush();
}

std::shared_ptr<LineLog> make_stderr_log(LineLogOptions options, const Clock& clock) {
  const auto output = std::make_shared<StderrOutput>();
  // The logger, keeping its thread pool alive: destroying the pool writes what is queued.
  const std::shared_ptr<spdlog::logger> logger(output, output->logger.get());
  return std::make_shared<LineLog>(options, logger, clock);
}

}  // namespace kapok::app
