#include "server/picture/containers/mpegts/program.hpp"

#include <algorithm>

#include "server/picture/containers/mpegts/stream_type.hpp"

namespace kapok::mpegts {

namespace {

constexpr std::uint8_t kNoPid = 0xff;
static_assert(kMaxPids < kNoPid);
// Of a live stream this is at least 10 ms; without one packet in it the bytes are something else.
constexpr std::size_t kMaxSearchedBytes = std::size_t{1024} * 1024;
constexpr std::int64_t kTicksPerMs = kClockRate / 1000;
// A flagged discontinuity [2.4.3.5] whose clock agrees with arrival within this continues the time.
constexpr std::int64_t kFlaggedAheadMs = 500;

std::unique_ptr<Lane> make_lane(StreamInfo info, Outlet& outlet) {
  switch (info.codec) {
    case media::Codec::avc:
    case media::Codec::hevc:
      return make_nal_lane(std::move(info), outlet);
    case media::Codec::av1:
      return make_av1_lane(std::move(info), outlet);
    case media::Codec::aac:
    case media::Codec::ac3:
    case media::Codec::eac3:
    case media::Codec::opus:
      return make_audio_lane(std::move(info), outlet);
    default:
      return make_opaque_lane(std::move(info), outlet);
  }
}

// What a stream's PES packets will likely have as stream_id; the first one tells for sure.
std::optional<std::uint8_t> likely_stream_id(const PmtStream& stream, media::Codec codec) {
  if (is_section_type(stream.type)) return std::nullopt;
  if (media::kind_of(codec) == media::TrackKind::video) return 0xe0;
  if (media::kind_of(codec) == media::TrackKind::audio) return 0xc0;
  return stream.type == kMetadataPes ? 0xfc : 0xbd;
}

}  // namespace

TsDemuxer::Program::Program() {
  index_.fill(kNoPid);
  make(kPatPid)->role = Role::pat;
}

TsDemuxer::Program::Pid* TsDemuxer::Program::known(std::uint16_t pid) {
  return index_[pid] == kNoPid ? nullptr : pids_[index_[pid]].get();
}

TsDemuxer::Program::Pid* TsDemuxer::Program::make(std::uint16_t pid) {
  if (Pid* const already = known(pid)) return already;
  if (pids_.size() >= kMaxPids) return nullptr;
  index_[pid] = static_cast<std::uint8_t>(pids_.size());
  pids_.push_back(std::make_unique<Pid>());
  pids_.back()->stats.pid = pid;
  return pids_.back().get();
}

std::vector<PidStats> TsDemuxer::Program::pids() const {
  std::vector<PidStats> all;
  for (const auto& pid : pids_) all.push_back(pid->stats);
  return all;
}

Result<void> TsDemuxer::Program::push(MonoTime arrival, ByteSpan bytes, Items& out) {
  outlet_.items = &out;
  outlet_.arrival = arrival;
  if (!window_start_) window_start_ = arrival;
  if (const nanoseconds window = arrival - *window_start_; window >= seconds(1)) {
    const auto ms = std::chrono::duration_cast<milliseconds>(window).count();
    for (const auto& pid : pids_)
      pid->stats.bits_per_second = std::exchange(pid->window_packets, 0) * kPacketBytes * 8 * 1000 /
                                   static_cast<std::uint64_t>(ms);
    window_start_ = arrival;
  }
  Bytes joined;
  if (!rest_.empty()) {
    joined = std::exchange(rest_, {});
    const std::size_t wanted = synced_ ? kPacketBytes - joined.size() : bytes.size();
    const std::size_t taken = std::min(wanted, bytes.size());
    joined.insert(joined.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(taken));
    bytes = bytes.subspan(taken);
    ByteSpan first = joined;
    take_packets(first);
    rest_.assign(first.begin(), first.end());
  }
  if (!bytes.empty()) {
    if (!rest_.empty()) return push(arrival, bytes, out);  // sync was lost in the joined packet
    take_packets(bytes);
    rest_.assign(bytes.begin(), bytes.end());
  }
  if (searched_bytes_ > kMaxSearchedBytes)
    return fail(Errc::malformed, "this is no MPEG transport stream: no packets in {} bytes",
                searched_bytes_);
  return {};
}

void TsDemuxer::Program::take_packets(ByteSpan& bytes) {
  while (true) {
    if (!synced_) find_sync(bytes);
    if (!synced_ || bytes.size() < kPacketBytes) return;
    if (bytes[0] != kSyncByte) {
      synced_ = false;
      ++outlet_.stats.resyncs;
      continue;
    }
    packet(bytes.first(kPacketBytes));
    searched_bytes_ = 0;
    bytes = bytes.subspan(kPacketBytes);
  }
}

// A sync byte counts when another one stands a packet later.
void TsDemuxer::Program::find_sync(ByteSpan& bytes) {
  std::size_t at = 0;
  while (at + kPacketBytes < bytes.size()) {
    if (bytes[at] == kSyncByte && bytes[at + kPacketBytes] == kSyncByte) {
      synced_ = true;
      break;
    }
    ++at;
  }
  outlet_.stats.skipped_bytes += at;
  searched_bytes_ += at;
  bytes = bytes.subspan(at);
}

void TsDemuxer::Program::packet(ByteSpan bytes) {
  TsStats& stats = outlet_.stats;
  ++stats.packets;
  const auto read = read_packet(bytes);
  if (!read || read->damaged) {
    // Whose packet it was cannot be trusted; continuity will tell whom it is missing from.
    ++stats.transport_errors;
    return;
  }
  const TsPacket& packet = *read;
  if (packet.pid == kNullPid) {
    ++stats.null_packets;
    return;
  }
  Pid* const pid = make(packet.pid);
  if (pid == nullptr) return;
  ++pid->stats.packets;
  ++pid->window_packets;
  if (packet.pid == pcr_pid_ && packet.pcr) clock_reference(packet);
  if (!packet.has_payload || !is_continuous(*pid, packet)) return;
  if (packet.scrambled) {
    ++stats.scrambled_packets;
    if (pid->role == Role::stream)
      outlet_.note(fmt::format("PID {}: scrambled, cannot be read", packet.pid));
    return lost(*pid);
  }
  switch (pid->role) {
    case Role::pat:
    case Role::pmt:
      sections_.clear();
      pid->sections.payload(
          packet.payload,
          packet.starts ? SectionAssembler::Payload::starts : SectionAssembler::Payload::continues,
          sections_);
      for (const Bytes& section : std::exchange(sections_, {})) table(*pid, section);
      break;
    case Role::stream:
      stream_payload(*pid, packet);
      break;
    case Role::other:
      break;
  }
}

// [2.4.3.3] counts packets with payload; one packet may be sent twice.
bool TsDemuxer::Program::is_continuous(Pid& pid, const TsPacket& packet) {
  const auto last = std::exchange(pid.continuity, packet.continuity);
  if (!last || packet.continuity == ((*last + 1) & 0xf)) {
    pid.repeated = false;
    return true;
  }
  if (packet.continuity == *last && !packet.discontinuity && !pid.repeated) {
    pid.repeated = true;
    return false;
  }
  pid.repeated = false;
  if (!packet.discontinuity && pid.role != Role::other) {
    ++pid.stats.continuity_errors;
    ++outlet_.stats.continuity_errors;
  }
  lost(pid);
  return true;
}

void TsDemuxer::Program::lost(Pid& pid) {
  pid.sections.lost();
  pid.pes.stop();
  if (!pid.lane) return;
  pid.lane->lost();
  account(pid);
}

// The bound over all lanes.
void TsDemuxer::Program::account(Pid& pid) {
  pending_bytes_ -= pid.pending_bytes;
  pid.pending_bytes = pid.lane->pending_bytes();
  pending_bytes_ += pid.pending_bytes;
  if (pending_bytes_ <= kMaxPendingBytes) return;
  outlet_.note(fmt::format("over {} MiB of unfinished access units", kMaxPendingBytes >> 20));
  pid.lane->lost();
  pending_bytes_ -= pid.pending_bytes;
  pid.pending_bytes = pid.lane->pending_bytes();
  pending_bytes_ += pid.pending_bytes;
}

void TsDemuxer::Program::stream_payload(Pid& pid, const TsPacket& packet) {
  if (packet.starts && pid.carriage == Carriage::unknown) {
    // A PES start code would be, as a section, one of the association table.
    const ByteSpan bytes = packet.payload;
    const bool is_pes = bytes.size() >= 3 && bytes[0] == std::byte{0} && bytes[1] == std::byte{0} &&
                        bytes[2] == std::byte{1};
    pid.carriage = is_pes ? Carriage::pes : Carriage::sections;
  }
  if (pid.carriage == Carriage::pes) pes_payload(pid, packet);
  if (pid.carriage == Carriage::sections) section_payload(pid, packet);
}

void TsDemuxer::Program::section_payload(Pid& pid, const TsPacket& packet) {
  sections_.clear();
  pid.sections.payload(
      packet.payload,
      packet.starts ? SectionAssembler::Payload::starts : SectionAssembler::Payload::continues,
      sections_);
  for (const Bytes& section : sections_) {
    Lane::Start start;
    start.now = reference_;
    pid.lane->begin(start);
    pid.lane->payload(section);
    pid.lane->end();
  }
}

void TsDemuxer::Program::pes_payload(Pid& pid, const TsPacket& packet) {
  ByteSpan bytes = packet.payload;
  if (packet.starts) {
    pid.lane->end();
    pid.pes.start();
    pid.random_access = packet.random_access;
  }
  if (const auto header = pid.pes.header(bytes)) begin_pes(pid, *header);
  bytes = pid.pes.payload(bytes);
  if (!bytes.empty()) pid.lane->payload(bytes);
  if (pid.pes.is_complete()) {
    pid.lane->end();
    pid.pes.stop();
  }
  account(pid);
}

void TsDemuxer::Program::begin_pes(Pid& pid, const PesHeader& header) {
  Lane::Start start;
  start.stream_id = header.stream_id;
  start.random_access = pid.random_access;
  if (header.pts) {
    const std::int64_t pts = unwrap(*header.pts);
    const std::int64_t dts = header.dts ? unwrap(*header.dts) : pts;
    if (pid.is_timed && pid.jumps.jumped(dts / kTicksPerMs, outlet_.arrival)) {
      break_off();
      pcr_jumps_.forget();
    }
    if (!pcr_ || !reference_) reference_ = dts;
    start.stamp = Stamp{pts, dts};
  }
  start.now = reference_;
  pid.lane->begin(start);
}

std::int64_t TsDemuxer::Program::unwrap(std::uint64_t time) const {
  constexpr std::int64_t kWrap = std::int64_t{1} << kClockBits;
  const auto value = static_cast<std::int64_t>(time);
  if (!reference_) return value;
  // The nearest to the present time of all that are equal modulo 2^33.
  const std::int64_t step = ((value - *reference_) % kWrap + kWrap + kWrap / 2) % kWrap - kWrap / 2;
  return *reference_ + step;
}

void TsDemuxer::Program::clock_reference(const TsPacket& packet) {
  const std::int64_t time = unwrap(*packet.pcr / kPcrPerTick);
  bool jumped = pcr_jumps_.jumped(time / kTicksPerMs, outlet_.arrival);
  if (pcr_) {
    const std::int64_t step_ms = (time - pcr_->time) / kTicksPerMs;
    const std::int64_t waited_ms =
        std::chrono::duration_cast<milliseconds>(outlet_.arrival - pcr_->arrival).count();
    if (packet.discontinuity)
      jumped = jumped || step_ms < 0 || step_ms - waited_ms > kFlaggedAheadMs;
    if (!jumped && step_ms >= 0) {
      outlet_.stats.pcr_interval_ms = static_cast<std::uint32_t>(step_ms);
      outlet_.stats.pcr_interval_max_ms =
          std::max(outlet_.stats.pcr_interval_max_ms, outlet_.stats.pcr_interval_ms);
    }
  }
  if (jumped) break_off();
  pcr_ = ClockPoint{time, outlet_.arrival};
  reference_ = time;
}

void TsDemuxer::Program::break_off() {
  for (const auto& pid : pids_) {
    pid->jumps.forget();
    if (!pid->lane) continue;
    pid->lane->finish();
    account(*pid);
  }
  ++outlet_.stats.discontinuities;
  outlet_.items->emplace_back(media::Discontinuity{});
}

void TsDemuxer::Program::table(Pid& pid, const Bytes& section) {
  if (pid.role == Role::pat) {
    const auto pat = read_pat(section);
    if (!pat)
      ++outlet_.stats.section_errors;
    else if (*pat)
      associate(**pat);
    return;
  }
  if (section == map_ || section[0] != std::byte{kPmtTable}) return;
  const auto pmt = read_pmt(section);
  if (!pmt) {
    ++outlet_.stats.section_errors;
  } else if (*pmt && program_ && (*pmt)->program == program_->number) {
    map_ = section;
    map(**pmt);
  }
}

void TsDemuxer::Program::associate(const Pat& pat) {
  if (pat.programs.empty()) return;
  const auto same = std::ranges::find_if(pat.programs, [&](const PatProgram& each) {
    return program_ && each.number == program_->number;
  });
  const PatProgram chosen = same != pat.programs.end() ? *same : pat.programs.front();
  if (pat.programs.size() > 1)
    outlet_.note(
        fmt::format("{} programs: only number {} is taken", pat.programs.size(), chosen.number));
  if (program_ && program_->number == chosen.number && program_->pmt_pid == chosen.pmt_pid) return;
  if (program_)
    if (Pid* const old = known(program_->pmt_pid); old != nullptr && old->role == Role::pmt)
      old->role = Role::other;
  Pid* const pid = make(chosen.pmt_pid);
  if (pid == nullptr || pid->role == Role::pat) return;
  if (pid->role == Role::stream) close_stream(*pid);
  pid->role = Role::pmt;
  pid->sections.lost();
  program_ = chosen;
  map_.clear();
}

void TsDemuxer::Program::map(const Pmt& pmt) {
  bool broken_off = false;
  for (const auto& pid : pids_) {
    if (pid->role != Role::stream) continue;
    const auto stays = [&](const PmtStream& stream) {
      return stream.pid == pid->stats.pid && stream.type == pid->stats.stream_type &&
             std::ranges::equal(stream.descriptors, pid->descriptors);
    };
    if (std::ranges::any_of(pmt.streams, stays)) continue;
    broken_off = broken_off || pid->is_timed;
    close_stream(*pid);
  }
  // Sound or picture went, or became something else: what follows is another programme's form.
  if (broken_off) break_off();
  if (pcr_pid_ != pmt.pcr_pid) {
    pcr_.reset();
    pcr_jumps_.forget();
  }
  pcr_pid_ = pmt.pcr_pid;
  for (const PmtStream& stream : pmt.streams) open_stream(stream, pmt.descriptors);
}

void TsDemuxer::Program::open_stream(const PmtStream& stream, ByteSpan program_descriptors) {
  Pid* const pid = make(stream.pid);
  if (pid == nullptr) {
    outlet_.note(fmt::format("over {} PIDs: the other streams are left out", kMaxPids));
    return;
  }
  if (pid->role != Role::other) return;  // already open, or a table's
  StreamInfo info;
  info.id = stream.pid;
  info.codec = codec_of(stream, program_descriptors);
  info.language = language_of(stream.descriptors);
  info.ts.stream_type = stream.type;
  info.ts.pes_stream_id = likely_stream_id(stream, info.codec);
  info.ts.descriptors = Buffer::copy_of(stream.descriptors);
  const auto kind = media::kind_of(info.codec);
  pid->role = Role::stream;
  pid->carriage = Carriage::unknown;
  pid->stats.stream_type = stream.type;
  pid->descriptors.assign(stream.descriptors.begin(), stream.descriptors.end());
  pid->is_timed = kind == media::TrackKind::video || kind == media::TrackKind::audio;
  pid->lane = make_lane(std::move(info), outlet_);
  pid->jumps.forget();
  pid->pes.stop();
  pid->sections.lost();
}

void TsDemuxer::Program::close_stream(Pid& pid) {
  pid.lane->finish();
  pending_bytes_ -= std::exchange(pid.pending_bytes, 0);
  pid.lane.reset();
  pid.role = Role::other;
  pid.stats.stream_type = 0;
}

void TsDemuxer::Program::finish(Items& out) {
  outlet_.items = &out;
  if (rest_.size() == kPacketBytes && rest_[0] == kSyncByte) packet(std::exchange(rest_, {}));
  for (const auto& pid : pids_) {
    if (!pid->lane) continue;
    pid->lane->end();
    pid->lane->finish();
    account(*pid);
  }
}

}  // namespace kapok::mpegts
