// One program started as a child, with one end of a socket pair as its fd 3 and our standard error
// as its own, and, where the program has one, a file to read as fd 4; it inherits nothing else. Its
// end is awaited through a pidfd, so no SIGCHLD handler is needed and none is disturbed. Lives on
// one shard. Whoever drops it while it runs kills it.
#pragma once

#include <sys/types.h>

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/base/clock.hpp"
#include "server/base/result.hpp"
#include "server/base/task.hpp"
#include "server/picture/channel/core_shares.hpp"

namespace kapok::channel {

struct ChildProgram {
  std::filesystem::path path;
  std::vector<std::string> arguments;  // without the program's own name
  int input = -1;                      // the caller's; -1: none
  int niceness = 3;                    // with 3 it gets about half the share of one without
  // Of all programs that are started; null: no bound. Its share is told it by --cores.
  std::shared_ptr<CoreShares> cores = nullptr;
};

class ChildProcess {
 public:
  static constexpr int kSocket = 3;  // the fds on the child's side
  static constexpr int kInput = 4;

  // Returns once the program has been loaded. Errors: io (not there, not executable, no room).
  static Result<ChildProcess> spawn(const boost::asio::any_io_executor& shard,
                                    const ChildProgram& program);
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&&) = delete;
  ~ChildProcess();

  pid_t pid() const { return pid_; }
  boost::asio::local::stream_protocol::socket& socket() { return socket_; }
  void kill() const;
  // Waits for its end and says how it ended: "exit status 1", "signal 9 (Killed)". nullopt: it has
  // not ended in `patience`.
  Task<std::optional<std::string>> ended(nanoseconds patience);

 private:
  ChildProcess(pid_t pid, std::optional<CoreShares::Share> cores,
               boost::asio::local::stream_protocol::socket socket,
               boost::asio::posix::stream_descriptor watch)
      : pid_(pid), cores_(std::move(cores)), socket_(std::move(socket)), watch_(std::move(watch)) {}
  std::optional<std::string> reap() const;

  pid_t pid_;  // 0: reaped, or moved from
  std::optional<CoreShares::Share> cores_;
  boost::asio::local::stream_protocol::socket socket_;
  boost::asio::posix::stream_descriptor watch_;  // readable once the process has ended
};

}  // namespace kapok::channel
