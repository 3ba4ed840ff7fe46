// Answers media requests from a shard's live windows: who may see it, what is there, what is still
// to come, how long a cache may keep it. Knows nothing of sockets or HTTP versions. Used on the
// shard of its LiveStore.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>
#include <cstdint>
#include <variant>
#include <vector>

#include "server/access/session_token.hpp"
#include "server/base/clock.hpp"
#include "server/picture/delivery/http/media_request.hpp"
#include "server/picture/delivery/http/reply.hpp"

namespace kapok::delivery {

// Who may use bare /live/ without a session (delivery.anonymous).
enum class Anonymous : std::uint8_t { allow, edges };

struct MediaAccess {
  Anonymous anonymous = Anonymous::allow;
  // With Anonymous::edges: the caches in front of us, "192.0.2.0/24" or one address.
  std::vector<std::string> edges;
};

// Parsed MediaAccess; shared by all shards, immutable.
class AccessRule {
 public:
  // Errors: config, an edge that is neither an address nor a network.
  static Result<AccessRule> make(const MediaAccess& access);
  bool may_see_bare_live(const boost::asio::ip::address& peer) const;

 private:
  Anonymous anonymous_ = Anonymous::allow;
  std::vector<boost::asio::ip::network_v4> edges_v4_;
  std::vector<boost::asio::ip::network_v6> edges_v6_;
};

// A held request asks again when it was woken; the second time nothing is held.
enum class Patience : std::uint8_t { fresh, woken, exhausted };

class MediaRoutes {
 public:
  // `signer` may be null: then every session is refused.
  MediaRoutes(LiveStore& live, const AccessRule& rule, const access::TokenSigner* signer,
              const Clock& clock);

  Reply answer(const MediaRequest& request, const boost::asio::ip::address& peer,
               Patience patience);

 private:
  struct Admitted {
    Caching::Scope scope = Caching::Scope::open;
    std::optional<evidence::SessionId> session;
  };
  std::variant<Admitted, BytesReply> admit(const MediaRequest& request,
                                           const boost::asio::ip::address& peer) const;
  Reply playlist(const MediaRequest& request, const Admitted& admitted, Patience patience);
  Reply segment(const MediaRequest& request, const Admitted& admitted, Patience patience);
  Reply part(const MediaRequest& request, const Admitted& admitted, Patience patience);
  Reply init(const MediaRequest& request, const Admitted& admitted) const;
  Reply poster(const MediaRequest& request, const Admitted& admitted) const;
  Reply thumbnail(const MediaRequest& request, const Admitted& admitted) const;
  Reply sheet(const MediaRequest& request, const Admitted& admitted) const;
  Reply vod(const MediaRequest& request, const Admitted& admitted);
  BytesReply time() const;

  LiveStore& live_;
  const AccessRule& rule_;
  const access::TokenSigner* signer_;
  const Clock& clock_;
};

}  // namespace kapok::delivery
