#include "server/net/watchdog.hpp"

#include <boost/asio/steady_timer.hpp>
#include <utility>

namespace kapok::net {

namespace {
constexpr auto kNever = std::chrono::steady_clock::time_point::max();
}

struct Watchdog::State : std::enable_shared_from_this<State> {
  State(const boost::asio::any_io_executor& shard, std::function<void()> on_bite)
      : timer(shard), bite(std::move(on_bite)) {}

  void wait_until(std::chrono::steady_clock::time_point when) {
    waits_for = when;
    timer.expires_at(when);  // cancels a wait that was for later
    timer.async_wait([self = shared_from_this()](const boost::system::error_code& cancelled) {
      if (!cancelled) self->fired();
    });
  }
  void fired() {
    waits_for = kNever;
    if (deadline == kNever || !bite) return;
    if (std::chrono::steady_clock::now() < deadline) {
      wait_until(deadline);
      return;
    }
    deadline = kNever;
    bitten = true;
    const auto keep = bite;  // it may destroy the watchdog
    keep();
  }

  boost::asio::steady_timer timer;
  std::function<void()> bite;
  std::chrono::steady_clock::time_point deadline = kNever;
  std::chrono::steady_clock::time_point waits_for = kNever;
  bool bitten = false;
};

Watchdog::Watchdog(boost::asio::any_io_executor shard, std::function<void()> bite)
    : state_(std::make_shared<State>(shard, std::move(bite))) {}

Watchdog::~Watchdog() {
  state_->deadline = kNever;
  state_->bite = nullptr;
  state_->timer.cancel();
}

void Watchdog::arm(nanoseconds from_now) {
  state_->bitten = false;
  state_->deadline = std::chrono::steady_clock::now() + from_now;
  if (state_->deadline < state_->waits_for) state_->wait_until(state_->deadline);
}

void Watchdog::disarm() {
  state_->deadline = kNever;
}

bool Watchdog::has_bitten() const {
  return state_->bitten;
}

}  // namespace kapok::net
