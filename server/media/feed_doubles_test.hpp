// For tests of listeners of any protocol: shards on threads, a directory that grants or refuses as
// told, a sink that keeps what it was given, a log that can be read, and Debian's ffmpeg as a real
// publisher.
#pragma once

#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <condition_variable>
#include <cstdlib>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "server/base/log.hpp"
#include "server/media/feed.hpp"

namespace kapok::media::test {

class Shards {
 public:
  explicit Shards(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      contexts_.push_back(std::make_unique<boost::asio::io_context>(1));
      guards_.emplace_back(contexts_.back()->get_executor());
      threads_.emplace_back([context = contexts_.back().get()] { context->run(); });
    }
  }
  ~Shards() {
    guards_.clear();
    for (std::thread& thread : threads_) thread.join();
  }
  std::vector<boost::asio::any_io_executor> executors() const {
    std::vector<boost::asio::any_io_executor> all;
    for (const auto& context : contexts_) all.emplace_back(context->get_executor());
    return all;
  }
  std::thread::id thread(std::size_t shard) const { return threads_[shard].get_id(); }
  template <class T>
  T run(Task<T> task) {
    return boost::asio::co_spawn(contexts_[0]->get_executor(), std::move(task),
                                 boost::asio::use_future)
        .get();
  }

 private:
  std::vector<std::unique_ptr<boost::asio::io_context>> contexts_;
  std::vector<boost::asio::executor_work_guard<boost::asio::io_context::executor_type>> guards_;
  std::vector<std::thread> threads_;
};

// Written on the feed's home, read by the test's thread.
class RecordingSink final : public media::FeedSink {
 public:
  Result<void> accept(media::FeedItem item) override {
    const std::lock_guard lock(mutex_);
    threads_[std::this_thread::get_id()]++;
    if (limit_ > 0 && items_.size() >= limit_) return fail(Errc::denied, "enough of this feed");
    if (std::holds_alternative<media::EndOfFeed>(item)) ended_ = true;
    items_.push_back(std::move(item));
    changed_.notify_all();
    return {};
  }
  void refuse_after(std::size_t items) {
    const std::lock_guard lock(mutex_);
    limit_ = items;
  }
  // True once `count` items have come, or the feed has ended; false after ten seconds.
  bool wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, seconds(10), [&] { return items_.size() >= count || ended_; });
  }
  bool wait_for_end() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, seconds(10), [&] { return ended_; });
  }
  std::vector<media::FeedItem> items() {
    const std::lock_guard lock(mutex_);
    return items_;
  }
  std::map<std::thread::id, int> threads() {
    const std::lock_guard lock(mutex_);
    return threads_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<media::FeedItem> items_;
  std::map<std::thread::id, int> threads_;
  std::size_t limit_ = 0;
  bool ended_ = false;
};

class FakeDirectory final : public media::FeedDirectory {
 public:
  explicit FakeDirectory(boost::asio::any_io_executor home) : home_(std::move(home)) {}

  Task<Result<media::FeedGrant>> open(media::PublishRequest request) override {
    const std::lock_guard lock(mutex_);
    requests_.push_back(request);
    changed_.notify_all();
    if (request.key != "k1") co_return fail(Errc::denied, "wrong key");
    if (request.check) KAPOK_CO_TRY(request.check("main"));
    if (taken_) co_return fail(Errc::conflict, "feed main of demo is being published");
    taken_ = one_at_a_time_;
    sinks_.push_back(std::make_shared<RecordingSink>());
    co_return media::FeedGrant{"main", sinks_.back(), home_};
  }
  void allow_one() { one_at_a_time_ = true; }
  std::vector<media::PublishRequest> requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }
  std::size_t granted() {
    const std::lock_guard lock(mutex_);
    return sinks_.size();
  }
  // The sink of the n-th granted publish; waits for it up to ten seconds.
  std::shared_ptr<RecordingSink> sink(std::size_t n) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, seconds(10), [&] { return sinks_.size() > n; });
    return sinks_.size() > n ? sinks_[n] : nullptr;
  }

 private:
  boost::asio::any_io_executor home_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<media::PublishRequest> requests_;
  std::vector<std::shared_ptr<RecordingSink>> sinks_;
  bool one_at_a_time_ = false;
  bool taken_ = false;
};

class RecordingLog final : public LogSink {
 public:
  bool enabled(LogLevel) const override { return true; }
  void write(LogLevel level, std::string_view event, std::span<const LogField> context,
             std::span<const LogField> fields) override {
    std::string line(event);
    for (const auto& part : {context, fields})
      for (const LogField& field : part)
        line += " " + field.key + "=" +
                std::visit(
                    [](const auto& value) {
                      if constexpr (std::is_same_v<std::decay_t<decltype(value)>, std::string>)
                        return value;
                      else
                        return std::to_string(value);
                    },
                    field.value.held());
    const std::lock_guard lock(mutex_);
    lines_.push_back(line);
    ++written_[{level, std::string(event)}];
    changed_.notify_all();
  }
  std::size_t written(LogLevel level, const std::string& event) {
    const std::lock_guard lock(mutex_);
    return written_[{level, event}];
  }
  // The n-th line of this event; empty after ten seconds without it.
  std::string wait_for(std::string_view event, std::size_t n = 0) {
    std::unique_lock lock(mutex_);
    std::string found;
    changed_.wait_for(lock, seconds(10), [&] {
      std::size_t seen = 0;
      for (const std::string& line : lines_)
        if (line.starts_with(std::string(event) + " ") && seen++ == n) {
          found = line;
          return true;
        }
      return false;
    });
    return found;
  }
  bool mentions(std::string_view text) {
    const std::lock_guard lock(mutex_);
    for (const std::string& line : lines_)
      if (line.find(text) != std::string::npos) return true;
    return false;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> lines_;
  std::map<std::pair<LogLevel, std::string>, std::size_t> written_;
};

// Runs Debian's ffmpeg; its standard error goes to `errors`. Returns its exit status.
inline int ffmpeg(const std::string& arguments, std::string& errors) {
  const std::string command =
      "timeout 30 ffmpeg -nostdin -hide_banner -v error " + arguments + " 2>&1";
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return -1;
  char block[4096];
  while (const std::size_t size = std::fread(block, 1, sizeof block, pipe))
    errors.append(block, size);
  return ::pclose(pipe);
}

}  // namespace kapok::media::test
