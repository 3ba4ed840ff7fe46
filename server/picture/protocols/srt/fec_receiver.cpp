#include <algorithm>

#include "server/picture/protocols/srt/fec.hpp"

namespace kapok::srt {

namespace {

// How many matrices (rows alone: rows) back a packet may still help. The stairs of a column reach
// over two.
constexpr std::int64_t kMatricesKept = 3;
constexpr std::int64_t kRowsKept = 8;

enum class Kind : std::uint8_t { row, column };

struct Group {
  std::int64_t number = -1;  // which group lies in this place; -1: none yet
  bool parity = false;
  std::uint32_t collected = 0;
  FecClip clip;
};

// The packets of a group: base, base + step, ... `count` of them.
struct Cells {
  std::int64_t base;
  std::int64_t step;
  std::uint32_t count;
};

}  // namespace

// Packets are numbered from the first, in 64 bits. Groups and marks lie in rings, and a place is
// wiped when a newer group or packet takes it, so a jump of any size costs at most one turn.
struct FecReceiver::State {
  State(const FecConfig& of, Sequence first, std::size_t max_payload)
      : config(of),
        columns(of.columns),
        matrix(std::int64_t{of.columns} * of.rows),
        max_payload_bytes(max_payload),
        newest_sequence(first - 1) {
    const std::int64_t kept = config.rows == 1 ? kRowsKept : kMatricesKept;
    marks.resize(static_cast<std::size_t>(kept * matrix));
    rows.resize(static_cast<std::size_t>(kept * config.rows));
    if (config.rows > 1) column_groups.resize(static_cast<std::size_t>(kept * columns));
  }

  std::int64_t oldest() const {
    return std::max<std::int64_t>(0, newest - std::int64_t(marks.size()) + 1);
  }
  std::vector<bool>::reference mark(std::int64_t at) {
    return marks[static_cast<std::size_t>(at) % marks.size()];
  }
  Sequence sequence_of(std::int64_t at) const {
    return newest_sequence - static_cast<std::uint32_t>(newest - at);
  }

  // The packet's number; nothing when it is too old to matter. Moves on when it is new.
  std::optional<std::int64_t> place(Sequence sequence) {
    const std::int64_t at = newest + sequence.ahead_of(newest_sequence);
    if (at < oldest()) return std::nullopt;
    if (at > newest) {
      const auto fresh = std::min(at - newest, std::int64_t(marks.size()));
      for (std::int64_t i = at - fresh + 1; i <= at; ++i) mark(i) = false;
      newest = at;
      newest_sequence = sequence;
    }
    return at;
  }

  std::optional<std::int64_t> column_number(std::int64_t at) const {
    const std::int64_t column = at % columns;
    const std::int64_t base =
        config.first_row(static_cast<std::uint32_t>(column)) * columns + column;
    if (config.rows == 1 || at < base) return std::nullopt;
    return (at - base) / matrix * columns + column;
  }

  Cells cells_of(Kind kind, std::int64_t number) const {
    if (kind == Kind::row) return {number * columns, 1, config.columns};
    const std::int64_t column = number % columns;
    const std::int64_t stair = config.first_row(static_cast<std::uint32_t>(column));
    return {number / columns * matrix + stair * columns + column, columns, config.rows};
  }

  // The group, in its place; null when a newer one has taken it.
  Group* group(Kind kind, std::int64_t number) {
    auto& ring = kind == Kind::row ? rows : column_groups;
    Group& found = ring[static_cast<std::size_t>(number) % ring.size()];
    if (found.number > number) return nullptr;
    if (found.number < number) {
      found.number = number;
      found.parity = false;
      found.collected = 0;
      found.clip.clear();
    }
    return &found;
  }

  void collect(std::int64_t at, const FecPacket& packet) {
    mark(at) = true;
    const auto into = [&](Kind kind, std::int64_t number) {
      Group* const found = group(kind, number);
      if (found == nullptr) return;
      found->clip.add(packet);
      ++found->collected;
      touched.emplace_back(kind, number);
    };
    if (config.row_parity) into(Kind::row, at / columns);
    if (const auto number = column_number(at)) into(Kind::column, *number);
  }

  // Every packet rebuilt may complete the group that crosses it, until nothing more moves.
  void rebuild(std::vector<RebuiltPacket>& rebuilt) {
    while (!touched.empty()) {
      const auto [kind, number] = touched.back();
      touched.pop_back();
      Group* const found = group(kind, number);
      const Cells cells = cells_of(kind, number);
      if (found == nullptr || !found->parity || found->collected + 1 != cells.count ||
          cells.base < oldest())
        continue;
      std::int64_t at = cells.base;
      for (std::uint32_t i = 1; i < cells.count && mark(at); ++i) at += cells.step;
      // A parity packet that does not belong to these packets gives any length.
      if (found->clip.length == 0 || found->clip.length > max_payload_bytes) continue;
      RebuiltPacket packet{.sequence = sequence_of(at),
                           .timestamp = found->clip.timestamp,
                           .key_flags = static_cast<std::uint8_t>(found->clip.key_flags & 3),
                           .payload = found->clip.payload};
      packet.payload.resize(found->clip.length);
      collect(at, {.sequence = packet.sequence,
                   .timestamp = packet.timestamp,
                   .key_flags = packet.key_flags,
                   .payload = packet.payload});
      rebuilt.push_back(std::move(packet));
    }
  }

