// What whoever runs a kapok-transcoder has to do with it, be it for a channel or for a film:
// sending to it, noticing its silence, ending it, writing down what it says.
#pragma once

#include <string>
#include <string_view>

#include "server/base/clock.hpp"
#include "server/base/log.hpp"
#include "server/base/task.hpp"
#include "server/picture/channel/child_process.hpp"
#include "server/picture/wire/messages.hpp"

namespace kapok::channel {

// Errors: what cannot be encoded; closed: the process's end, which whoever reads sees too.
Task<Result<void>> send(ChildProcess& child, wire::ToWorker message);

// Of a process that has closed its socket or has been killed: waits `patience`, then kills it.
// Returns how it ended.
Task<std::string> end(ChildProcess& child, nanoseconds patience);

void log_notice(const Log& log, std::string_view event, const wire::Notice& notice);

// How long a process has said nothing, looked at every `step`. What it says while the looking
// thread itself is held up is still unread and counts as said.
class Silence {
 public:
  Silence(MonoTime now, nanoseconds step) : step_(step), heard_(now), looked_(now) {}
  void hear(MonoTime now) { heard_ = now; }
  nanoseconds look(MonoTime now) {
    if (now - looked_ > 2 * step_) heard_ += now - looked_ - step_;
    looked_ = now;
    return now - heard_;
  }

 private:
  nanoseconds step_;
  MonoTime heard_;
  MonoTime looked_;
};

}  // namespace kapok::channel
