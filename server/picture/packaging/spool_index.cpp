#include "server/picture/packaging/spool_index.hpp"

#include <algorithm>
#include <array>
#include <iterator>

#include "server/base/ids.hpp"

namespace kapok::packaging {

namespace {

constexpr std::string_view kMagic = "KAPOKSPL";
constexpr std::size_t kHeaderBytes = 16;
// As in the window: older segments are fetched whole.
constexpr std::size_t kSegmentsWithParts = 12;

constexpr std::array<std::uint32_t, 256> make_crc_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) ? 0x82F63B78U : 0U);
    table[i] = value;
  }
  return table;
}
constexpr auto kCrcTable = make_crc_table();

std::uint32_t crc32c(ByteSpan bytes) {
  std::uint32_t crc = ~0U;
  for (const std::byte byte : bytes)
    crc = (crc >> 8) ^ kCrcTable[(crc ^ std::to_integer<std::uint32_t>(byte)) & 255];
  return ~crc;
}

enum class Type : std::uint8_t {
  era = 1,
  rendition,
  segment,
  part,
  closed,
  expired,
  unlinked,
  timing,
};

void put_text(ByteWriter& out, std::string_view text) {
  text = text.substr(0, 255);
  out.u8(static_cast<std::uint8_t>(text.size()));
  out.text(text);
}
void put_i64(ByteWriter& out, std::int64_t value) {
  out.u64(static_cast<std::uint64_t>(value));
}

Result<std::string> get_text(ByteReader& in) {
  const std::uint8_t size = KAPOK_TRY(in.u8());
  const ByteSpan bytes = KAPOK_TRY(in.take(size));
  return std::string(as_text(bytes));
}
Result<std::int64_t> get_i64(ByteReader& in) {
  const std::uint64_t value = KAPOK_TRY(in.u64());
  return static_cast<std::int64_t>(value);
}
// Times are far from overflow: anything beyond the year 4000 at 10 MHz is damage or forgery.
constexpr std::int64_t kMaxTime = std::int64_t{1} << 60;
Result<std::int64_t> get_time(ByteReader& in) {
  const std::int64_t value = KAPOK_TRY(get_i64(in));
  if (value < 0 || value > kMaxTime) return fail(Errc::malformed, "time out of range");
  return value;
}
Result<std::string> get_id(ByteReader& in) {
  std::string id = KAPOK_TRY(get_text(in));
  if (!is_valid_id(id)) return fail(Errc::malformed, "not a rendition id");
  return id;
}
// It becomes a file name.
Result<std::string> get_init_name(ByteReader& in) {
  std::string name = KAPOK_TRY(get_text(in));
  const bool shaped = name.starts_with("init-") && name.ends_with(".mp4") && name.size() > 9 &&
                      is_valid_id(std::string_view(name).substr(0, name.size() - 4));
  if (!shaped) return fail(Errc::malformed, "not an init segment's name");
  return name;
}

void put(ByteWriter& out, const Era& era) {
  out.u8(static_cast<std::uint8_t>(Type::era));
  out.u32(era.id);
  put_i64(out, era.start_utc.time_since_epoch().count());
  out.u64(era.base);
  put_i64(out, era.segment_duration.count());
  out.u32(era.discontinuity_sequence);
  put_i64(out, era.window.count());
}
Result<IndexRecord> get_era(ByteReader& in) {
  Era era;
  era.id = KAPOK_TRY(in.u32());
  era.start_utc = UtcTime(microseconds(KAPOK_TRY(get_time(in))));
  era.base = KAPOK_TRY(in.u64());
  era.segment_duration = microseconds(KAPOK_TRY(get_time(in)));
  era.discontinuity_sequence = KAPOK_TRY(in.u32());
  era.window = microseconds(KAPOK_TRY(get_time(in)));
  if (era.base > kMaxTime) return fail(Errc::malformed, "era base out of range");
  return era;
}

