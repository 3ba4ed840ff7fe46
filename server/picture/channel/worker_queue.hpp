// What waits for a worker's socket: the tracks and packets of the source, bounded in bytes and in
// time. A worker that is too slow loses what waits and goes on with the next segment; the source is
// never held. So does one that has just been started: both are told the tracks first. Pure.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "server/picture/wire/messages.hpp"

namespace kapok::channel {

// Whether a packet is the first of a segment: every rung begins a closed GOP there.
enum class SegmentStart : std::uint8_t { no, yes };

class WorkerQueue {
 public:
  struct Limits {
    // One largest packet and as much again; two seconds of 400 Mbit/s are less.
    std::size_t bytes = 2 * media::kMaxPacketBytes;
    // More behind than that a live picture is of no use.
    nanoseconds time = seconds(2);
    // Packets without payload cost memory too.
    std::size_t items = 65'536;
  };
  explicit WorkerQueue(Limits limits) : limits_(limits) {}

  void track(std::shared_ptr<const media::Track> track);
  void packet(const media::Packet& packet, SegmentStart start);
  // What follows does not continue what was before; its tracks come anew.
  void discontinuity();
  // Another process: it knows nothing yet.
  void restart();

  std::optional<wire::ToWorker> pop();
  bool empty() const { return items_.empty(); }
  std::size_t bytes() const { return bytes_; }
  nanoseconds waiting() const;
  // Packets lost because the worker was slow.
  std::uint64_t dropped() const { return dropped_; }
  bool behind() const { return behind_; }

 private:
  bool full(const media::Packet& packet) const;
  void begin();
  void drop_all();

  Limits limits_;
  std::deque<wire::ToWorker> items_;
  // In the order in which they were told: the worker counts the sounds.
  std::vector<std::shared_ptr<const media::Track>> tracks_;
  std::size_t bytes_ = 0;
  std::optional<MonoTime> oldest_;  // arrival of the first packet that waits
  MonoTime newest_;
  bool flowing_ = false;  // else it waits for a place to begin
  bool given_ = false;    // packets, since the last discontinuity or restart
  bool behind_ = false;   // it waits because it was slow
  std::uint64_t dropped_ = 0;
};

}  // namespace kapok::channel
