// The pulse at which a shard reads its publishers. A feed brings a frame or a few sound packets a
// hundred times a second; waking for each of them costs more than their bytes. So publishers wait
// here, and each pulse reads them all one after the other, with warm caches: a hundred feeds wake
// the shard no more often than one. A part is late by at most one pulse, by half of one as a rule.
// Nobody waiting: no pulse. Lives on one shard.
#pragma once

#include <boost/asio/steady_timer.hpp>

#include "server/base/clock.hpp"
#include "server/base/task.hpp"

namespace kapok::ingest {

class ReadRounds {
 public:
  // Half of the 20 ms within which a part has to be there after its last frame.
  static constexpr milliseconds kPulse{10};

  explicit ReadRounds(const boost::asio::any_io_executor& shard)
      : pulse_(shard, std::chrono::steady_clock::time_point::min()) {}

  Task<> next() {
    const auto now = std::chrono::steady_clock::now();
    // Only once it has passed: setting it would wake who waits for it.
    if (pulse_.expiry() <= now) pulse_.expires_at(now - now.time_since_epoch() % kPulse + kPulse);
    [[maybe_unused]] auto [error] = co_await pulse_.async_wait(kAsValue);
  }

 private:
  boost::asio::steady_timer pulse_;
};

}  // namespace kapok::ingest
