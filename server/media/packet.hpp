// A Packet is one coded access unit as it will stand in an mdat: length-prefixed NAL units for AVC
// and HEVC (no parameter sets needed in band), OBUs without temporal delimiter for AV1, raw frames
// for audio (AAC without ADTS), and what the container held for codecs that are not packaged.
// Immutable; the payload is shared and never copied.
#pragma once

#include "server/base/buffer.hpp"
#include "server/base/clock.hpp"
#include "server/media/time.hpp"
#include "server/media/track.hpp"

namespace kapok::media {

// One 8K IDR at 400 Mbit/s peak stays below this; larger claims are an attack or a bug.
constexpr std::size_t kMaxPacketBytes = std::size_t{64} * 1024 * 1024;

struct Packet {
  TrackId track = 0;
  Ticks dts;  // in the track's timescale; unwrapped by ingest, otherwise as sent
  Ticks pts;
  Ticks duration;  // 0: unknown, the next packet tells
  // Decoding can start here (closed GOP: IDR, or CRA/BLA without leading pictures). Where the
  // bitstream is not read: what the container says of it, true if it says nothing.
  bool sync = false;
  Buffer payload;
  MonoTime arrival;  // when its last byte was read from the network
};

}  // namespace kapok::media
