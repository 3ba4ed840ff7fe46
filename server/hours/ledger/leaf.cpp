#include "server/hours/ledger/leaf.hpp"

#include <cassert>
#include <cstring>

namespace kapok::ledger {

namespace {

constexpr std::size_t kCheckAt = 164;

// tables[k][b]: what byte b does to the check when k more bytes follow it. Eight bytes a step: a
// report checks ten million leaves, and this is most of what it does.
constexpr std::size_t kSlices = 8;
using CrcTables = std::array<std::array<std::uint32_t, 256>, kSlices>;

consteval CrcTables crc32c_tables() {
  CrcTables tables{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82F63B78U : 0U);
    tables[0][i] = crc;
  }
  for (std::size_t k = 1; k < kSlices; ++k)
    for (std::size_t i = 0; i < 256; ++i) {
      const std::uint32_t before = tables[k - 1][i];
      tables[k][i] = (before >> 8) ^ tables[0][before & 0xFF];
    }
  return tables;
}
constexpr CrcTables kCrc32c = crc32c_tables();

std::uint32_t crc32c(std::uint32_t crc, ByteSpan bytes) {
  const auto byte_at = [&](std::size_t i) { return std::to_integer<std::uint32_t>(bytes[i]); };
  for (; bytes.size() >= kSlices; bytes = bytes.subspan(kSlices)) {
    const std::uint32_t low =
        crc ^ (byte_at(0) | byte_at(1) << 8 | byte_at(2) << 16 | byte_at(3) << 24);
    crc = kCrc32c[7][low & 0xFF] ^ kCrc32c[6][(low >> 8) & 0xFF] ^ kCrc32c[5][(low >> 16) & 0xFF] ^
          kCrc32c[4][low >> 24] ^ kCrc32c[3][byte_at(4)] ^ kCrc32c[2][byte_at(5)] ^
          kCrc32c[1][byte_at(6)] ^ kCrc32c[0][byte_at(7)];
  }
  for (std::size_t i = 0; i < bytes.size(); ++i)
    crc = (crc >> 8) ^ kCrc32c[0][(crc ^ byte_at(i)) & 0xFF];
  return crc;
}

std::uint32_t check_of(ByteSpan leaf) {
  const std::uint32_t before = crc32c(0xFFFFFFFFU, leaf.first(kCheckAt));
  return ~crc32c(before, leaf.subspan(kCheckAt + 4));
}

// Fixed-size output without a growing vector: this runs for every leaf.
class LeafWriter {
 public:
  explicit LeafWriter(LeafBytes& out) : out_(out) {}
  template <class T>
  void number(T value) {
    for (std::size_t i = sizeof(T); i-- > 0;)
      out_[at_++] = static_cast<std::byte>(static_cast<std::uint64_t>(value) >> (8 * i));
  }
  void bytes(ByteSpan from) {
    std::memcpy(out_.data() + at_, from.data(), from.size());
    at_ += from.size();
  }
  std::size_t at() const { return at_; }

 private:
  LeafBytes& out_;
  std::size_t at_ = 0;
};

// The size is checked once; then every field is there.
class LeafReader {
 public:
  explicit LeafReader(ByteSpan leaf) : leaf_(leaf) {}
  template <class T>
  void number(T& out) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i)
      value = (value << 8) | std::to_integer<std::uint64_t>(leaf_[at_++]);
    out = static_cast<T>(value);
  }
  template <class Array>
  void bytes(Array& out) {
    std::memcpy(out.data(), leaf_.data() + at_, out.size());
    at_ += out.size();
  }
  void skip(std::size_t size) { at_ += size; }

 private:
  ByteSpan leaf_;
  std::size_t at_ = 0;
};

Digest256 digest_of(std::string_view id) {
  return sha256(as_bytes(id));
}

}  // namespace

LeafBytes encode(const Leaf& leaf) {
  LeafBytes bytes{};
  LeafWriter out(bytes);
  out.number(static_cast<std::uint8_t>(leaf.kind));
  out.number(kLeafVersion);
  out.number(static_cast<std::uint8_t>(leaf.reason));
  out.number(leaf.grade);
  out.number(leaf.flags);
  out.number(static_cast<std::uint8_t>(leaf.uhd));
  out.number(leaf.codec);
  out.number(leaf.opened_ms);
  out.number(leaf.closed_ms);
  out.number(leaf.media_from_ms);
  out.number(leaf.media_to_ms);
  out.number(leaf.content_from_ms);
  out.bytes(leaf.session);
  out.bytes(leaf.household);
  out.bytes(leaf.salt);
  out.number(leaf.programme);
  out.number(leaf.work);
  out.number(leaf.channel);
  out.number(leaf.enterprise);
  out.number(leaf.region);
  out.number(leaf.credit_ms);
  out.number(leaf.claimed_ms);
  out.number(leaf.delivered_ms);
  out.number(leaf.wall_ms);
  out.number(leaf.bytes);
  out.number(leaf.width);
  out.number(leaf.height);
  out.number(leaf.frame_rate_milli);
  out.number(leaf.bit_depth);
  out.number(leaf.primaries);
  out.number(leaf.transfer);
  out.number(std::uint8_t{0});
  out.number(leaf.rate_milli);
  out.number(leaf.rule_set);
  assert(out.at() == kCheckAt);
  out.number(std::uint32_t{0});
  out.bytes(leaf.sha256);
  assert(out.at() == kLeafBytes);
  const std::uint32_t check = check_of(bytes);
  for (std::size_t i = 0; i < 4; ++i)
    bytes[kCheckAt + i] = static_cast<std::byte>(check >> (24 - 8 * i));
  return bytes;
}

