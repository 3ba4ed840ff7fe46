#include "server/media/jpeg_sheet.hpp"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "server/media/image.hpp"

namespace kapok::media {

namespace {

// [ITU-T T.81 table B.1]
enum Marker : std::uint8_t {
  kSof0 = 0xc0,
  kDht = 0xc4,
  kRst0 = 0xd0,
  kSoi = 0xd8,
  kEoi = 0xd9,
  kSos = 0xda,
  kDqt = 0xdb,
  kApp0 = 0xe0,
  kApp15 = 0xef,
  kCom = 0xfe,
};
constexpr std::uint8_t kEscape = 0xff;
constexpr std::size_t kComponents = 3;
constexpr std::uint32_t kMaxSide = 65'535;
// Four of each kind, twice, is what a decoder has room for; ours have two segments.
constexpr std::size_t kMaxTables = 16;

struct Segment {
  std::uint8_t marker = 0;
  ByteSpan payload;
  bool operator==(const Segment& other) const {
    return marker == other.marker && std::ranges::equal(payload, other.payload);
  }
};

// Views of the bytes that were parsed.
struct Picture {
  ByteSpan head;  // all before SOS
  std::size_t height_at = 0;
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  std::uint32_t mcu_width = 0;
  std::uint32_t mcu_height = 0;
  ByteSpan frame;
  std::vector<Segment> tables;  // DQT and DHT, as they come
  ByteSpan scan_header;
  ByteSpan coded;  // up to EOI
};

// [B.2.1] fill bytes may stand before a marker; nobody of ours writes them.
Result<std::uint8_t> read_marker(ByteReader& in) {
  const unsigned escape = KAPOK_TRY(in.u8());
  const std::uint8_t marker = KAPOK_TRY(in.u8());
  if (escape != kEscape || marker == 0 || marker == kEscape)
    return fail(Errc::malformed, "JPEG: no marker at {}", in.offset() - 2);
  return marker;
}

Result<ByteSpan> read_payload(ByteReader& in) {
  constexpr std::size_t kLengthBytes = 2;
  const std::size_t length = KAPOK_TRY(in.u16());
  if (length < kLengthBytes) return fail(Errc::malformed, "JPEG: a segment of {} bytes", length);
  return in.take(length - kLengthBytes);
}

// [B.2.2] The identifiers of the components, for the scan to have the same.
Result<std::array<std::uint8_t, kComponents>> read_frame(ByteSpan payload, Picture& picture) {
  ByteReader in(payload);
  const unsigned precision = KAPOK_TRY(in.u8());
  picture.height = KAPOK_TRY(in.u16());
  picture.width = KAPOK_TRY(in.u16());
  const unsigned components = KAPOK_TRY(in.u8());
  if (precision != 8 || components != kComponents)
    return fail(Errc::unsupported, "JPEG: {} components of {} bits", components, precision);
  if (picture.width == 0 || picture.height == 0)
    return fail(Errc::unsupported, "JPEG: {}x{}", picture.width, picture.height);
  constexpr std::uint32_t kBlock = 8;
  std::array<std::uint8_t, kComponents> ids{};
  for (std::uint8_t& id : ids) {
    id = KAPOK_TRY(in.u8());
    const unsigned sampling = KAPOK_TRY(in.u8());
    const unsigned across = sampling >> 4;
    const unsigned down = sampling & 15;
    constexpr unsigned kMaxSampling = 4;
    if (across == 0 || across > kMaxSampling || down == 0 || down > kMaxSampling)
      return fail(Errc::malformed, "JPEG: sampling {}x{}", across, down);
    picture.mcu_width = std::max(picture.mcu_width, kBlock * across);
    picture.mcu_height = std::max(picture.mcu_height, kBlock * down);
    KAPOK_TRY(in.skip(1));  // which table: one that is not there is a decoder's error
  }
  if (!in.empty()) return fail(Errc::malformed, "JPEG: a frame header that is too long");
  if (picture.height % picture.mcu_height != 0)
    return fail(Errc::unsupported, "JPEG: {} lines are no whole rows of {}", picture.height,
                picture.mcu_height);
  return ids;
}

// [B.2.3] of all components at once, as a baseline scan of the whole picture is.
Result<void> check_scan(ByteSpan header, std::span<const std::uint8_t> ids) {
  ByteReader in(header);
  const unsigned components = KAPOK_TRY(in.u8());
  if (components != kComponents) return fail(Errc::unsupported, "JPEG: several scans");
  for (const std::uint8_t id : ids) {
    const unsigned told = KAPOK_TRY(in.u8());
    if (told != id) return fail(Errc::malformed, "JPEG: a scan of other components");
    KAPOK_TRY(in.skip(1));
  }
  const std::uint32_t selection = KAPOK_TRY(in.u24());
  constexpr std::uint32_t kBaseline = 0x003f00;
  if (selection != kBaseline || !in.empty())
    return fail(Errc::unsupported, "JPEG: a scan that is not baseline");
  return {};
}

// [B.1.1.5] up to the first marker, which must be the picture's end.
Result<ByteSpan> read_coded(ByteReader& in) {
  const ByteSpan rest = in.rest();
  std::size_t at = 0;
  while (true) {
    const auto found =
        std::find(rest.begin() + static_cast<std::ptrdiff_t>(at), rest.end(), std::byte{kEscape});
    at = static_cast<std::size_t>(found - rest.begin());
    if (rest.size() - at < 2) return fail(Errc::malformed, "JPEG: its scan does not end");
    const auto next = std::to_integer<std::uint8_t>(rest[at + 1]);
    if (next == kEoi) break;
    if (next != 0) return fail(Errc::unsupported, "JPEG: marker {:02x} in its scan", next);
    at += 2;
  }
  if (at == 0) return fail(Errc::malformed, "JPEG: an empty scan");
  if (at + 2 != rest.size()) return fail(Errc::malformed, "JPEG: bytes behind its end");
  return rest.first(at);
}

Result<Picture> parse(ByteSpan bytes) {
  if (bytes.size() > kMaxImageBytes) return fail(Errc::limit, "JPEG: {} bytes", bytes.size());
  ByteReader in(bytes);
  if (const unsigned first = KAPOK_TRY(read_marker(in)); first != kSoi)
    return fail(Errc::malformed, "JPEG: it begins with marker {:02x}", first);
  Picture picture;
  std::array<std::uint8_t, kComponents> ids{};
  while (true) {
    const std::size_t at = in.offset();
    const std::uint8_t marker = KAPOK_TRY(read_marker(in));
    constexpr std::size_t kHeightInFrame = 5;  // behind marker, length and precision
    switch (marker) {
      case kSof0:
        if (!picture.frame.empty()) return fail(Errc::malformed, "JPEG: two frame headers");
        picture.frame = KAPOK_TRY(read_payload(in));
        picture.height_at = at + kHeightInFrame;
        ids = KAPOK_TRY(read_frame(picture.frame, picture));
        continue;
      case kDqt:
      case kDht:
        if (picture.tables.size() >= kMaxTables) return fail(Errc::limit, "JPEG: many tables");
        picture.tables.push_back({marker, KAPOK_TRY(read_payload(in))});
        continue;
      case kSos:
        break;
      default:
        if (marker != kCom && (marker < kApp0 || marker > kApp15))
          return fail(Errc::unsupported, "JPEG: marker {:02x}", marker);
        KAPOK_TRY(read_payload(in));
        continue;
    }
    if (picture.frame.empty()) return fail(Errc::malformed, "JPEG: a scan without a frame");
    picture.head = bytes.first(at);
    picture.scan_header = KAPOK_TRY(read_payload(in));
    KAPOK_TRY(check_scan(picture.scan_header, ids));
    picture.coded = KAPOK_TRY(read_coded(in));
    return picture;
  }
}

Result<void> check_alike(const Picture& first, const Picture& other) {
  if (!std::ranges::equal(first.frame, other.frame))
    return fail(Errc::unsupported, "JPEG: {}x{} and {}x{}, or sampled otherwise", first.width,
                first.height, other.width, other.height);
  if (first.tables != other.tables) return fail(Errc::unsupported, "JPEG: other tables");
  if (!std::ranges::equal(first.scan_header, other.scan_header))
    return fail(Errc::unsupported, "JPEG: tables chosen otherwise");
  return {};
}

}  // namespace

Result<Buffer> join_jpegs(std::span<const Buffer> pictures) {
  if (pictures.empty() || pictures.size() > kMaxSheetPictures)
    return fail(Errc::limit, "a sheet of {} pictures", pictures.size());
  std::vector<Picture> rows;
  std::size_t size = 0;
  for (const Buffer& picture : pictures) {
    rows.push_back(KAPOK_TRY(parse(picture.bytes())));
    KAPOK_TRY(check_alike(rows.front(), rows.back()));
    size += rows.back().coded.size();
  }
  const Picture& first = rows.front();
  const std::uint64_t height = std::uint64_t{first.height} * rows.size();
  // [B.2.4.4] in MCUs; the last one of a row may reach beyond the picture.
  const std::uint64_t interval = std::uint64_t{first.height / first.mcu_height} *
                                 ((first.width + first.mcu_width - 1) / first.mcu_width);
  if (height > kMaxSide) return fail(Errc::limit, "a sheet of {} lines", height);
  if (interval > kMaxSide) return fail(Errc::limit, "a restart interval of {} MCUs", interval);
  constexpr std::uint16_t kDri = 0xffdd;
  constexpr std::size_t kAround = 64;  // DRI, SOS, markers of restarts and EOI
  Bytes bytes;
  bytes.reserve(first.head.size() + size + kAround + 2 * rows.size());
  ByteWriter out(bytes);
  out.bytes(first.head.first(first.height_at));
  out.u16(static_cast<std::uint16_t>(height));
  out.bytes(first.head.subspan(first.height_at + 2));
  out.u16(kDri);
  out.u16(4);
  out.u16(static_cast<std::uint16_t>(interval));
  out.u8(kEscape);
  out.u8(kSos);
  out.u16(static_cast<std::uint16_t>(first.scan_header.size() + 2));
  out.bytes(first.scan_header);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (i > 0) {
      // [E.1.4] RST0 to RST7, and again.
      out.u8(kEscape);
      out.u8(static_cast<std::uint8_t>(kRst0 + (i - 1) % 8));
    }
    out.bytes(rows[i].coded);
  }
  out.u8(kEscape);
  out.u8(kEoi);
  return Buffer(std::move(bytes));
}

}  // namespace kapok::media