void put(ByteWriter& out, const IndexedRendition& r) {
  out.u8(static_cast<std::uint8_t>(Type::rendition));
  out.u32(r.era);
  put_text(out, r.info.id);
  out.u8(static_cast<std::uint8_t>(r.info.kind));
  put_text(out, r.info.language);
  out.u32(r.info.timescale);
  put_i64(out, r.info.part_target.count());
  out.u32(r.info.target_duration_s);
  out.u32(r.info.bandwidth);
  out.u32(r.info.average_bandwidth);
  out.u8(static_cast<std::uint8_t>((r.info.independent_segments ? 1 : 0) | (r.info.rung ? 2 : 0)));
  put_text(out, r.init);
  out.u32(r.frame_rate.numerator);
  out.u32(r.frame_rate.denominator);
}
Result<IndexRecord> get_rendition(ByteReader& in) {
  IndexedRendition r;
  r.era = KAPOK_TRY(in.u32());
  r.info.id = KAPOK_TRY(get_id(in));
  const std::uint8_t kind = KAPOK_TRY(in.u8());
  if (kind > static_cast<std::uint8_t>(media::TrackKind::opaque))
    return fail(Errc::malformed, "unknown track kind");
  r.info.kind = static_cast<media::TrackKind>(kind);
  r.info.language = KAPOK_TRY(get_text(in));
  r.info.timescale = KAPOK_TRY(in.u32());
  if (r.info.timescale == 0) return fail(Errc::malformed, "timescale 0");
  r.info.part_target = microseconds(KAPOK_TRY(get_time(in)));
  r.info.target_duration_s = KAPOK_TRY(in.u32());
  r.info.bandwidth = KAPOK_TRY(in.u32());
  r.info.average_bandwidth = KAPOK_TRY(in.u32());
  const std::uint8_t flags = KAPOK_TRY(in.u8());
  r.info.independent_segments = (flags & 1) != 0;
  r.info.rung = (flags & 2) != 0;
  r.init = KAPOK_TRY(get_init_name(in));
  r.frame_rate.numerator = KAPOK_TRY(in.u32());
  r.frame_rate.denominator = KAPOK_TRY(in.u32());
  return r;
}

void put(ByteWriter& out, const IndexedSegment& s) {
  out.u8(static_cast<std::uint8_t>(Type::segment));
  put_text(out, s.rendition);
  out.u64(s.number);
  out.u32(s.era);
  out.u8(s.discontinuity);
  put_i64(out, s.start.count);
  out.u64(s.first_part);
  put_text(out, s.init);
}
Result<IndexRecord> get_segment(ByteReader& in) {
  IndexedSegment s;
  s.rendition = KAPOK_TRY(get_id(in));
  s.number = KAPOK_TRY(in.u64());
  s.era = KAPOK_TRY(in.u32());
  s.discontinuity = (KAPOK_TRY(in.u8()) & 1) != 0;
  s.start.count = KAPOK_TRY(get_time(in));
  s.first_part = KAPOK_TRY(in.u64());
  s.init = KAPOK_TRY(get_init_name(in));
  return s;
}

void put(ByteWriter& out, const IndexedPart& p) {
  out.u8(static_cast<std::uint8_t>(Type::part));
  put_text(out, p.rendition);
  out.u64(p.segment);
  out.u64(p.part.number);
  out.u64(p.part.offset);
  out.u32(p.part.size);
  put_i64(out, p.part.start.count);
  put_i64(out, p.part.duration.count);
  out.u8(p.part.independent);
}
Result<IndexRecord> get_part(ByteReader& in) {
  IndexedPart p;
  p.rendition = KAPOK_TRY(get_id(in));
  p.segment = KAPOK_TRY(in.u64());
  p.part.number = KAPOK_TRY(in.u64());
  p.part.offset = KAPOK_TRY(in.u64());
  p.part.size = KAPOK_TRY(in.u32());
  p.part.start.count = KAPOK_TRY(get_time(in));
  p.part.duration.count = KAPOK_TRY(get_time(in));
  p.part.independent = KAPOK_TRY(in.u8()) != 0;
  return p;
}

