// The input, read ahead by a thread of its own (a disk or a pipe may block) into a bounded queue of
// messages with their times. When the queue holds `hold` of the feed, or kMaxHeldBytes, the thread
// waits, and with it whoever writes the pipe. One reader: the sender's loop.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "server/app/send/options.hpp"
#include "server/app/send/ts_messages.hpp"

namespace kapok::send_app {

class Input {
 public:
  // 400 Mb/s for a second, and some.
  static constexpr std::size_t kMaxHeldBytes = std::size_t{64} * 1024 * 1024;

  // Errors: io, with the path.
  static Result<std::unique_ptr<Input>> open(const Options& options);
  ~Input();
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;

  // When the next message is due, from the input's beginning; nothing: none is there.
  std::optional<nanoseconds> next_due() const;
  TsMessage pop();
  // How much of the feed is held.
  nanoseconds held() const;
  // Nothing is left and nothing more will come; with why, if reading failed.
  bool ended() const;
  std::optional<Error> error() const;
  // With Pace::arrival messages are due when they were read: counted from here.
  MonoTime opened_at() const { return opened_at_; }

 private:
  Input(const Options& options, int file, int wake);
  void run();
  Result<bool> read_some(TsMessages& messages, std::vector<TsMessage>& out);
  bool put(std::vector<TsMessage>& messages);

  const Pace pace_;
  const bool loop_;
  const nanoseconds hold_;
  const MonoTime opened_at_;
  const int file_;
  const int wake_;  // an eventfd: ends a read that waits

  // A mutex, because one side is a thread that blocks in read(2).
  mutable std::mutex mutex_;
  std::condition_variable room_;
  std::deque<TsMessage> held_;
  std::size_t held_bytes_ = 0;
  bool stopping_ = false;
  bool finished_ = false;
  std::optional<Error> error_;
  std::thread thread_;
};

}  // namespace kapok::send_app
