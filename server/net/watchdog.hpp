// The one timer of a connection: every deadline of it (handshake, header, idle, write progress) is
// an arm() of the same watchdog, so a read or write needs no timer of its own. Moving the deadline
// further away costs one store: the timer finds out when it fires. Lives on one shard.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <memory>

#include "server/base/clock.hpp"

namespace kapok::net {

class Watchdog {
 public:
  // `bite` runs on the shard, once per armed deadline that passes; it usually closes the socket. It
  // is never called after the watchdog is destroyed, nor from within arm().
  Watchdog(boost::asio::any_io_executor shard, std::function<void()> bite);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  void arm(nanoseconds from_now);  // replaces the deadline before it
  void disarm();
  bool has_bitten() const;  // since it was last armed

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace kapok::net