void put(ByteWriter& out, const IndexedClose& c) {
  out.u8(static_cast<std::uint8_t>(Type::closed));
  put_text(out, c.rendition);
  out.u64(c.number);
  out.u8(c.gap);
  put_i64(out, c.start.count);
  put_i64(out, c.duration.count);
  out.u64(c.bytes);
  out.bytes(c.sha256);
}
Result<IndexRecord> get_closed(ByteReader& in) {
  IndexedClose c;
  c.rendition = KAPOK_TRY(get_id(in));
  c.number = KAPOK_TRY(in.u64());
  c.gap = (KAPOK_TRY(in.u8()) & 1) != 0;
  c.start.count = KAPOK_TRY(get_time(in));
  c.duration.count = KAPOK_TRY(get_time(in));
  c.bytes = KAPOK_TRY(in.u64());
  const ByteSpan sha = KAPOK_TRY(in.take(c.sha256.size()));
  std::copy(sha.begin(), sha.end(), c.sha256.begin());
  return c;
}

template <class T>
void put_before(ByteWriter& out, Type type, const T& record) {
  out.u8(static_cast<std::uint8_t>(type));
  put_text(out, record.rendition);
  out.u64(record.before);
}
void put(ByteWriter& out, const IndexedExpiry& e) {
  put_before(out, Type::expired, e);
}
void put(ByteWriter& out, const IndexedUnlink& u) {
  put_before(out, Type::unlinked, u);
}
template <class T>
Result<IndexRecord> get_before(ByteReader& in) {
  T record;
  record.rendition = KAPOK_TRY(get_id(in));
  record.before = KAPOK_TRY(in.u64());
  return record;
}

void put(ByteWriter& out, const IndexedTiming& t) {
  out.u8(static_cast<std::uint8_t>(Type::timing));
  put_text(out, t.rendition);
  out.u32(t.timing.frame_rate.numerator);
  out.u32(t.timing.frame_rate.denominator);
  put_i64(out, t.timing.gop.count());
  out.u8(static_cast<std::uint8_t>((t.timing.irregular ? 1 : 0) | (t.timing.coarse ? 2 : 0)));
  put_text(out, t.codec);
  out.u32(t.width);
  out.u32(t.height);
}
Result<IndexRecord> get_timing(ByteReader& in) {
  IndexedTiming t;
  t.rendition = KAPOK_TRY(get_id(in));
  t.timing.frame_rate.numerator = KAPOK_TRY(in.u32());
  t.timing.frame_rate.denominator = KAPOK_TRY(in.u32());
  if (t.timing.frame_rate.denominator == 0) return fail(Errc::malformed, "frame rate over 0");
  t.timing.gop = microseconds(KAPOK_TRY(get_time(in)));
  const std::uint8_t flags = KAPOK_TRY(in.u8());
  t.timing.irregular = (flags & 1) != 0;
  t.timing.coarse = (flags & 2) != 0;
  t.codec = KAPOK_TRY(get_text(in));
  t.width = KAPOK_TRY(in.u32());
  t.height = KAPOK_TRY(in.u32());
  return t;
}

Result<IndexRecord> get_record(ByteSpan body) {
  ByteReader in(body);
  const std::uint8_t type = KAPOK_TRY(in.u8());
  switch (static_cast<Type>(type)) {
    case Type::era:
      return get_era(in);
    case Type::rendition:
      return get_rendition(in);
    case Type::segment:
      return get_segment(in);
    case Type::part:
      return get_part(in);
    case Type::closed:
      return get_closed(in);
    case Type::expired:
      return get_before<IndexedExpiry>(in);
    case Type::unlinked:
      return get_before<IndexedUnlink>(in);
    case Type::timing:
      return get_timing(in);
  }
  return fail(Errc::malformed, "unknown record type {}", type);
}

}  // namespace

