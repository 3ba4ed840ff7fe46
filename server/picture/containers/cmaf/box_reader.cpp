#include "server/picture/containers/cmaf/box_reader.hpp"

#include <utility>

#include "server/picture/containers/cmaf/chunk.hpp"

namespace kapok::cmaf {

namespace {

constexpr std::uint32_t kSizeIsLarge = 1;

struct FullBox {
  std::uint8_t version = 0;
  std::uint32_t flags = 0;
};
Result<FullBox> read_full_box(ByteReader& in) {
  FullBox box;
  box.version = KAPOK_TRY(in.u8());
  box.flags = KAPOK_TRY(in.u24());
  return box;
}

struct Defaults {
  std::uint32_t duration = 0;
  std::uint32_t size = 0;
  std::uint32_t flags = 0;
};

Result<Defaults> read_tfhd(ByteSpan body) {
  ByteReader in(body);
  const FullBox box = KAPOK_TRY(read_full_box(in));
  KAPOK_TRY(in.skip(4));  // track id
  if (!(box.flags & 0x020000))
    return fail(Errc::unsupported, "tfhd: offsets that do not start at the moof");
  if (box.flags & 0x01) KAPOK_TRY(in.skip(8));
  if (box.flags & 0x02) KAPOK_TRY(in.skip(4));
  Defaults defaults;
  if (box.flags & 0x08) defaults.duration = KAPOK_TRY(in.u32());
  if (box.flags & 0x10) defaults.size = KAPOK_TRY(in.u32());
  if (box.flags & 0x20) defaults.flags = KAPOK_TRY(in.u32());
  return defaults;
}

Result<media::Ticks> read_tfdt(ByteSpan body) {
  ByteReader in(body);
  const FullBox box = KAPOK_TRY(read_full_box(in));
  std::uint64_t time = 0;
  if (box.version == 1)
    time = KAPOK_TRY(in.u64());
  else
    time = KAPOK_TRY(in.u32());
  if (time > INT64_MAX / 2) return fail(Errc::malformed, "tfdt: {} is no time", time);
  return media::Ticks{static_cast<std::int64_t>(time)};
}

struct Run {
  std::vector<SampleView> samples;
  std::int32_t data_offset = 0;
  std::uint64_t payload_bytes = 0;
  std::uint64_t duration = 0;
};

Result<Run> read_trun(ByteSpan body, const Defaults& defaults) {
  ByteReader in(body);
  const FullBox box = KAPOK_TRY(read_full_box(in));
  const std::uint32_t count = KAPOK_TRY(in.u32());
  if (count == 0 || count > kMaxSamplesPerChunk)
    return fail(Errc::limit, "trun: {} samples", count);
  Run run;
  if (!(box.flags & 0x01)) return fail(Errc::unsupported, "trun: no data offset");
  run.data_offset = static_cast<std::int32_t>(KAPOK_TRY(in.u32()));
  std::optional<std::uint32_t> first_flags;
  if (box.flags & 0x04) first_flags = KAPOK_TRY(in.u32());
  const std::size_t fields = static_cast<std::size_t>(__builtin_popcount(box.flags & 0xf00));
  if (in.left() < fields * 4 * count) return fail(Errc::malformed, "trun: cut short");
  run.samples.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    SampleView sample{defaults.size, defaults.duration, defaults.flags, 0};
    if (box.flags & 0x100) sample.duration = KAPOK_TRY(in.u32());
    if (box.flags & 0x200) sample.size = KAPOK_TRY(in.u32());
    if (box.flags & 0x400) sample.flags = KAPOK_TRY(in.u32());
    if (box.flags & 0x800)
      sample.composition_offset = static_cast<std::int32_t>(KAPOK_TRY(in.u32()));
    if (i == 0 && first_flags) sample.flags = *first_flags;
    run.payload_bytes += sample.size;
    run.duration += sample.duration;
    run.samples.push_back(sample);
  }
  return run;
}

// Where the payload must be, for the mdat behind the moof to be checked against.
struct Payload {
  std::int64_t offset = 0;  // from the moof's first byte
  std::uint64_t bytes = 0;
};

// One track and one run in a moof, as write_chunk makes them.
Result<Payload> read_moof(const BoxView& moof, ChunkView& chunk) {
  ByteReader mfhd(KAPOK_TRY(find_box(moof.body, "mfhd")));
  KAPOK_TRY(mfhd.skip(4));
  chunk.sequence = KAPOK_TRY(mfhd.u32());
  const ByteSpan traf = KAPOK_TRY(find_box(moof.body, "traf"));
  const ByteSpan tfhd = KAPOK_TRY(find_box(traf, "tfhd"));
  const Defaults defaults = KAPOK_TRY(read_tfhd(tfhd));
  const ByteSpan tfdt = KAPOK_TRY(find_box(traf, "tfdt"));
  chunk.start = KAPOK_TRY(read_tfdt(tfdt));
  const ByteSpan trun = KAPOK_TRY(find_box(traf, "trun"));
  auto run = KAPOK_TRY(read_trun(trun, defaults));
  chunk.duration = {static_cast<std::int64_t>(run.duration)};
  chunk.independent = run.samples.front().sync();
  chunk.samples = std::move(run.samples);
  return Payload{run.data_offset, run.payload_bytes};
}

// The chunk at the front of `bytes`; offsets in it count from there.
Result<ChunkView> read_chunk(ByteSpan bytes) {
  ChunkView chunk;
  std::size_t at = 0;
  for (std::size_t boxes = 0; boxes < kMaxBoxes; ++boxes) {
    const BoxView box = KAPOK_TRY(read_box(bytes.subspan(at)));
    at += box.size;
    if (box.type == "styp") chunk.opens_segment = true;
    if (box.type == "styp" || box.type == "prft" || box.type == "emsg") continue;
    if (box.type != "moof") return fail(Errc::malformed, "{} where a moof is due", box.type);
    const Payload payload = KAPOK_TRY(read_moof(box, chunk));
    const BoxView mdat = KAPOK_TRY(read_box(bytes.subspan(at)));
    const std::size_t header = mdat.size - mdat.body.size();
    if (mdat.type != "mdat" || mdat.body.size() != payload.bytes)
      return fail(Errc::malformed, "mdat of {} bytes for samples of {}", mdat.body.size(),
                  payload.bytes);
    if (payload.offset != static_cast<std::int64_t>(box.size + header))
      return fail(Errc::malformed, "trun: data offset {} behind a moof of {} bytes", payload.offset,
                  box.size);
    chunk.payload_offset = at + header;
    chunk.size = at + mdat.size;
    return chunk;
  }
  return fail(Errc::limit, "more than {} boxes before a moof", kMaxBoxes);
}

}  // namespace

