#include "server/picture/containers/mpegts/muxer.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "server/picture/containers/mpegts/outlet.hpp"
#include "server/picture/containers/mpegts/pes.hpp"
#include "server/picture/containers/mpegts/stream_type.hpp"

namespace kapok::mpegts {

namespace {

constexpr std::uint16_t kPmtPid = 0x1000;
constexpr std::uint16_t kProgram = 1;
// [ISO/IEC 13818-1 table 2-3, ETSI EN 300 468 5.1.3] below are tables of broadcasting.
constexpr std::uint16_t kFirstStreamPid = 0x0020;
constexpr std::uint16_t kFirstOwnPid = 0x0100;
constexpr std::size_t kHeaderBytes = 4;
constexpr std::size_t kBodyBytes = kPacketBytes - kHeaderBytes;
constexpr std::size_t kFlagsBytes = 2;  // adaptation_field_length and the flags
constexpr std::size_t kPcrBytes = 6;
constexpr std::int64_t kWrap = std::int64_t{1} << kClockBits;

constexpr std::int64_t ticks_of(milliseconds time) {
  return time.count() * (kClockRate / 1000);
}
// Modulo 2^33 [2.4.2.2].
std::uint64_t wrapped(std::int64_t time) {
  return static_cast<std::uint64_t>((time % kWrap + kWrap) % kWrap);
}

bool is_timed(const media::Track& track) {
  return track.kind == media::TrackKind::video || track.kind == media::TrackKind::audio;
}

}  // namespace

void TsMuxer::write(const media::FeedItem& item) {
  if (const auto* packet = std::get_if<std::shared_ptr<const media::Packet>>(&item))
    this->packet(**packet);
  else if (const auto* track = std::get_if<std::shared_ptr<const media::Track>>(&item))
    this->track(*track);
  else if (std::holds_alternative<media::Discontinuity>(item))
    lanes_.clear();
}

std::vector<TsBlock> TsMuxer::take() {
  cut(false);
  return std::exchange(done_, {});
}

std::vector<std::string> TsMuxer::take_notices() {
  return std::exchange(notices_, {});
}

void TsMuxer::note(std::string what) {
  if (noted_.size() >= kMaxNotices || std::ranges::find(noted_, what) != noted_.end()) return;
  noted_.push_back(what);
  notices_.push_back(std::move(what));
}

void TsMuxer::cut(bool starts) {
  if (!open_.empty()) done_.push_back({Buffer(std::exchange(open_, {})), open_starts_});
  open_starts_ = starts;
}

TsMuxer::Lane* TsMuxer::lane_of(media::TrackId id) {
  const auto found = std::ranges::find_if(lanes_, [&](const Lane& l) { return l.track->id == id; });
  return found == lanes_.end() ? nullptr : &*found;
}

const TsMuxer::Lane* TsMuxer::clock_lane() const {
  for (const auto kind : {media::TrackKind::video, media::TrackKind::audio})
    for (const Lane& lane : lanes_)
      if (lane.track->kind == kind) return &lane;
  return nullptr;
}

std::uint16_t TsMuxer::free_pid(media::TrackId id) const {
  const auto usable = [&](std::uint32_t pid) {
    return pid >= kFirstStreamPid && pid < kNullPid && pid != kPmtPid &&
           std::ranges::none_of(lanes_, [&](const Lane& lane) { return lane.pid == pid; });
  };
  if (usable(id)) return static_cast<std::uint16_t>(id);
  std::uint16_t pid = kFirstOwnPid;
  while (!usable(pid)) ++pid;  // kMaxStreams are far fewer than PIDs
  return pid;
}

void TsMuxer::track(const std::shared_ptr<const media::Track>& track) {
  auto stream = MuxStream::make(*track);
  if (!stream) {
    note(fmt::format("track {}: {}", track->id, stream.error().message));
    return;
  }
  map_changed_ = true;
  if (Lane* const lane = lane_of(track->id)) {
    lane->track = track;
    lane->stream = *std::move(stream);
    return;
  }
  if (lanes_.size() >= kMaxStreams) {
    note(fmt::format("over {} tracks: the others are left out", kMaxStreams));
    return;
  }
  const std::uint16_t pid = free_pid(track->id);
  lanes_.push_back({track, *std::move(stream), pid});
}

void TsMuxer::packet(const media::Packet& packet) {
  Lane* lane = lane_of(packet.track);
  if (lane == nullptr || packet.payload.empty()) return;
  const media::Timescale timescale = lane->track->timescale;
  const std::int64_t dts = media::rescale(packet.dts, timescale, kClockRate).count;
  const std::int64_t pts = media::rescale(packet.pts, timescale, kClockRate).count;
  if (is_timed(*lane->track)) {
    const std::int64_t now = dts - ticks_of(kMuxDelay);
    clock_ = clock_ ? std::max(*clock_, now) : now;
  }
  const auto has_clock = [&] { return lane == clock_lane(); };
  const bool tables_due =
      !tables_at_ || (clock_ && *clock_ - *tables_at_ >= ticks_of(kTablesEvery));
  const bool starts =
      has_clock() && (lane->track->kind == media::TrackKind::video ? packet.sync : tables_due);
  if (starts) cut(true);
  if (starts || tables_due || map_changed_) write_tables();
  lane = lane_of(packet.track);
  if (lane == nullptr) return;  // there was no room for it in the map
  pieces_.clear();
  const auto id = lane->stream.pes_stream_id();
  if (id) pieces_.emplace_back();  // for the header
  if (const auto made = lane->stream.payload(packet, pieces_); !made) {
    note(fmt::format("track {}: {}", lane->track->id, made.error().message));
    return;
  }
  if (!id) {
    write_section(lane->pid, pieces_.front());
    return;
  }
  std::size_t size = 0;
  for (const ByteSpan piece : pieces_) size += piece.size();
  pes_header_.clear();
  ByteWriter header(pes_header_);
  write_pes_header(header, *id, PesTimes{wrapped(pts), wrapped(dts)}, size);
  pieces_.front() = pes_header_;
  PacketFlags flags;
  // Of sound every frame is one; it is said where it helps.
  flags.random_access =
      packet.sync && (has_clock() || lane->track->kind == media::TrackKind::video);
  if (has_clock())
    flags.pcr = pcr_at_ = clock_;
  else if (clock_ && (!pcr_at_ || *clock_ - *pcr_at_ >= ticks_of(kPcrEvery)))
    if (const Lane* const clock_lane = this->clock_lane()) write_clock(clock_lane->pid);
  write_pieces(lane->pid, flags);
}

void TsMuxer::make_map() {
  map_changed_ = false;
  Pmt map;
  map.program = kProgram;
  const Lane* const clock = clock_lane();
  map.pcr_pid = clock != nullptr ? clock->pid : kNullPid;
  Bytes program_descriptors;
  if (std::ranges::any_of(lanes_, [](const Lane& lane) { return lane.stream.type() == kScte35; })) {
    ByteWriter out(program_descriptors);  // [SCTE 35 8.1]
    write_descriptor(out, kRegistration, as_bytes("CUEI"));
  }
  map.descriptors = program_descriptors;
  for (const Lane& lane : lanes_)
    map.streams.push_back({lane.stream.type(), lane.pid, lane.stream.descriptors()});
  map.version = map_version_;
  auto section = write_pmt(map);
  while (!section && !lanes_.empty()) {  // absurd descriptors
    note(fmt::format("track {}: {}", lanes_.back().track->id, section.error().message));
    lanes_.pop_back();
    map.streams.pop_back();
    section = write_pmt(map);
  }
  if (!section || *section == pmt_) return;
  if (!pmt_.empty()) {
    // [2.4.4.9] five bits.
    map.version = map_version_ = static_cast<std::uint8_t>((map_version_ + 1) & 0x1f);
    section = write_pmt(map);
  }
  pmt_ = *std::move(section);
}

void TsMuxer::write_tables() {
  if (pat_.empty()) pat_ = write_pat({1, 0, {{kProgram, kPmtPid}}});
  if (map_changed_) make_map();
  write_section(kPatPid, pat_);
  write_section(kPmtPid, pmt_);
  tables_at_ = clock_;
}

std::span<std::byte> TsMuxer::add_packet(std::uint16_t pid, bool starts, std::size_t adaptation,
                                         PacketFlags flags) {
  const std::size_t begin = open_.size();
  open_.resize(begin + kPacketBytes);
  const auto packet = std::span(open_).subspan(begin);
  const bool has_payload = adaptation < kBodyBytes;
  packet[0] = kSyncByte;
  packet[1] = static_cast<std::byte>((starts ? 0x40 : 0) | pid >> 8);
  packet[2] = static_cast<std::byte>(pid);
  // [2.4.3.3] counts packets with payload.
  const std::uint8_t continuity =
      has_payload ? continuity_[pid]++ & 0xf : (continuity_[pid] + 15) & 0xf;
  packet[3] =
      static_cast<std::byte>((adaptation > 0 ? 0x20 : 0) | (has_payload ? 0x10 : 0) | continuity);
  const auto rest = packet.subspan(kHeaderBytes + adaptation);
  if (adaptation == 0) return rest;
  const auto field = packet.subspan(kHeaderBytes, adaptation);
  std::ranges::fill(field, std::byte{0xff});  // stuffing
  field[0] = static_cast<std::byte>(adaptation - 1);
  if (adaptation < kFlagsBytes) return rest;
  field[1] = static_cast<std::byte>((flags.random_access ? 0x40 : 0) | (flags.pcr ? 0x10 : 0));
  if (flags.pcr) {
    const std::uint64_t bits = wrapped(*flags.pcr) << 15 | 0x7e00;  // extension 0
    for (std::size_t i = 0; i < kPcrBytes; ++i)
      field[kFlagsBytes + i] = static_cast<std::byte>(bits >> (8 * (kPcrBytes - 1 - i)));
  }
  return rest;
}

void TsMuxer::write_clock(std::uint16_t pid) {
  add_packet(pid, false, kBodyBytes, {false, clock_});
  pcr_at_ = clock_;
}

void TsMuxer::write_section(std::uint16_t pid, ByteSpan section) {
  bool first = true;
  while (first || !section.empty()) {
    auto room = add_packet(pid, first, 0, {});
    std::ranges::fill(room, std::byte{0xff});
    if (first) {
      room[0] = std::byte{0};  // pointer_field
      room = room.subspan(1);
    }
    first = false;
    const std::size_t taken = std::min(room.size(), section.size());
    std::copy_n(section.begin(), taken, room.begin());
    section = section.subspan(taken);
  }
}

void TsMuxer::write_pieces(std::uint16_t pid, PacketFlags flags) {
  std::size_t left = 0;
  for (const ByteSpan piece : pieces_) left += piece.size();
  auto piece = pieces_.begin();
  std::size_t at = 0;  // in *piece
  bool first = true;
  while (left > 0) {
    std::size_t adaptation = 0;
    if (first && (flags.random_access || flags.pcr))
      adaptation = kFlagsBytes + (flags.pcr ? kPcrBytes : 0);
    adaptation = std::max(adaptation, kBodyBytes - std::min(left, kBodyBytes));
    auto room = add_packet(pid, first, adaptation, first ? flags : PacketFlags{});
    first = false;
    left -= room.size();
    while (!room.empty()) {
      const std::size_t taken = std::min(room.size(), piece->size() - at);
      if (taken > 0) std::memcpy(room.data(), piece->data() + at, taken);
      room = room.subspan(taken);
      at += taken;
      if (at == piece->size() && !room.empty()) {
        ++piece;
        at = 0;
      }
    }
  }
}

}  // namespace kapok::mpegts