void append_header(Bytes& out) {
  const std::size_t start = out.size();
  ByteWriter writer(out);
  writer.text(kMagic);
  writer.u32(kIndexVersion);
  writer.u32(crc32c(ByteSpan(out).subspan(start, kHeaderBytes - 4)));
}

void append_record(Bytes& out, const IndexRecord& record) {
  const std::size_t start = out.size();
  ByteWriter writer(out);
  writer.u32(0);
  writer.u32(0);
  std::visit([&](const auto& what) { put(writer, what); }, record);
  const ByteSpan body = ByteSpan(out).subspan(start + 8);
  const std::uint32_t crc = crc32c(body);
  writer.patch_u32(start, static_cast<std::uint32_t>(body.size()));
  writer.patch_u32(start + 4, crc);
}

void frame_records(Bytes& out, ByteSpan bodies) {
  ByteReader in(bodies);
  while (!in.empty()) {
    const std::size_t size = in.u8().value();
    const ByteSpan body = in.take(std::min(size, in.left())).value();
    ByteWriter writer(out);
    writer.u32(static_cast<std::uint32_t>(body.size()));
    writer.u32(crc32c(body));
    writer.bytes(body);
  }
}

Result<IndexScan> scan_index(ByteSpan bytes) {
  IndexScan scan;
  if (bytes.size() < kHeaderBytes) {
    // Killed before the header was whole: nothing was indexed yet.
    if (!std::equal(bytes.begin(), bytes.begin() + std::min(bytes.size(), kMagic.size()),
                    as_bytes(kMagic).begin()))
      return fail(Errc::config,
                  "not a spool index of Kapok; move the file away, or name another data.dir");
    if (!bytes.empty()) scan.stopped_by = "header cut short";
    return scan;
  }
  ByteReader in(bytes);
  const ByteSpan magic = KAPOK_TRY(in.take(kMagic.size()));
  const std::uint32_t version = KAPOK_TRY(in.u32());
  const std::uint32_t header_crc = KAPOK_TRY(in.u32());
  if (as_text(magic) != kMagic || header_crc != crc32c(bytes.first(kHeaderBytes - 4)))
    return fail(Errc::config,
                "not a spool index of Kapok, or its header is damaged; move the channel's spool "
                "folder away to start an empty window");
  if (version != kIndexVersion)
    return fail(
        Errc::config,
        "spool index of version {}, this program reads {}; start the version that wrote it, "
        "or move the channel's spool folder away to start an empty window",
        version, kIndexVersion);
  scan.used = kHeaderBytes;
  while (!in.empty()) {
    if (in.left() < 8) {
      scan.stopped_by = "record header cut short";
      break;
    }
    const std::uint32_t size = KAPOK_TRY(in.u32());
    const std::uint32_t crc = KAPOK_TRY(in.u32());
    if (size == 0 || size > kMaxIndexRecordBytes || size > in.left()) {
      scan.stopped_by = "record cut short";
      break;
    }
    const ByteSpan body = KAPOK_TRY(in.take(size));
    if (crc32c(body) != crc) {
      scan.stopped_by = "checksum differs";
      break;
    }
    const auto record = get_record(body);
    const auto applied =
        record ? scan.index.apply(*record) : Result<void>(std::unexpected(record.error()));
    if (!applied) {
      scan.stopped_by = applied.error().message;
      break;
    }
    scan.used = in.offset();
    ++scan.records;
  }
  return scan;
}

Result<void> SpoolIndex::apply(const IndexRecord& record) {
  return std::visit([this](const auto& what) { return on(what); }, record);
}

Result<SpoolIndex::Rendition*> SpoolIndex::find(const std::string& id) {
  const auto found = renditions_.find(id);
  if (found == renditions_.end()) return fail(Errc::malformed, "rendition {} was never opened", id);
  return &found->second;
}