Result<BoxView> read_box(ByteSpan bytes) {
  ByteReader in(bytes);
  const std::uint32_t size32 = KAPOK_TRY(in.u32());
  const ByteSpan type = KAPOK_TRY(in.take(4));
  std::uint64_t size = size32;
  if (size32 == kSizeIsLarge) size = KAPOK_TRY(in.u64());
  if (size32 == 0) size = bytes.size();  // to the end [ISO/IEC 14496-12 4.2.2]
  if (size < in.offset() || size > bytes.size())
    return fail(Errc::malformed, "box of {} bytes where {} are left", size, bytes.size());
  BoxView box;
  box.type = as_text(type);
  box.size = static_cast<std::size_t>(size);
  box.body = bytes.subspan(in.offset(), box.size - in.offset());
  return box;
}

Result<std::vector<BoxView>> read_boxes(ByteSpan bytes) {
  std::vector<BoxView> boxes;
  for (std::size_t at = 0; at < bytes.size();) {
    if (boxes.size() == kMaxBoxes) return fail(Errc::limit, "more than {} boxes", kMaxBoxes);
    BoxView box = KAPOK_TRY(read_box(bytes.subspan(at)));
    box.offset = at;
    at += box.size;
    boxes.push_back(box);
  }
  return boxes;
}

Result<ByteSpan> find_box(ByteSpan bytes, std::string_view path) {
  while (true) {
    const std::string_view type = path.substr(0, path.find('/'));
    std::optional<ByteSpan> found;
    std::size_t at = 0;
    for (std::size_t boxes = 0; at < bytes.size() && boxes < kMaxBoxes && !found; ++boxes) {
      const BoxView box = KAPOK_TRY(read_box(bytes.subspan(at)));
      at += box.size;
      if (box.type == type) found = box.body;
    }
    if (!found) return fail(Errc::malformed, "no {} box", type);
    if (type.size() == path.size()) return *found;
    path.remove_prefix(type.size() + 1);
    bytes = *found;
  }
}

Scan find_chunks(ByteSpan file) {
  Scan scan;
  while (scan.whole_bytes < file.size()) {
    if (scan.chunks.size() == kMaxBoxes) {
      scan.stopped_by = "too many chunks";
      break;
    }
    auto chunk = read_chunk(file.subspan(scan.whole_bytes));
    if (!chunk) {
      scan.stopped_by = std::move(chunk).error().message;
      break;
    }
    chunk->offset = scan.whole_bytes;
    chunk->payload_offset += scan.whole_bytes;
    scan.whole_bytes += chunk->size;
    scan.chunks.push_back(*std::move(chunk));
  }
  return scan;
}

}  // namespace kapok::cmaf
