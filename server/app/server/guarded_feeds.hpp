// Slows down whoever guesses publish keys: in front of the channels' directory, for all ingest
// protocols alike. Counts refusals by address; then answers late, then not at all for a while. Its
// table belongs to the first shard.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <string>
#include <utility>

#include "server/access/failure_limit.hpp"
#include "server/app/server/off_shard.hpp"
#include "server/base/clock.hpp"
#include "server/base/log.hpp"
#include "server/media/feed.hpp"

namespace kapok::app {

class GuardedFeeds final : public media::FeedDirectory {
 public:
  GuardedFeeds(media::FeedDirectory& feeds, boost::asio::any_io_executor first_shard,
               const Clock& clock, Log log)
      : feeds_(feeds), first_shard_(std::move(first_shard)), clock_(clock), log_(std::move(log)) {}

  Task<Result<media::FeedGrant>> open(media::PublishRequest request) override {
    auto granted = co_await on_shard(first_shard_, open_here(std::move(request)));
    co_return granted;
  }

 private:
  Task<Result<media::FeedGrant>> open_here(media::PublishRequest request) {
    const std::string address = address_of(request.peer);
    const access::Admission admission = failures_.check(address, clock_.mono());
    if (admission == access::Admission::refuse) {
      log_.warn("publish.blocked", {{"peer", request.peer}, {"channel", request.channel}});
      // Not "denied", which is told as a wrong key: this one may be right.
      co_return fail(Errc::limit, "too many wrong keys from this address: wait ten minutes");
    }
    if (admission == access::Admission::delay) {
      boost::asio::steady_timer timer(first_shard_, failures_.limits().delay);
      [[maybe_unused]] auto [error] = co_await timer.async_wait(kAsValue);
    }
    auto granted = co_await feeds_.open(std::move(request));
    if (granted) {
      failures_.record_success(address);
    } else if (granted.error().code == Errc::denied || granted.error().code == Errc::not_found) {
      failures_.record_failure(address, clock_.mono());
    }
    co_return granted;
  }
  // "192.0.2.1:51234" or "[2001:db8::1]:51234" without the port.
  static std::string address_of(const std::string& peer) {
    const std::size_t colon = peer.rfind(':');
    return colon == std::string::npos ? peer : peer.substr(0, colon);
  }

  media::FeedDirectory& feeds_;
  boost::asio::any_io_executor first_shard_;
  const Clock& clock_;
  Log log_;
  access::FailureLimit failures_;
};

}  // namespace kapok::app
