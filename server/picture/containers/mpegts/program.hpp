// The one program that a demuxer takes from its transport stream: tables, clock, and a lane for
// each stream. Fed with whole packets.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "server/base/bytes.hpp"
#include "server/media/source_times.hpp"
#include "server/picture/containers/mpegts/demuxer.hpp"
#include "server/picture/containers/mpegts/lane.hpp"
#include "server/picture/containers/mpegts/pes.hpp"
#include "server/picture/containers/mpegts/psi.hpp"
#include "server/picture/containers/mpegts/section.hpp"
#include "server/picture/containers/mpegts/ts_packet.hpp"

namespace kapok::mpegts {

// PIDs that are looked at or counted; what else there is passes unseen.
constexpr std::size_t kMaxPids = 64;
// Two of the largest access units, or what a few dozen streams have unfinished at any time.
constexpr std::size_t kMaxPendingBytes = 2 * media::kMaxPacketBytes;

class TsDemuxer::Program {
 public:
  Program();

  Result<void> push(MonoTime arrival, ByteSpan bytes, Items& out);
  void finish(Items& out);
  Outlet& outlet() { return outlet_; }
  std::vector<PidStats> pids() const;

 private:
  enum class Role : std::uint8_t { other, pat, pmt, stream };
  enum class Carriage : std::uint8_t { unknown, pes, sections };
  // One PID.
  struct Pid {
    Role role = Role::other;
    PidStats stats;
    std::optional<std::uint8_t> continuity;  // of the last packet with payload
    bool repeated = false;                   // that packet has come twice
    std::uint64_t window_packets = 0;        // since window_start_

    SectionAssembler sections;
    // Of streams:
    Carriage carriage = Carriage::unknown;
    Bytes descriptors;
    bool is_timed = false;  // sound or picture: its times tell of jumps
    PesReader pes;
    std::unique_ptr<Lane> lane;
    std::size_t pending_bytes = 0;
    bool random_access = false;  // of the packet that the PES packet began in
    media::JumpDetector jumps;
  };

  // Takes whole packets from the front of `bytes`.
  void take_packets(ByteSpan& bytes);
  void find_sync(ByteSpan& bytes);
  void packet(ByteSpan bytes);
  bool is_continuous(Pid& pid, const TsPacket& packet);
  void stream_payload(Pid& pid, const TsPacket& packet);
  void pes_payload(Pid& pid, const TsPacket& packet);
  void section_payload(Pid& pid, const TsPacket& packet);
  void begin_pes(Pid& pid, const PesHeader& header);
  void lost(Pid& pid);
  void account(Pid& pid);

  void table(Pid& pid, const Bytes& section);
  void associate(const Pat& pat);
  void map(const Pmt& pmt);
  void open_stream(const PmtStream& stream, ByteSpan program_descriptors);
  void close_stream(Pid& pid);

  std::int64_t unwrap(std::uint64_t time) const;
  void clock_reference(const TsPacket& packet);
  void break_off();  // what follows does not continue what came

  Pid* known(std::uint16_t pid);
  // nullptr: over kMaxPids.
  Pid* make(std::uint16_t pid);

  Outlet outlet_;
  bool synced_ = false;
  Bytes rest_;  // an unfinished packet; while not synced what sync is searched in
  std::size_t searched_bytes_ = 0;  // since the last packet

  std::vector<std::unique_ptr<Pid>> pids_;
  std::array<std::uint8_t, 8192> index_;  // of pids_ by PID; kNoPid
  std::vector<Bytes> sections_;           // kept for its memory

  std::optional<PatProgram> program_;
  Bytes map_;  // the section last applied
  std::uint16_t pcr_pid_ = kNullPid;
  std::optional<std::int64_t> reference_;  // 90 kHz, the program's present time
  struct ClockPoint {
    std::int64_t time = 0;  // 90 kHz
    MonoTime arrival;
  };
  std::optional<ClockPoint> pcr_;
  media::JumpDetector pcr_jumps_;
  std::size_t pending_bytes_ = 0;
  std::optional<MonoTime> window_start_;
};

}  // namespace kapok::mpegts
