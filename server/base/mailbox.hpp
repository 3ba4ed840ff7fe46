// A bounded queue from any code on a shard to one consuming task on the same shard. push never
// suspends: a full mailbox refuses and counts. close() is sticky and wakes the consumer.
// (Asio 1.81's experimental::channel loses wake-ups around cancel and close.)
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <cstddef>
#include <deque>
#include <optional>
#include <utility>

#include "server/base/task.hpp"

namespace kapok {

template <class T>
class Mailbox {
 public:
  Mailbox(boost::asio::any_io_executor shard, std::size_t limit)
      : wake_(std::move(shard), boost::asio::steady_timer::time_point::max()), limit_(limit) {}

  bool push(T item) {
    if (closed_ || items_.size() >= limit_) {
      ++refused_;
      return false;
    }
    items_.push_back(std::move(item));
    wake_.cancel();
    return true;
  }
  // The next item; nullopt once closed and empty.
  Task<std::optional<T>> pop() {
    while (items_.empty() && !closed_) {
      [[maybe_unused]] auto [error] = co_await wake_.async_wait(kAsValue);
    }
    if (items_.empty()) co_return std::nullopt;
    std::optional<T> item(std::move(items_.front()));
    items_.pop_front();
    co_return item;
  }
  void close() {
    closed_ = true;
    wake_.cancel();
  }
  std::size_t size() const { return items_.size(); }
  std::size_t refused() const { return refused_; }

 private:
  boost::asio::steady_timer wake_;
  std::deque<T> items_;
  std::size_t limit_;
  std::size_t refused_ = 0;
  bool closed_ = false;
};

}  // namespace kapok
