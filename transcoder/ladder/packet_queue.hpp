// Source packets, tracks and requests on their way into a lane's thread. Bounded in bytes, in media
// time and in how long a packet waits: a live source that finds it full is dropped to its next sync
// packet, a file waits.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <variant>

#include "server/media/packet.hpp"
#include "transcoder/ladder/engine.hpp"

namespace kapok::ladder {

struct SourcePacket {
  media::Packet packet;
  SegmentStart start = SegmentStart::no;
};
// Everything shall come out; `done`, if there is one, is told.
struct Flush {
  std::shared_ptr<std::promise<void>> done;
};
using SourceItem = std::variant<SourcePacket, std::shared_ptr<const media::Track>, Flush>;

class PacketQueue {
 public:
  // Three of the largest packets.
  static constexpr std::size_t kMaxBytes = 3 * media::kMaxPacketBytes;
  // Who is that late is too slow.
  static constexpr std::chrono::milliseconds kMaxAge{2000};
  // More media than that comes at once from a network that stood still, and is caught up with.
  static constexpr std::chrono::milliseconds kMaxSpan{8000};
  // Audio frames of 8 s, twice over; tracks and flushes count too.
  static constexpr std::size_t kMaxItems = 1024;

  // `now`: for the age. False: a live packet that was dropped.
  bool push(SourcePacket item, media::Timescale timescale, Pace pace, MonoTime now = {});
  void push(std::shared_ptr<const media::Track> track);
  void push(Flush flush);
  std::optional<SourceItem> pop();  // waits; absent once closed
  void close();                     // what is in it is forgotten, flushes are told

  // Media time of the packets that wait.
  std::chrono::milliseconds span() const;
  // How long the packet that is next has waited. After a burst it is short where the span is long.
  std::chrono::nanoseconds age(MonoTime now) const;

 private:
  struct Held {
    SourceItem item;
    MonoTime since;
  };
  bool has_room(std::size_t bytes) const;
  std::chrono::nanoseconds age_locked(MonoTime now) const;
  void push_always(SourceItem item);
  std::chrono::milliseconds span_locked() const;

  // A mutex: the lane's thread blocks in codecs, which no shard may.
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Held> items_;
  std::size_t bytes_ = 0;
  std::chrono::nanoseconds last_in_{0};  // media times, of the last packets in and out
  std::chrono::nanoseconds last_out_{0};
  media::Timescale timescale_ = 1;
  bool holds_packets_ = false;
  bool dropping_ = false;
  bool closed_ = false;
};

}  // namespace kapok::ladder
