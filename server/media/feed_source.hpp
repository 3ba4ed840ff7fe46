// A channel read as a feed: what outputs take that are not the live window (SRT output, pushes,
// WebRTC), so that they and the channel do not know each other. A subscription gives what is on
// air, in order, from a sync packet on. It belongs to its reader's executor and may be made from
// any shard; the packets' payloads are shared, never copied.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "server/base/clock.hpp"
#include "server/base/result.hpp"
#include "server/base/task.hpp"
#include "server/media/feed.hpp"

namespace kapok::media {

// What may wait for one reader, beside the batch that it holds. Over it the reader is moved on to
// the next sync packet, and that is counted; the channel never waits for a reader.
struct ReaderLimits {
  // A largest packet, or 2 s at 250 Mb/s.
  std::size_t bytes = kMaxPacketBytes;
  // A reader that is this far behind what arrives is of no use to a live viewer.
  nanoseconds time = seconds(2);
};

// Whatever was not read since the batch before, at least one item. Order, at the start and after
// each Discontinuity: every track on air, then packets from a sync packet of the video on (without
// video: from any). A Discontinuity voids all tracks; it comes when another feed or another
// publisher goes on air, when the source's clock jumped or its parameters changed, and when this
// reader was moved on. A later Track is a new one, or the same id with more facts. EndOfFeed:
// nothing is on air; the subscription stays, and what comes next begins with a Discontinuity.
//
// Times are channel time, as in the live window: ticks since 1970 in the track's timescale. All
// tracks share one mapping, so sound and picture stay together; a track's decode times only rise,
// over reconnects, switches and restarts too; and they run at the rate of this server's clock, not
// the encoder's: right for a PCR. Tracks that are not packaged (see is_packaged) are here as well,
// on the same times.
struct FeedBatch {
  std::vector<FeedItem> items;
  std::uint64_t skipped = 0;  // packets that this reader missed before this batch, by being slow
};

// Used on its reader's executor only, destruction included; not destroyed while next() waits.
class FeedSubscription {
 public:
  virtual ~FeedSubscription() = default;
  // Waits for something to read; one call at a time. Errors: closed (the channel was removed or is
  // closing, or cancel() was called), after which it gives nothing more.
  virtual Task<Result<FeedBatch>> next() = 0;
  virtual void cancel() = 0;
};

enum class OnAir : std::uint8_t { now, not_yet };

struct SubscribeRequest {
  std::string channel;
  boost::asio::any_io_executor reader;  // where the subscription is used
  ReaderLimits limits;
};

struct FeedAccess {
  std::unique_ptr<FeedSubscription> subscription;
  // not_yet: the channel exists and no feed is on air; next() waits until one is. Whoever would
  // rather refuse its caller destroys the subscription.
  OnAir on_air = OnAir::not_yet;
};

class FeedSource {
 public:
  virtual ~FeedSource() = default;
  // May be awaited on any shard. Errors: not_found (no such channel), limit (too many readers),
  // closed (going down). Who may read is the caller's to decide, beforehand.
  virtual Task<Result<FeedAccess>> subscribe(SubscribeRequest request) = 0;
};

}  // namespace kapok::media
