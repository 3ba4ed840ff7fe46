// Talking to systemd (or whoever started the server) by its notify protocol, without libsystemd:
// one datagram to the socket named in $NOTIFY_SOCKET. [sd_notify(3)]
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "server/base/clock.hpp"
#include "server/base/result.hpp"

namespace kapok::app {

// Reads $NOTIFY_SOCKET and $WATCHDOG_USEC when made; afterwards only sends.
class Supervisor {
 public:
  Supervisor();
  Supervisor(std::string socket, std::optional<microseconds> watchdog)
      : socket_(std::move(socket)), watchdog_(watchdog) {}

  // Not an error without a supervisor.
  Result<void> ready(std::string_view status) const;
  Result<void> reloading(const Clock& clock) const;  // then ready() again
  Result<void> stopping() const;
  Result<void> status(std::string_view text) const;
  Result<void> alive() const;
  // Send alive() at least this often; nullopt: nobody waits for it.
  std::optional<microseconds> alive_interval() const;

 private:
  Result<void> send(std::string_view message) const;
  std::string socket_;  // empty: nobody listens
  std::optional<microseconds> watchdog_;
};

}  // namespace kapok::app
