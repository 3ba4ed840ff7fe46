// Source packets, tracks and requests on their way into a lane's thread. Bounded in bytes and in
// media time: a live source that finds it full is dropped to its next sync packet, a file waits.
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
  static constexpr std::chrono::milliseconds kMaxSpan{2000};
  // Audio frames of 2 s, four times over; tracks and flushes count too.
  static constexpr std::size_t kMaxItems = 1024;

  // False: a live packet that was dropped.
  bool push(SourcePacket item, media::Timescale timescale, Pace pace);
  void push(std::shared_ptr<const media::Track> track);
  void push(Flush flush);
  std::optional<SourceItem> pop();  // waits; absent once closed
  void close();                     // what is in it is forgotten, flushes are told

  std::chrono::milliseconds span() const;

 private:
  bool has_room(std::size_t bytes) const;
  void push_always(SourceItem item);
  std::chrono::milliseconds span_locked() const;

  // A mutex: the lane's thread blocks in codecs, which no shard may.
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<SourceItem> items_;
  std::size_t bytes_ = 0;
  std::chrono::nanoseconds last_in_{0};  // media times, of the last packets in and out
  std::chrono::nanoseconds last_out_{0};
  media::Timescale timescale_ = 1;
  bool holds_packets_ = false;
  bool dropping_ = false;
  bool closed_ = false;
};

}  // namespace kapok::ladder
