// Structured logging: one call is one event, a stable dotted name and fields. The sink (logfmt on
// stderr in the programs, a recorder in tests) is bound in app/. A Log is a small value that
// carries its context (channel, session) down; copy it freely. Never log keys, tokens or addresses
// of viewers.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace kapok {

enum class LogLevel : std::uint8_t { debug, info, warn, error };

class LogValue {
 public:
  using Held = std::variant<std::int64_t, std::uint64_t, double, bool, std::string>;
  template <class T>
    requires std::is_integral_v<T>
  LogValue(T value) {  // NOLINT(google-explicit-constructor): fields read as {{"part", 3}}
    if constexpr (std::is_same_v<T, bool>)
      held_ = value;
    else if constexpr (std::is_signed_v<T>)
      held_ = static_cast<std::int64_t>(value);
    else
      held_ = static_cast<std::uint64_t>(value);
  }
  LogValue(double value) : held_(value) {}                         // NOLINT
  LogValue(std::string value) : held_(std::move(value)) {}         // NOLINT
  LogValue(std::string_view value) : held_(std::string(value)) {}  // NOLINT
  LogValue(const char* value) : held_(std::string(value)) {}       // NOLINT
  const Held& held() const { return held_; }

 private:
  Held held_;
};

struct LogField {
  std::string key;
  LogValue value;
};

// Implementations must be callable from any thread.
class LogSink {
 public:
  virtual ~LogSink() = default;
  virtual bool enabled(LogLevel level) const = 0;
  virtual void write(LogLevel level, std::string_view event, std::span<const LogField> context,
                     std::span<const LogField> fields) = 0;
};

class Log {
 public:
  Log() = default;  // silent
  explicit Log(std::shared_ptr<LogSink> sink) : sink_(std::move(sink)) {}

  Log with(std::string key, LogValue value) const {
    Log more = *this;
    more.context_.push_back({std::move(key), std::move(value)});
    return more;
  }
  // For events so frequent that even building their fields would cost something.
  bool enabled(LogLevel level) const { return sink_ && sink_->enabled(level); }
  using Fields = std::initializer_list<LogField>;
  void debug(std::string_view event, Fields fields = {}) const {
    emit(LogLevel::debug, event, fields);
  }
  void info(std::string_view event, Fields fields = {}) const {
    emit(LogLevel::info, event, fields);
  }
  void warn(std::string_view event, Fields fields = {}) const {
    emit(LogLevel::warn, event, fields);
  }
  void error(std::string_view event, Fields fields = {}) const {
    emit(LogLevel::error, event, fields);
  }

 private:
  void emit(LogLevel level, std::string_view event, Fields fields) const {
    if (sink_ && sink_->enabled(level))
      sink_->write(level, event, context_, std::span(fields.begin(), fields.size()));
  }
  std::shared_ptr<LogSink> sink_;
  std::vector<LogField> context_;
};

}  // namespace kapok
