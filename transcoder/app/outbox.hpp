// What the worker has to say, written to the server by a thread of its own, so that no encoder
// waits for a write, and heartbeats go out whatever the engine does. Any thread may say something.
// Bounded: whoever speaks waits while too much is unwritten; a server that does not read for long
// hears no heartbeat either and ends the worker.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "server/base/clock.hpp"
#include "server/picture/wire/messages.hpp"
#include "server/picture/wire/writer.hpp"

namespace kapok::transcoder {

class Outbox {
 public:
  // The largest packet always fits into what is left of the bytes once there is nothing else.
  static constexpr std::size_t kMaxBytes = std::size_t{64} * 1024 * 1024;
  static constexpr std::size_t kMaxMessages = 4096;
  static constexpr milliseconds kBeat{500};

  // `beat` is asked every kBeat on the outbox's thread; nullopt: no sign of life this time.
  using Beat = std::function<std::optional<wire::Heartbeat>()>;
  // Writes nothing, and asks for no beat, before the Hello.
  Outbox(int socket, Beat beat);
  ~Outbox() { close(); }
  Outbox(const Outbox&) = delete;
  Outbox& operator=(const Outbox&) = delete;

  // The Hello goes first, whatever was said before it.
  void greet(const wire::WorkerHello& hello);
  void say(const wire::FromWorker& message);
  // Returns once everything is written, or cannot be.
  void flush();
  // Gives up what is not written; nobody waits and no beat is asked for after this.
  void close();

 private:
  void run();
  void put(std::unique_lock<std::mutex>& lock, wire::Encoded message);
  bool write(const wire::Encoded& message) const;

  const int socket_;
  const Beat beat_;
  // A mutex, because encoders' threads, the reading thread and the writing one meet here.
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<wire::Encoded> queue_;
  std::size_t bytes_ = 0;
  bool greeted_ = false;
  bool writing_ = false;
  bool broken_ = false;  // the peer is gone, or we are going
  std::thread thread_;
};

}  // namespace kapok::transcoder
