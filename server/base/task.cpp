#include "server/base/task.hpp"

#include <boost/asio/co_spawn.hpp>
#include <cassert>
#include <exception>
#include <utility>

namespace kapok {

TaskGroup::TaskGroup(boost::asio::any_io_executor shard)
    : shard_(std::move(shard)), all_ended_(shard_, boost::asio::steady_timer::time_point::max()) {}

TaskGroup::~TaskGroup() {
  assert(alive_ == 0 && "TaskGroup destroyed with live tasks");
}

void TaskGroup::spawn(Task<> task, OnError on_error) {
  ++alive_;
  boost::asio::co_spawn(shard_, std::move(task),
                        [this, on_error = std::move(on_error)](std::exception_ptr failure) {
                          if (--alive_ == 0) all_ended_.cancel();
                          if (!failure) return;
                          if (!on_error) std::terminate();
                          try {
                            std::rethrow_exception(failure);
                          } catch (const std::exception& e) {
                            on_error(e.what());
                          }
                        });
}

Task<> TaskGroup::drain() {
  while (alive_ > 0) {
    [[maybe_unused]] auto [error] = co_await all_ended_.async_wait(kAsValue);
  }
}

}  // namespace kapok
