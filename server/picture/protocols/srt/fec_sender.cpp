#include <algorithm>

#include "server/picture/protocols/srt/fec.hpp"

namespace kapok::srt {

namespace {

constexpr std::int8_t kRowIndex = -1;

}  // namespace

void FecClip::add(const FecPacket& packet) {
  length ^= static_cast<std::uint16_t>(packet.payload.size());
  key_flags ^= packet.key_flags;
  timestamp ^= packet.timestamp;
  add_payload(packet.payload);
}

void FecClip::add_payload(ByteSpan bytes) {
  if (payload.size() < bytes.size()) payload.resize(bytes.size());
  // By a pointer of its own: a byte written may be any object's, and through the vector the
  // compiler would look for its memory again after each (1.2 µs a packet against 0.09).
  std::byte* to = payload.data();
  for (const std::byte each : bytes) *to++ ^= each;
}

void FecClip::clear() {
  length = 0;
  key_flags = 0;
  timestamp = 0;
  payload.clear();
}

std::uint32_t FecConfig::first_row(std::uint32_t column) const {
  return layout == FecLayout::staircase ? column % rows : 0;
}

FecSender::FecSender(const FecConfig& config, Sequence first)
    : config_(config), row_base_(first), last_(first) {
  if (config_.rows == 1) return;
  columns_.resize(config_.columns);
  for (std::uint32_t c = 0; c < config_.columns; ++c)
    columns_[c].base = first + (config_.first_row(c) * config_.columns + c);
}

void FecSender::feed(const FecPacket& packet) {
  while (take_parity()) {
  }
  last_ = packet.sequence;
  row_.add(packet);
  ++row_collected_;
  if (columns_.empty()) return;
  const auto index =
      static_cast<std::uint32_t>(packet.sequence.ahead_of(row_base_)) % config_.columns;
  Column& column = columns_[index];
  // A column that begins on a later stair has no place yet for the very first packets.
  if (packet.sequence.before(column.base)) return;
  column.clip.add(packet);
  if (++column.collected == config_.rows) full_column_ = index;
}

// [libsrt srtcore/fec.cpp, packControlPacket] The column first, for taking the row moves its base.
std::optional<FecSender::Parity> FecSender::take_parity() {
  if (full_column_) {
    Column& column = columns_[*full_column_];
    auto parity = pack(static_cast<std::int8_t>(*full_column_), column.clip);
    full_column_.reset();
    column.base = column.base + config_.columns * config_.rows;
    column.collected = 0;
    return parity;
  }
  if (row_collected_ < config_.columns) return std::nullopt;
  auto parity = pack(kRowIndex, row_);
  row_base_ = row_base_ + config_.columns;
  row_collected_ = 0;
  if (!config_.row_parity) return std::nullopt;
  return parity;
}

FecSender::Parity FecSender::pack(std::int8_t index, FecClip& clip) const {
  Parity parity{.sequence = last_, .timestamp = clip.timestamp, .payload = {}};
  parity.payload.reserve(kFecOverhead + clip.payload.size());
  ByteWriter out(parity.payload);
  out.u8(static_cast<std::uint8_t>(index));
  out.u8(clip.key_flags);
  out.u16(clip.length);
  out.bytes(clip.payload);
  clip.clear();
  return parity;
}

}  // namespace kapok::srt
