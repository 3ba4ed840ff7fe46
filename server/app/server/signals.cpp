#include "server/app/server/signals.hpp"

#include <csignal>
#include <utility>

namespace kapok::app {

SignalAction SignalPolicy::on_signal(int number) {
  switch (number) {
    case SIGHUP:
      return draining_ ? SignalAction::none : SignalAction::reload;
    case SIGTERM:
      return std::exchange(draining_, true) ? SignalAction::none : SignalAction::drain;
    // A person at the keyboard who asks twice does not want to wait.
    case SIGINT:
      return std::exchange(draining_, true) ? SignalAction::end_now : SignalAction::drain;
    default:
      return SignalAction::none;
  }
}

SignalWatch::SignalWatch(boost::asio::any_io_executor shard, Handlers handlers)
    : signals_(std::move(shard), SIGTERM, SIGINT, SIGHUP), handlers_(std::move(handlers)) {
  std::signal(SIGPIPE, SIG_IGN);
}

Task<> SignalWatch::run() {
  while (!stopped_) {
    const auto [error, number] = co_await signals_.async_wait(kAsValue);
    if (error || stopped_) break;
    switch (policy_.on_signal(number)) {
      case SignalAction::drain:
        handlers_.drain();
        break;
      case SignalAction::reload:
        handlers_.reload();
        break;
      case SignalAction::end_now:
        handlers_.end_now();
        break;
      case SignalAction::none:
        break;
    }
  }
}

void SignalWatch::stop() {
  stopped_ = true;
  signals_.cancel();
}

}  // namespace kapok::app