Result<void> SpoolIndex::on(const Era& record) {
  if (record.segment_duration.count() <= 0) return fail(Errc::malformed, "era without duration");
  for (Era& era : eras_)
    if (era.id == record.id) {
      era = record;
      return {};
    }
  if (!eras_.empty() && record.id < eras_.back().id)
    return fail(Errc::malformed, "era {} after {}", record.id, eras_.back().id);
  if (eras_.size() >= kMaxIndexedEras) return fail(Errc::limit, "too many eras");
  eras_.push_back(record);
  return {};
}

Result<void> SpoolIndex::on(const IndexedRendition& record) {
  const bool known =
      std::any_of(eras_.begin(), eras_.end(), [&](const Era& era) { return era.id == record.era; });
  if (!known) return fail(Errc::malformed, "rendition in unknown era {}", record.era);
  if (renditions_.size() >= kMaxIndexedRenditions && !renditions_.contains(record.info.id))
    return fail(Errc::limit, "too many renditions");
  const std::size_t place = renditions_.size();
  const auto [found, added] = renditions_.try_emplace(record.info.id);
  if (added) found->second.place = place;
  auto& appearances = found->second.appearances;
  if (!appearances.empty() && appearances.back().info.timescale != record.info.timescale)
    return fail(Errc::malformed, "rendition changed its timescale");
  if (appearances.empty() || appearances.back().era < record.era)
    appearances.push_back(record);
  else if (appearances.back().era == record.era)
    appearances.back() = record;
  else
    return fail(Errc::malformed, "rendition back in era {}", record.era);
  return {};
}

Result<void> SpoolIndex::on(const IndexedSegment& record) {
  Rendition& rendition = *KAPOK_TRY(find(record.rendition));
  if (!rendition.segments.empty() && (!rendition.segments.back().complete ||
                                      rendition.segments.back().opened.number >= record.number))
    return fail(Errc::malformed, "segment {} out of order", record.number);
  if (!rendition.segments.empty() && record.era < rendition.segments.back().opened.era)
    return fail(Errc::malformed, "segment {} back in era {}", record.number, record.era);
  const bool known =
      std::any_of(eras_.begin(), eras_.end(), [&](const Era& era) { return era.id == record.era; });
  if (!known) return fail(Errc::malformed, "segment in unknown era {}", record.era);
  if (segments_ >= kMaxIndexedSegments) return fail(Errc::limit, "too many segments");
  if (record.first_part < rendition.next_part || record.number > kMaxTime)
    return fail(Errc::malformed, "part numbers went back");
  ++segments_;
  KeptSegment kept;
  kept.opened = record;
  rendition.segments.push_back(std::move(kept));
  rendition.next_part = record.first_part;
  if (rendition.segments.size() > kSegmentsWithParts) {
    auto& old = rendition.segments[rendition.segments.size() - 1 - kSegmentsWithParts].parts;
    old.clear();
    old.shrink_to_fit();
  }
  return {};
}

Result<void> SpoolIndex::on(const IndexedPart& record) {
  Rendition& rendition = *KAPOK_TRY(find(record.rendition));
  if (rendition.segments.empty() || rendition.segments.back().complete ||
      rendition.segments.back().opened.number != record.segment)
    return fail(Errc::malformed, "part of a segment that is not open");
  KeptSegment& segment = rendition.segments.back();
  const std::uint64_t end =
      segment.parts.empty() ? 0 : segment.parts.back().offset + segment.parts.back().size;
  const Ticks earliest = segment.parts.empty() ? segment.opened.start : segment.parts.back().start;
  if (record.part.number != rendition.next_part || record.part.offset != end ||
      record.part.start < earliest)
    return fail(Errc::malformed, "part {} out of order", record.part.number);
  if (segment.parts.size() >= kMaxPartsPerSegment) return fail(Errc::limit, "too many parts");
  segment.parts.push_back(record.part);
  ++rendition.next_part;
  return {};
}

