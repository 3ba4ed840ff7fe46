// Holds a feed's first packets until an era can start with all its tracks: from the first sync
// packet of the video on, with the audio that belongs to it, in the order in which they came. Also
// used after a jump and after a change of parameters. Pure; time is the packets' arrival. Bounded
// in bytes and in time: over it, it starts over at the next sync packet.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "server/media/packet.hpp"

namespace kapok::channel {

struct HeldPacket {
  std::shared_ptr<const media::Packet> packet;
  nanoseconds feed{0};         // its decode time on the feed's clock
  nanoseconds composition{0};  // presentation minus decode time
};

// With what, and at which distance between feed time and arrival, the era starts.
struct GateOpening {
  std::vector<HeldPacket> packets;
  std::vector<media::TrackId> tracks;  // those that have shown a packet, in id order
  nanoseconds feed{0};                 // of the packet that starts the era
  nanoseconds composition{0};          // likewise: its picture is the first to be seen
  nanoseconds delay{0};                // least arrival - feed time of the leading track
};

class StartGate {
 public:
  // One GOP of 10 s at 50 Mb/s, or 2 s at 250 Mb/s.
  static constexpr std::size_t kMaxBytes = std::size_t{64} * 1024 * 1024;
  static constexpr nanoseconds kMaxHeld = seconds(5);
  // A track that was announced and shows nothing does not hold the others longer.
  static constexpr nanoseconds kMaxWaitForAnnounced = milliseconds(500);
  // RTMP announces tracks one by one: with one kind only, the other may be on its way.
  static constexpr nanoseconds kWaitForOtherKind = milliseconds(250);
  // Announced video of which nothing at all comes: sound alone goes on air.
  static constexpr nanoseconds kMaxWaitForVideo = seconds(1);
  // Encoders and relays send what they have buffered at once. Until that is over nobody knows how
  // far behind the feed really is, and its latency would be that much too long for good.
  static constexpr nanoseconds kLook = milliseconds(40);
  static constexpr nanoseconds kBurst = milliseconds(100);
  static constexpr nanoseconds kBurstOver = milliseconds(60);
  static constexpr nanoseconds kMaxBurst = seconds(1);

  void announce(media::TrackId track, media::TrackKind kind);
  void withdraw(media::TrackId track);
  void add(HeldPacket held);
  bool ready() const;
  // Valid when ready; the gate is empty afterwards, the announcements stay.
  GateOpening open();
  void clear();
  std::size_t dropped() const { return dropped_; }
  std::size_t bytes() const { return bytes_; }

 private:
  struct Shown {
    MonoTime first_arrival;
    nanoseconds last_feed{0};
    MonoTime last_arrival;
  };
  std::optional<media::TrackId> leader() const;
  void forget(media::TrackId track);
  void drop_before(MonoTime arrival);

  std::map<media::TrackId, media::TrackKind> announced_;
  std::map<media::TrackId, Shown> shown_;
  std::vector<HeldPacket> held_;
  std::size_t bytes_ = 0;
  std::size_t dropped_ = 0;
  bool video_seen_ = false;  // also what is not a sync packet
  std::optional<MonoTime> first_arrival_;
  MonoTime now_;
};

}  // namespace kapok::channel
