#include "server/picture/containers/mpegts/pes.hpp"

#include <algorithm>

namespace kapok::mpegts {

namespace {

constexpr std::size_t kStartBytes = 6;  // start code, stream_id, PES_packet_length
constexpr std::size_t kFixedBytes = 9;  // up to PES_header_data_length
constexpr std::size_t kTimeBytes = 5;

std::uint64_t read_time(const std::byte* at) {
  const auto byte = [&](int i) { return std::to_integer<std::uint64_t>(at[i]); };
  return (byte(0) >> 1 & 7) << 30 | byte(1) << 22 | (byte(2) >> 1) << 15 | byte(3) << 7 |
         byte(4) >> 1;
}

void write_time(ByteWriter& out, unsigned prefix, std::uint64_t time) {
  out.u8(static_cast<std::uint8_t>(prefix << 4 | (time >> 30 & 7) << 1 | 1));
  out.u16(static_cast<std::uint16_t>((time >> 15 & 0x7fff) << 1 | 1));
  out.u16(static_cast<std::uint16_t>((time & 0x7fff) << 1 | 1));
}

}  // namespace

bool has_plain_header(std::uint8_t stream_id) {
  static constexpr std::uint8_t kPlain[] = {0xbc, 0xbe, 0xbf, 0xf0, 0xf1, 0xf2, 0xf8, 0xff};
  return std::ranges::find(kPlain, stream_id) != std::end(kPlain);
}

std::optional<PesHeader> PesReader::header(ByteSpan& bytes) {
  if (state_ != State::header) return std::nullopt;
  while (gathered_ < header_bytes()) {
    const std::size_t taken = std::min(header_bytes() - gathered_, bytes.size());
    if (taken == 0) return std::nullopt;
    std::copy_n(bytes.begin(), taken, bytes_ + gathered_);
    gathered_ += taken;
    bytes = bytes.subspan(taken);
  }
  const auto header = parse();
  state_ = header ? State::payload : State::idle;
  left_ = header ? header->payload_size : std::nullopt;
  return header;
}

// As far as it can be told by what is gathered.
std::size_t PesReader::header_bytes() const {
  if (gathered_ < kStartBytes || has_plain_header(std::to_integer<std::uint8_t>(bytes_[3])))
    return kStartBytes;
  if (gathered_ < kFixedBytes) return kFixedBytes;
  return kFixedBytes + std::to_integer<std::size_t>(bytes_[8]);
}

std::optional<PesHeader> PesReader::parse() const {
  if (bytes_[0] != std::byte{0} || bytes_[1] != std::byte{0} || bytes_[2] != std::byte{1})
    return std::nullopt;
  PesHeader header;
  header.size = gathered_;
  header.stream_id = std::to_integer<std::uint8_t>(bytes_[3]);
  const std::size_t length =
      std::to_integer<std::size_t>(bytes_[4]) << 8 | std::to_integer<std::size_t>(bytes_[5]);
  if (length != 0) {
    if (kStartBytes + length < gathered_) return std::nullopt;
    header.payload_size = kStartBytes + length - gathered_;
  }
  if (has_plain_header(header.stream_id)) return header;
  const auto marker = std::to_integer<unsigned>(bytes_[6]) >> 6;
  if (marker != 2) return std::nullopt;
  const unsigned times = std::to_integer<unsigned>(bytes_[7]) >> 6;  // PTS_DTS_flags
  const std::size_t optional_bytes = gathered_ - kFixedBytes;
  // Marker bits inside the times are not checked: some encoders leave them 0.
  if (times >= 2 && optional_bytes >= kTimeBytes) header.pts = read_time(bytes_ + kFixedBytes);
  if (times == 3 && optional_bytes >= 2 * kTimeBytes)
    header.dts = read_time(bytes_ + kFixedBytes + kTimeBytes);
  return header;
}

ByteSpan PesReader::payload(ByteSpan bytes) {
  if (state_ != State::payload) return {};
  if (!left_) return bytes;
  const ByteSpan taken = bytes.first(std::min(*left_, bytes.size()));
  *left_ -= taken.size();
  return taken;
}

void write_pes_header(ByteWriter& out, std::uint8_t stream_id, std::optional<PesTimes> times,
                      std::size_t payload_size) {
  const bool plain = has_plain_header(stream_id);
  const bool both = times && times->pts != times->dts;
  const std::size_t time_bytes = !times ? 0 : both ? 2 * kTimeBytes : kTimeBytes;
  const std::size_t length = payload_size + (plain ? 0 : 3 + time_bytes);
  out.u24(1);
  out.u8(stream_id);
  out.u16(length <= 65535 ? static_cast<std::uint16_t>(length) : std::uint16_t{0});
  if (plain) return;
  out.u8(0x84);  // marker, data_alignment_indicator
  out.u8(!times ? 0x00 : both ? 0xc0 : 0x80);
  out.u8(static_cast<std::uint8_t>(time_bytes));
  if (!times) return;
  write_time(out, both ? 3 : 2, times->pts);
  if (both) write_time(out, 1, times->dts);
}

}  // namespace kapok::mpegts