Result<void> SpoolIndex::on(const IndexedClose& record) {
  Rendition& rendition = *KAPOK_TRY(find(record.rendition));
  if (rendition.segments.empty() || rendition.segments.back().complete ||
      rendition.segments.back().opened.number != record.number)
    return fail(Errc::malformed, "close of a segment that is not open");
  rendition.segments.back().closed = record;
  rendition.segments.back().complete = true;
  return {};
}

Result<void> SpoolIndex::on(const IndexedExpiry& record) {
  Rendition& rendition = *KAPOK_TRY(find(record.rendition));
  rendition.expired_before = std::max(rendition.expired_before, record.before);
  return {};
}

Result<void> SpoolIndex::on(const IndexedUnlink& record) {
  Rendition& rendition = *KAPOK_TRY(find(record.rendition));
  // The newest stays: it carries the numbers that must never go back.
  while (rendition.segments.size() > 1 && rendition.segments.front().complete &&
         rendition.segments.front().opened.number < record.before) {
    rendition.segments.pop_front();
    --segments_;
  }
  forget_eras();
  return {};
}

Result<void> SpoolIndex::on(const IndexedTiming& record) {
  timing_ = record;
  return {};
}

void SpoolIndex::lose(const std::string& rendition, std::uint64_t number) {
  for (KeptSegment& segment : renditions_[rendition].segments)
    if (segment.opened.number == number) {
      segment.closed.gap = true;
      segment.closed.bytes = 0;
      segment.parts.clear();
    }
}

void SpoolIndex::drop_parts_beyond(const std::string& rendition, std::uint64_t bytes) {
  auto& segments = renditions_[rendition].segments;
  if (segments.empty() || segments.back().complete) return;
  auto& parts = segments.back().parts;
  while (!parts.empty() && parts.back().offset + parts.back().size > bytes) parts.pop_back();
}

// Keeps what the segments, and each rendition's next run, still need.
void SpoolIndex::forget_eras() {
  while (eras_.size() > 1) {
    const std::uint32_t oldest = eras_.front().id;
    for (auto& [id, rendition] : renditions_)
      if (!rendition.segments.empty() && rendition.segments.front().opened.era <= oldest) return;
    for (auto& [id, rendition] : renditions_) {
      auto& appearances = rendition.appearances;
      // Its last one carries its numbers and bandwidth; the era it names moves on with it.
      if (appearances.size() > 1 && appearances.front().era == oldest)
        appearances.erase(appearances.begin());
      else if (!appearances.empty() && appearances.front().era == oldest)
        appearances.front().era = eras_[1].id;
    }
    eras_.erase(eras_.begin());
  }
}

std::vector<std::pair<std::string_view, const SpoolIndex::Rendition*>> SpoolIndex::in_order()
    const {
  std::vector<std::pair<std::string_view, const Rendition*>> out;
  for (const auto& [id, rendition] : renditions_) out.emplace_back(id, &rendition);
  std::ranges::sort(out, {}, [](const auto& one) { return one.second->place; });
  return out;
}

Bytes SpoolIndex::encode() const {
  Bytes out;
  append_header(out);
  for (const Era& era : eras_) append_record(out, era);
  if (timing_) append_record(out, *timing_);
  for (const auto& [name, rendition] : in_order()) {
    const std::string id(name);
    for (const IndexedRendition& appearance : rendition->appearances)
      append_record(out, appearance);
    for (const KeptSegment& segment : rendition->segments) {
      append_record(out, segment.opened);
      for (const Part& part : segment.parts)
        append_record(out, IndexedPart{id, segment.opened.number, part});
      if (segment.complete) append_record(out, segment.closed);
    }
    if (rendition->expired_before > 0)
      append_record(out, IndexedExpiry{id, rendition->expired_before});
  }
  return out;
}

}  // namespace kapok::packaging
