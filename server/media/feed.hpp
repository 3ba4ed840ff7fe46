// What an ingest protocol gives and the channel takes: the meeting point of the two, so that
// neither knows the other. A feed is one incoming contribution stream.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "server/base/buffer.hpp"
#include "server/base/result.hpp"
#include "server/base/task.hpp"
#include "server/media/packet.hpp"
#include "server/media/track.hpp"

namespace kapok::media {

// The source's clock jumped (either way) or its contents changed; what follows does not continue
// what came before.
struct Discontinuity {};
enum class FeedEnd : std::uint8_t { unpublished, connection_lost, silent, replaced, error };
std::string_view name_of(FeedEnd end);  // as logs and the API say it
struct EndOfFeed {
  FeedEnd reason = FeedEnd::unpublished;
};

// Order: a Track before the first Packet of its id; a changed Track before its first Packet; at the
// end one EndOfFeed.
using FeedItem = std::variant<std::shared_ptr<const Track>, std::shared_ptr<const Packet>,
                              Discontinuity, EndOfFeed>;

// Takes a feed's items in order. accept never suspends. Call it from the executor that came with
// the sink (FeedGrant::home). An error means that the feed was refused and must be closed.
class FeedSink {
 public:
  virtual ~FeedSink() = default;
  virtual Result<void> accept(FeedItem item) = 0;
};

enum class IngestProtocol : std::uint8_t { rtmp, rtmps, srt };

struct PublishRequest {
  IngestProtocol protocol = IngestProtocol::rtmp;
  std::string channel;  // already a valid id
  std::string key;      // as presented; secret
  std::string peer;     // "192.0.2.1:51234", for logs
  std::string encoder;  // what the client calls itself (flashVer, encoder in onMetaData)
  // Called on `home` when the channel wants the feed gone (key revoked, replaced, draining).
  std::function<void(std::string_view reason)> close;
  // What the protocol asks of the peer beside the key (SRT: the feed's passphrase). Called once the
  // key has told the feed, before anything of that feed is touched; from any shard. May be empty.
  std::function<Result<void>(std::string_view feed)> check;
};

struct FeedGrant {
  std::string feed;  // which feed of the channel the key opened
  std::shared_ptr<FeedSink> sink;
  boost::asio::any_io_executor home;  // the channel's home shard
};

class FeedDirectory {
 public:
  virtual ~FeedDirectory() = default;
  // Default deny. Errc::not_found: no such channel; denied: wrong key; conflict: that feed is being
  // published by another, live peer.
  virtual Task<Result<FeedGrant>> open(PublishRequest request) = 0;
};

}  // namespace kapok::media
