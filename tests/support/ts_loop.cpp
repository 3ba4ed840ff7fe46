#include "tests/support/ts_loop.hpp"

#include <fstream>
#include <optional>

namespace kapok::support {
namespace {

constexpr std::int64_t kStampMask = (std::int64_t{1} << 33) - 1;
constexpr std::int64_t kStampHz = 90'000;

std::uint8_t at(std::span<const std::byte> bytes, std::size_t offset) {
  return std::to_integer<std::uint8_t>(bytes[offset]);
}

std::size_t pid_of(std::span<const std::byte> packet) {
  return static_cast<std::size_t>((at(packet, 1) & 0x1F) << 8 | at(packet, 2));
}
bool has_payload(std::span<const std::byte> packet) {
  return (at(packet, 3) & 0x10) != 0;
}
// Where the payload begins; past the end when there is none.
std::size_t payload_of(std::span<const std::byte> packet) {
  return (at(packet, 3) & 0x20) != 0 ? std::size_t{5} + at(packet, 4) : 4;
}
bool has_pcr(std::span<const std::byte> packet) {
  return (at(packet, 3) & 0x20) != 0 && at(packet, 4) >= 7 && (at(packet, 5) & 0x10) != 0;
}

std::int64_t pcr_base(std::span<const std::byte> packet) {
  std::int64_t base = 0;
  for (std::size_t i = 6; i < 10; ++i) base = base << 8 | at(packet, i);
  return base << 1 | at(packet, 10) >> 7;
}
void set_pcr_base(std::span<std::byte> packet, std::int64_t base) {
  for (std::size_t i = 0; i < 4; ++i) packet[6 + i] = static_cast<std::byte>(base >> (25 - 8 * i));
  packet[10] = static_cast<std::byte>((at(packet, 10) & 0x7F) | (base & 1) << 7);
}

std::int64_t stamp(std::span<const std::byte> field) {
  return std::int64_t{at(field, 0) & 0x0E} << 29 | std::int64_t{at(field, 1)} << 22 |
         std::int64_t{at(field, 2) & 0xFE} << 14 | std::int64_t{at(field, 3)} << 7 |
         at(field, 4) >> 1;
}
void set_stamp(std::span<std::byte> field, std::int64_t value) {
  field[0] = static_cast<std::byte>((at(field, 0) & 0xF1) | (value >> 29 & 0x0E));
  field[1] = static_cast<std::byte>(value >> 22);
  field[2] = static_cast<std::byte>((value >> 14 & 0xFE) | 1);
  field[3] = static_cast<std::byte>(value >> 7);
  field[4] = static_cast<std::byte>((value << 1 & 0xFE) | 1);
}

// The offsets of PTS and, where there is one, DTS in a packet that begins a PES packet with them.
struct Stamps {
  std::size_t pts = 0;
  std::size_t dts = 0;  // 0: none
  bool video = false;
};
std::optional<Stamps> stamps_of(std::span<const std::byte> packet) {
  if ((at(packet, 1) & 0x40) == 0 || !has_payload(packet)) return std::nullopt;
  const std::size_t start = payload_of(packet);
  if (start + 19 > packet.size() || at(packet, start) != 0 || at(packet, start + 1) != 0 ||
      at(packet, start + 2) != 1)
    return std::nullopt;
  const unsigned flags = at(packet, start + 7) >> 6;
  if (flags < 2) return std::nullopt;
  return Stamps{.pts = start + 9,
                .dts = flags == 3 ? start + 14 : 0,
                .video = (at(packet, start + 3) & 0xF0) == 0xE0};
}

}  // namespace

Result<std::shared_ptr<const TsFile>> TsFile::load(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return fail(Errc::io, "{} cannot be read", path.string());
  const std::string text((std::istreambuf_iterator<char>(in)), {});
  auto file = std::make_shared<TsFile>();
  const ByteSpan all = as_bytes(text);
  std::optional<std::int64_t> first_pcr;
  std::vector<std::pair<std::size_t, nanoseconds>> clock;  // (offset, since the first PCR)
  std::vector<std::int64_t> video;                         // decoding times
  std::size_t pcr_pid = 0;
  for (std::size_t offset = 0; offset + kPacketBytes <= all.size(); offset += kPacketBytes) {
    const ByteSpan packet = all.subspan(offset, kPacketBytes);
    if (at(packet, 0) != 0x47)
      return fail(Errc::malformed, "{}: no sync byte at {}", path.string(), offset);
    if (has_payload(packet)) {
      auto& count = file->packets_mod_16[pid_of(packet)];
      count = static_cast<std::uint8_t>((count + 1) & 0x0F);
    }
    if (has_pcr(packet) && (!first_pcr || pid_of(packet) == pcr_pid)) {
      if (!first_pcr) {
        first_pcr = pcr_base(packet);
        pcr_pid = pid_of(packet);
      }
      const std::int64_t since = (pcr_base(packet) - *first_pcr) & kStampMask;
      clock.emplace_back(offset, nanoseconds(since * 1'000'000'000 / kStampHz));
    }
    if (const auto stamps = stamps_of(packet); stamps && stamps->video)
      video.push_back(stamp(packet.subspan(stamps->dts != 0 ? stamps->dts : stamps->pts, 5)));
  }
  if (clock.size() < 2 || video.size() < 3)
    return fail(Errc::malformed, "{} has no clock or no video", path.string());
  file->bytes.assign(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(
                                                    all.size() / kPacketBytes * kPacketBytes));
  file->pass_ticks = (video.back() - video.front() + video[1] - video[0]) & kStampMask;
  std::size_t next = 1;
  for (std::size_t offset = 0; offset < file->bytes.size(); offset += kMessageBytes) {
    while (next + 1 < clock.size() && clock[next].first <= offset) ++next;
    const auto [from, begins] = clock[next - 1];
    const auto [to, ends] = clock[next];
    const double share =
        (static_cast<double>(offset) - static_cast<double>(from)) / static_cast<double>(to - from);
    file->due.push_back(std::max(
        nanoseconds(0), begins + nanoseconds(static_cast<std::int64_t>(
                                     share * static_cast<double>((ends - begins).count())))));
  }
  return file;
}

nanoseconds TsLoop::due() const {
  return file_->due[message_] + nanoseconds(pass_ * file_->pass_ticks * 1'000'000'000 / kStampHz);
}

void TsLoop::restamp(std::span<std::byte> packet) const {
  const std::int64_t later = pass_ * file_->pass_ticks;
  if (has_payload(packet)) {
    const auto counted =
        static_cast<unsigned>(pass_ & 0x0F) * file_->packets_mod_16[pid_of(packet)];
    const unsigned counter = (at(packet, 3) + counted) & 0x0F;
    packet[3] = static_cast<std::byte>((at(packet, 3) & 0xF0) | counter);
  }
  if (has_pcr(packet)) set_pcr_base(packet, (pcr_base(packet) + later) & kStampMask);
  if (const auto stamps = stamps_of(packet)) {
    for (const std::size_t field : {stamps->pts, stamps->dts}) {
      if (field == 0) continue;
      const auto bytes = packet.subspan(field, 5);
      set_stamp(bytes, (stamp(bytes) + later) & kStampMask);
    }
  }
}

Buffer TsLoop::next() {
  const std::size_t from = message_ * TsFile::kMessageBytes;
  const std::size_t size = std::min(TsFile::kMessageBytes, file_->bytes.size() - from);
  const auto begin = file_->bytes.begin() + static_cast<std::ptrdiff_t>(from);
  Bytes message(begin, begin + static_cast<std::ptrdiff_t>(size));
  if (pass_ != 0) {
    for (std::size_t offset = 0; offset < size; offset += TsFile::kPacketBytes)
      restamp(std::span(message).subspan(offset, TsFile::kPacketBytes));
  }
  if (++message_ == file_->due.size()) {
    message_ = 0;
    ++pass_;
  }
  return Buffer(std::move(message));
}

}  // namespace kapok::support