  // A row is closed when a third of the next one has come [libsrt srtcore/fec.cpp, HangHorizontal]:
  // its parity, or that of the columns ending in it, has then had time to overtake.
  void close_rows() {
    if (config.arq != FecArq::onreq) return;
    next_row = std::max(next_row, (oldest() + columns - 1) / columns);
    while ((next_row + 1) * columns - 1 + std::max<std::int64_t>(1, columns / 3) <= newest)
      close_row(next_row++);
  }

  void close_row(std::int64_t row) {
    for (std::int64_t column = 0; column < columns; ++column) {
      const std::int64_t at = row * columns + column;
      const auto number = column_number(at);
      // Without a column of its own, as on the first stairs, only the row can mend a packet.
      if (!number) {
        lost_if_missing(at);
        continue;
      }
      const Cells cells = cells_of(Kind::column, *number);
      if (at != cells.base + cells.step * (cells.count - 1)) continue;
      for (std::uint32_t i = 0; i < cells.count; ++i) lost_if_missing(cells.base + cells.step * i);
    }
  }

  void lost_if_missing(std::int64_t at) {
    if (at >= oldest() && !mark(at) && irrecoverable.size() < marks.size())
      irrecoverable.push_back(at);
  }

  FecConfig config;
  std::int64_t columns;
  std::int64_t matrix;
  std::size_t max_payload_bytes;

  std::int64_t newest = -1;
  Sequence newest_sequence;
  std::vector<bool> marks;
  std::vector<Group> rows;
  std::vector<Group> column_groups;
  std::vector<std::pair<Kind, std::int64_t>> touched;

  std::int64_t next_row = 0;
  std::vector<std::int64_t> irrecoverable;
};

FecReceiver::FecReceiver(const FecConfig& config, Sequence first, std::size_t max_payload_bytes)
    : state_(std::make_unique<State>(config, first, max_payload_bytes)) {}
FecReceiver::~FecReceiver() = default;
FecReceiver::FecReceiver(FecReceiver&&) noexcept = default;
FecReceiver& FecReceiver::operator=(FecReceiver&&) noexcept = default;

void FecReceiver::receive(const FecPacket& packet, std::vector<RebuiltPacket>& rebuilt) {
  if (packet.payload.empty() || packet.payload.size() > state_->max_payload_bytes) return;
  const auto at = state_->place(packet.sequence);
  if (!at || state_->mark(*at)) return;
  state_->collect(*at, packet);
  state_->rebuild(rebuilt);
  state_->close_rows();
}

void FecReceiver::receive_parity(const FecPacket& packet, std::vector<RebuiltPacket>& rebuilt) {
  ByteReader in(packet.payload);
  const auto index = in.u8();
  const auto key_flags = in.u8();
  const auto length = in.u16();
  if (!index || !key_flags || !length || in.left() > state_->max_payload_bytes) return;
  const auto at = state_->place(packet.sequence);
  if (!at) return;
  const bool is_row = static_cast<std::int8_t>(*index) == -1;
  if (is_row ? !state_->config.row_parity : *index != *at % state_->columns) return;
  const auto number = is_row ? std::optional(*at / state_->columns) : state_->column_number(*at);
  if (!number) return;
  const Kind kind = is_row ? Kind::row : Kind::column;
  Group* const group = state_->group(kind, *number);
  if (group == nullptr || group->parity) return;
  group->parity = true;
  group->clip.length ^= *length;
  group->clip.key_flags ^= *key_flags;
  group->clip.timestamp ^= packet.timestamp;
  group->clip.add_payload(in.rest());
  state_->touched.emplace_back(kind, *number);
  state_->rebuild(rebuilt);
  state_->close_rows();
}

std::vector<SequenceRange> FecReceiver::take_irrecoverable() {
  auto& lost = state_->irrecoverable;
  std::ranges::sort(lost);
  std::vector<SequenceRange> ranges;
  for (std::size_t i = 0; i < lost.size();) {
    std::size_t end = i + 1;
    while (end < lost.size() && lost[end] == lost[end - 1] + 1) ++end;
    ranges.push_back({state_->sequence_of(lost[i]), state_->sequence_of(lost[end - 1])});
    i = end;
  }
  lost.clear();
  return ranges;
}

std::size_t FecReceiver::memory_bytes() const {
  std::size_t sum = state_->marks.size() / 8;
  for (const auto* ring : {&state_->rows, &state_->column_groups})
    for (const Group& group : *ring) sum += sizeof(Group) + group.clip.payload.capacity();
  return sum;
}

}  // namespace kapok::srt
