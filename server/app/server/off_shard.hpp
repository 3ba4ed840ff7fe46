// Awaiting work that is done elsewhere: on another shard, or, when it blocks, on a WorkerThread.
// The awaiting task goes on where it was.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>
#include <optional>
#include <utility>

#include "server/base/result.hpp"
#include "server/base/task.hpp"
#include "server/base/worker_thread.hpp"

namespace kapok::app {

template <class T>
Task<T> on_shard(boost::asio::any_io_executor shard, Task<T> task) {
  co_return co_await boost::asio::co_spawn(shard, std::move(task), boost::asio::use_awaitable);
}

// `work` returns a Result<T>. Errors besides its own: full, when the thread has too much to do.
template <class T>
Task<Result<T>> off_shard(WorkerThread& thread, std::function<Result<T>()> work) {
  const auto here = co_await boost::asio::this_coro::executor;
  struct Pending {
    explicit Pending(const boost::asio::any_io_executor& shard)
        : done(shard, boost::asio::steady_timer::time_point::max()) {}
    boost::asio::steady_timer done;
    std::optional<Result<T>> result;
  };
  const auto pending = std::make_shared<Pending>(here);
  const bool taken = thread.submit([pending, here, work = std::move(work)] {
    auto result = std::make_shared<Result<T>>(work());
    boost::asio::post(here, [pending, result] {
      pending->result = std::move(*result);
      pending->done.cancel();
    });
  });
  if (!taken) co_return fail(Errc::full, "too much is being asked for at once: try again later");
  while (!pending->result) {
    [[maybe_unused]] auto [error] = co_await pending->done.async_wait(kAsValue);
  }
  co_return std::move(*pending->result);
}

}  // namespace kapok::app