bool is_whole(ByteSpan bytes) {
  if (bytes.size() != kLeafBytes) return false;
  ByteReader in(bytes.subspan(kCheckAt));
  return in.u32().value() == check_of(bytes);
}

Result<Leaf> decode_leaf(ByteSpan bytes) {
  if (bytes.size() != kLeafBytes)
    return fail(Errc::malformed, "leaf has {} bytes instead of {}", bytes.size(), kLeafBytes);
  if (!is_whole(bytes)) return fail(Errc::malformed, "leaf check does not match its bytes");
  LeafReader in(bytes);
  Leaf leaf;
  std::uint8_t kind = 0;
  std::uint8_t version = 0;
  std::uint8_t reason = 0;
  std::uint8_t uhd = 0;
  std::uint8_t padding = 0;
  in.number(kind);
  in.number(version);
  in.number(reason);
  in.number(leaf.grade);
  in.number(leaf.flags);
  in.number(uhd);
  in.number(leaf.codec);
  in.number(leaf.opened_ms);
  in.number(leaf.closed_ms);
  in.number(leaf.media_from_ms);
  in.number(leaf.media_to_ms);
  in.number(leaf.content_from_ms);
  in.bytes(leaf.session);
  in.bytes(leaf.household);
  in.bytes(leaf.salt);
  in.number(leaf.programme);
  in.number(leaf.work);
  in.number(leaf.channel);
  in.number(leaf.enterprise);
  in.number(leaf.region);
  in.number(leaf.credit_ms);
  in.number(leaf.claimed_ms);
  in.number(leaf.delivered_ms);
  in.number(leaf.wall_ms);
  in.number(leaf.bytes);
  in.number(leaf.width);
  in.number(leaf.height);
  in.number(leaf.frame_rate_milli);
  in.number(leaf.bit_depth);
  in.number(leaf.primaries);
  in.number(leaf.transfer);
  in.number(padding);
  in.number(leaf.rate_milli);
  in.number(leaf.rule_set);
  in.skip(4);
  in.bytes(leaf.sha256);

  if (version != kLeafVersion)
    return fail(Errc::unsupported, "leaf version {} is not known here", version);
  if (kind < static_cast<std::uint8_t>(LeafKind::rule_set) ||
      kind > static_cast<std::uint8_t>(LeafKind::key))
    return fail(Errc::malformed, "leaf kind {} is not known", kind);
  leaf.kind = static_cast<LeafKind>(kind);
  if (reason > kLastReason) return fail(Errc::malformed, "leaf reason {} is not known", reason);
  leaf.reason = static_cast<Reason>(reason);
  if ((leaf.flags & ~kLeafFlags) != 0) return fail(Errc::malformed, "leaf flags are not known");
  if (uhd > static_cast<std::uint8_t>(UhdClass::strict))
    return fail(Errc::malformed, "leaf picture class {} is not known", uhd);
  leaf.uhd = static_cast<UhdClass>(uhd);
  if (padding != 0) return fail(Errc::malformed, "leaf padding is not zero");
  if (leaf.media_to_ms < leaf.media_from_ms || leaf.closed_ms < leaf.opened_ms)
    return fail(Errc::malformed, "leaf interval runs backwards");
  return leaf;
}

std::uint64_t number64_of(std::string_view id) {
  if (id.empty()) return 0;
  const Digest256 digest = digest_of(id);
  ByteReader in(digest);
  return in.u64().value();
}
std::uint32_t number32_of(std::string_view id) {
  if (id.empty()) return 0;
  const Digest256 digest = digest_of(id);
  ByteReader in(digest);
  return in.u32().value();
}

std::string_view name_of(Reason reason) {
  switch (reason) {
    case Reason::none:
      return "none";
    case Reason::not_delivered:
      return "not_delivered";
    case Reason::short_play:
      return "short_play";
    case Reason::too_fast:
      return "too_fast";
    case Reason::background:
      return "background";
    case Reason::faster_than_clock:
      return "faster_than_clock";
    case Reason::no_programme:
      return "no_programme";
    case Reason::not_reported:
      return "not_reported";
    case Reason::slate:
      return "slate";
    case Reason::black:
      return "black";
    case Reason::frozen:
      return "frozen";
    case Reason::bars:
      return "bars";
    case Reason::silence:
      return "silence";
  }
  return "unknown";
}

std::string_view name_of(LeafKind kind) {
  switch (kind) {
    case LeafKind::rule_set:
      return "RULESET";
    case LeafKind::catalogue:
      return "CATALOGUE";
    case LeafKind::hour:
      return "HOUR";
    case LeafKind::view:
      return "VIEW";
    case LeafKind::correction:
      return "CORRECTION";
    case LeafKind::picture_event:
      return "PICTURE_EVENT";
    case LeafKind::report:
      return "REPORT";
    case LeafKind::key:
      return "KEY";
  }
  return "UNKNOWN";
}

std::string_view name_of(UhdClass uhd) {
  switch (uhd) {
    case UhdClass::none:
      return "none";
    case UhdClass::loose:
      return "loose";
    case UhdClass::strict:
      return "strict";
  }
  return "unknown";
}

}  // namespace kapok::ledger
