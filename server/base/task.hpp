// Coroutines on a shard. A Task runs on one io_context and is started only through a TaskGroup,
// which knows what is alive and waits for it; nothing is ever detached. See style rule 6.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstddef>
#include <functional>
#include <string>

namespace kapok {

template <class T = void>
using Task = boost::asio::awaitable<T>;

// Network errors come back as values: auto [error, size] = co_await socket.async_read_some(b,
// kAsValue);
inline constexpr auto kAsValue = boost::asio::as_tuple(boost::asio::use_awaitable);

// The running tasks of one owner on one shard. All calls come from that shard.
class TaskGroup {
 public:
  explicit TaskGroup(boost::asio::any_io_executor shard);
  ~TaskGroup();  // asserts that none is alive: drain() first
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  // An exception that leaves the task is reported here (what(), as text) and goes no further;
  // without a handler it ends the process, because it is a bug.
  using OnError = std::function<void(std::string)>;
  void spawn(Task<> task, OnError on_error = nullptr);

  std::size_t alive() const { return alive_; }
  // Returns when every task has ended. The owner must have told them to stop; one drain at a time.
  Task<> drain();

 private:
  boost::asio::any_io_executor shard_;
  boost::asio::steady_timer all_ended_;
  std::size_t alive_ = 0;
};

}  // namespace kapok
