// Where callers are met: decides on the first shard, from what a handshake asks for, whether a
// caller may come in, and settles it on the shard where its channel lives. The protocol's listener
// exists once per shard, all with one secret, so that the answer, the connection and the group that
// it joins are made where they live; a caller that repeats its question is sent on to that shard.
// Its tables belong to the first shard.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "server/picture/ingest/srt/feed.hpp"
#include "server/picture/ingest/srt/listener.hpp"
#include "server/picture/ingest/srt/viewer_line.hpp"
#include "server/picture/protocols/srt/listener.hpp"
#include "server/picture/protocols/srt/reject_reason.hpp"

namespace kapok::ingest {

class SrtPuller;

// SRT on one shard.
struct SrtDoor {
  SrtDoor(const boost::asio::any_io_executor& executor, std::size_t index, const Clock& clock,
          const srt::CookieSecret& secret)
      : shard(executor, index, clock), listener(secret), tidy(executor) {}
  SrtShard shard;
  srt::Listener listener;
  boost::asio::steady_timer tidy;
  std::vector<std::weak_ptr<SrtFeed>> feeds;
  std::vector<std::weak_ptr<SrtViewerLine>> viewers;
  std::vector<std::shared_ptr<SrtPuller>> pullers;
};

class SrtCall;

struct SrtShared {
  const SrtListenerOptions& options;
  SrtListenerServices& services;
  SrtMetrics& metrics;
  net::AddressLimits& limits;
  std::vector<std::unique_ptr<SrtDoor>>& doors;
  // Handshakes that this peer sends to nobody in particular are for this call. From any shard.
  std::function<void(srt::PeerAddress, SrtDoor&, std::weak_ptr<SrtCall>)> meet;
};

class SrtReception {
 public:
  explicit SrtReception(SrtShared shared);

  // A handshake that a caller sent, or the other end of a rendezvous.
  void handshake(MonoTime now, const net::ReceivedDatagram& datagram);
  void meet(srt::PeerAddress peer, SrtDoor& door, std::weak_ptr<SrtCall> call);
  // About once a second.
  void tidy(MonoTime now);

 private:
  // Somebody who asks to come in, with the datagram that says so.
  struct Caller {
    srt::Asked asked;
    net::ReceivedDatagram conclusion;
    std::string name;     // "192.0.2.1:51234"
    std::string encoder;  // "SRT 1.5.1"
    std::string channel;
    std::optional<net::AddressLimits::Place> place;
    std::optional<srt::RejectReason> found_wanting;  // by the check of its handshake
  };
  using BondKey = std::pair<std::string, srt::SocketId>;
  // A group of a publisher: its first link opens the feed, those that come with the same key while
  // it lives join it.
  struct Bond {
    explicit Bond(const boost::asio::any_io_executor& first)
        : settled(first, boost::asio::steady_timer::time_point::max()) {}
    BondKey name;
    std::string key;              // that its first link brought
    SrtDoor* door = nullptr;      // null: being opened, or refused
    std::weak_ptr<SrtFeed> feed;  // on the door's shard
    bool opening = true;
    boost::asio::steady_timer settled;
  };
  struct Publish {
    media::FeedGrant grant;
    std::shared_ptr<SrtCloseOrder> close_order;
    std::shared_ptr<Bond> bond;  // null: a single connection
  };
  // Which shard a caller's repeated questions go to.
  struct CallerKey {
    srt::PeerAddress address;
    srt::SocketId id = 0;
    bool operator==(const CallerKey&) const = default;
  };
  struct CallerHash {
    std::size_t operator()(const CallerKey& key) const {
      return srt::PeerAddressHash{}(key.address) ^ (std::size_t{key.id} * 0x9E37'79B1U);
    }
  };
  struct SentOn {
    SrtDoor* door = nullptr;
    MonoTime until;
  };

  // A caller is handed from task to task and never held by two at a time.
  using CallerPtr = std::shared_ptr<Caller>;

  Task<> admit(CallerPtr caller);
  Task<> admit_publisher(CallerPtr caller, srt::StreamId stream);
  Task<> admit_viewer(CallerPtr caller, srt::StreamId stream);
  // Nothing: it was one of a group that lives, and has been answered. Otherwise its own bond, or
  // null when the group it names is another publisher's.
  Task<std::optional<std::shared_ptr<Bond>>> join(CallerPtr caller, std::string key);
  void settled(const std::shared_ptr<Bond>& bond, SrtDoor* door, std::weak_ptr<SrtFeed> feed);
  void refuse(const Caller& caller, srt::RejectReason reason, std::string_view why);
  // What the handshake itself shows of what the feed asks for: its passphrase above all.
  std::function<Result<void>(std::string_view feed)> checked_by(const CallerPtr& asking) const;
  // The protocol has told the caller; this tells us.
  void note_refusal(const Caller& caller, const Error& error);
  SrtDoor* door_of(const boost::asio::any_io_executor& home);
  void send_on(const Caller& caller, SrtDoor& door);

  // These run on the home shard.
  Task<Result<std::shared_ptr<SrtFeed>>> settle_publisher(SrtDoor* door, CallerPtr caller,
                                                          Publish publish);
  // False: the feed has ended meanwhile, and the caller waits still.
  Task<Result<bool>> settle_link(SrtDoor* door, CallerPtr caller, std::shared_ptr<Bond> bond);
  Task<Result<void>> settle_viewer(SrtDoor* door, CallerPtr caller, srt::ViewerGrant grant);
  struct Accepted {
    SrtLink link;
    std::unique_ptr<srt::Connection> connection;  // null: the group has it
  };
  srt::LinkOptions link_options(std::string passphrase) const;
  Result<Accepted> accept(SrtDoor& door, Caller& caller, std::string passphrase, srt::Group* group);

  SrtShared shared_;
  SrtDoor& first_;
  std::unordered_map<CallerKey, SentOn, CallerHash> sent_on_;
  std::map<BondKey, std::shared_ptr<Bond>> bonds_;
  struct Rendezvous {
    SrtDoor* door = nullptr;
    std::weak_ptr<SrtCall> call;
  };
  std::unordered_map<srt::PeerAddress, Rendezvous, srt::PeerAddressHash> rendezvous_;
};

}  // namespace kapok::ingest
