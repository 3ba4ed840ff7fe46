// Feed items to MPEG-TS [ISO/IEC 13818-1]: one object per channel, whatever the number of
// receivers. Each packet becomes one PES packet; tables stand before every sync packet and every
// 100 ms at least, PCR every 40 ms. A PID is the track's id where it can be. Times are the
// packets', modulo 2^33 ticks of 90 kHz; PCR runs kMuxDelay behind decode times. Owned by one
// shard.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "server/base/buffer.hpp"
#include "server/media/feed.hpp"
#include "server/picture/containers/mpegts/mux_stream.hpp"
#include "server/picture/containers/mpegts/psi.hpp"
#include "server/picture/containers/mpegts/ts_packet.hpp"

namespace kapok::mpegts {

// What fits into one UDP datagram of the usual Ethernet size.
constexpr std::size_t kMessageBytes = 7 * kPacketBytes;

// Whole transport packets, made once and shared by all receivers.
struct TsBlock {
  Buffer bytes;
  bool starts = false;  // a receiver may begin here: tables, then a sync packet
};

class TsMuxer {
 public:
  // Packets come in steps of a frame (40 ms at 25 frames/s), so what must not be longer than 100 ms
  // (tables) and 40 ms (PCR, where sound comes between pictures) is due that much earlier.
  static constexpr milliseconds kTablesEvery{60};
  static constexpr milliseconds kPcrEvery{38};
  // How far decode times lie behind PCR: what sound and picture may be apart in the feed.
  static constexpr milliseconds kMuxDelay{300};

  // In the order of a FeedSource; a Discontinuity voids all tracks.
  void write(const media::FeedItem& item);
  // What was written since, cut at the places where receivers may begin.
  std::vector<TsBlock> take();

  // What was left out and why, each once, for the log.
  std::vector<std::string> take_notices();

 private:
  struct Lane {
    std::shared_ptr<const media::Track> track;
    MuxStream stream;
    std::uint16_t pid = 0;
  };
  struct PacketFlags {
    bool random_access = false;
    std::optional<std::int64_t> pcr;  // 90 kHz
  };

  void track(const std::shared_ptr<const media::Track>& track);
  void packet(const media::Packet& packet);
  void write_tables();
  void make_map();
  void write_section(std::uint16_t pid, ByteSpan section);
  void write_clock(std::uint16_t pid);
  // Cuts what pieces_ hold into transport packets.
  void write_pieces(std::uint16_t pid, PacketFlags flags);
  // A transport packet with its header and, if it is not 0, that many bytes of adaptation field;
  // the rest of it, for the payload.
  std::span<std::byte> add_packet(std::uint16_t pid, bool starts, std::size_t adaptation,
                                  PacketFlags flags);
  void cut(bool starts);
  Lane* lane_of(media::TrackId id);
  // The stream whose PID carries PCR: the first video, else the first sound.
  const Lane* clock_lane() const;
  std::uint16_t free_pid(media::TrackId id) const;
  void note(std::string what);

  std::vector<Lane> lanes_;
  std::array<std::uint8_t, kNullPid + 1> continuity_{};  // of the next packet, by PID
  std::uint8_t map_version_ = 0;
  bool map_changed_ = true;
  Bytes pat_;
  Bytes pmt_;

  std::optional<std::int64_t> clock_;  // 90 kHz: what PCR would be now
  std::optional<std::int64_t> tables_at_;
  std::optional<std::int64_t> pcr_at_;

  Bytes open_;
  bool open_starts_ = false;
  std::vector<TsBlock> done_;
  std::vector<ByteSpan> pieces_;  // kept for their memory
  Bytes pes_header_;
  std::vector<std::string> notices_;
  std::vector<std::string> noted_;
};

}  // namespace kapok::mpegts
