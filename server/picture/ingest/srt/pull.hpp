// A feed that the server fetches: calls one or several addresses and, when a call has succeeded,
// publishes what comes as the feed it is configured for. Whatever ends is called again after 1, 2,
// 4 ... 30 seconds. Several addresses are the links of one bonded feed. Lives on its channel's home
// shard.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <string>
#include <vector>

#include "server/picture/ingest/srt/call.hpp"
#include "server/picture/ingest/srt/feed.hpp"
#include "server/picture/ingest/srt/reception.hpp"
#include "server/picture/ingest/srt/url.hpp"

namespace kapok::ingest {

struct SrtPull {
  std::string channel;
  std::string feed;
  std::string key;  // what the FeedDirectory opens the feed with
  std::vector<SrtUrl> urls;
  srt::GroupType bond = srt::GroupType::broadcast;  // of several
  boost::asio::any_io_executor home;
  bool operator==(const SrtPull&) const = default;
};

class SrtPuller final : public std::enable_shared_from_this<SrtPuller> {
 public:
  SrtPuller(SrtPull pull, SrtDoor& door, SrtShared shared);

  void start();
  void stop(std::string_view why);
  const SrtPull& pull() const { return pull_; }

 private:
  struct Link {
    Link(SrtUrl to, const boost::asio::any_io_executor& shard)
        : url(std::move(to)), wake(shard, boost::asio::steady_timer::time_point::max()) {}
    SrtUrl url;
    boost::asio::steady_timer wake;
    srt::SocketId id = 0;  // 0: not connected
    std::shared_ptr<SrtCall> call;
  };
  // These keep it alive.
  static Task<> keep(std::shared_ptr<SrtPuller> self, std::size_t index);
  static Task<> open(std::shared_ptr<SrtPuller> self, std::shared_ptr<SrtFeed> feed,
                     std::string peer);
  Task<Result<void>> connect(std::size_t index);
  Task<Result<boost::asio::ip::udp::endpoint>> resolve(std::string host, std::uint16_t port);
  std::shared_ptr<SrtFeed> bonded_feed();
  std::shared_ptr<SrtFeed> make_feed(SrtCarrier carrier);
  void ended(const SrtFeed* feed, srt::SocketId id);

  SrtPull pull_;
  SrtDoor& door_;
  SrtShared shared_;
  Log log_;
  std::vector<std::unique_ptr<Link>> links_;
  std::shared_ptr<SrtFeed> feed_;  // of the links that are connected or calling
  bool granted_ = false;           // it was asked for
  bool stopped_ = false;
};

}  // namespace kapok::ingest
