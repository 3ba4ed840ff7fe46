// What signals mean to the server: SIGTERM and the first SIGINT drain (requests in flight finish,
// the ledger is flushed, exit 0), a second SIGINT ends at once, SIGHUP reloads. SIGPIPE is ignored:
// writing to a closed socket is an error value. SignalPolicy decides, SignalWatch waits; it lives
// on one shard.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/signal_set.hpp>
#include <cstdint>
#include <functional>

#include "server/base/task.hpp"

namespace kapok::app {

enum class SignalAction : std::uint8_t { none, drain, reload, end_now };

class SignalPolicy {
 public:
  SignalAction on_signal(int number);

 private:
  bool draining_ = false;
};

class SignalWatch {
 public:
  struct Handlers {
    std::function<void()> drain;    // called once
    std::function<void()> reload;   // not while draining
    std::function<void()> end_now;  // must not return: std::_Exit
  };
  SignalWatch(boost::asio::any_io_executor shard, Handlers handlers);

  // Spawn it into the server's TaskGroup; ends after stop().
  Task<> run();
  void stop();

 private:
  boost::asio::signal_set signals_;
  Handlers handlers_;
  SignalPolicy policy_;
  bool stopped_ = false;
};

}  // namespace kapok::app
