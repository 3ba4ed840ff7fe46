#include "server/picture/containers/cmaf/chunk.hpp"

#include <algorithm>
#include <cassert>

#include "server/picture/containers/cmaf/box_writer.hpp"
#include "server/picture/containers/cmaf/init.hpp"

namespace kapok::cmaf {

namespace {

// [ISO/IEC 14496-12 8.8.3.1] sample_depends_on 2 (on none) | 1 (on others), sample_is_non_sync.
constexpr std::uint32_t kSyncFlags = 0x02000000;
constexpr std::uint32_t kNonSyncFlags = 0x01010000;

// [8.8.7] tfhd flags.
constexpr std::uint32_t kDefaultDuration = 0x000008;
constexpr std::uint32_t kDefaultFlags = 0x000020;
constexpr std::uint32_t kDefaultBaseIsMoof = 0x020000;

// [8.8.8] trun flags.
constexpr std::uint32_t kDataOffset = 0x000001;
constexpr std::uint32_t kFirstSampleFlags = 0x000004;
constexpr std::uint32_t kSampleDuration = 0x000100;
constexpr std::uint32_t kSampleSize = 0x000200;
constexpr std::uint32_t kSampleFlags = 0x000400;
constexpr std::uint32_t kSampleCompositionOffset = 0x000800;

constexpr std::int64_t kNtpEpoch = 2'208'988'800;  // 1900 to 1970, in seconds
constexpr std::uint32_t kMdatHeaderBytes = 8;
constexpr std::uint32_t kLargeMdatHeaderBytes = 16;

std::uint32_t flags_of(const Sample& sample) {
  return sample.sync ? kSyncFlags : kNonSyncFlags;
}

std::uint64_t ntp_of(UtcTime utc) {
  const std::int64_t since = utc.time_since_epoch().count();
  const auto seconds_1900 = static_cast<std::uint64_t>(since / 1'000'000 + kNtpEpoch);
  const auto micros = static_cast<std::uint64_t>(since % 1'000'000);
  return (seconds_1900 << 32) | ((micros << 32) / 1'000'000);  // the era wraps in 2036, as NTP does
}

void write_styp(ByteWriter& out) {
  const Box styp(out, "styp");
  out.text("msdh");
  out.u32(0);
  out.text("msdhcmfscmffcmfl");
}

void write_producer_time(ByteWriter& out, const ProducerTime& time) {
  const Box prft(out, "prft", 1, static_cast<std::uint32_t>(time.point));
  out.u32(kTrackId);
  out.u64(ntp_of(time.utc));
  out.u64(static_cast<std::uint64_t>(time.pts.count));
}

void write_event(ByteWriter& out, const TimedEvent& event) {
  const Box emsg(out, "emsg", 1, 0);
  out.u32(event.timescale);
  out.u64(static_cast<std::uint64_t>(event.at.count));
  out.u32(event.duration);
  out.u32(event.id);
  out.text(event.scheme);
  out.u8(0);
  out.text(event.value);
  out.u8(0);
  out.bytes(event.message.bytes());
}

// What is the same for all samples stands once in tfhd, what is not in every trun entry: cmf2 wants
// nothing to depend on trex.
struct Layout {
  bool same_duration = true;
  bool same_flags = true;              // of all
  bool same_flags_after_first = true;  // of all but the first
  bool has_offsets = false;
};

Layout layout_of(std::span<const Sample> samples, media::Ticks shift) {
  Layout layout;
  const Sample& first = samples.front();
  for (const Sample& sample : samples) {
    if (sample.duration != first.duration) layout.same_duration = false;
    if (sample.sync != first.sync) layout.same_flags = false;
    if (&sample != &first && sample.sync != samples[1].sync) layout.same_flags_after_first = false;
    if (sample.pts - sample.dts != shift) layout.has_offsets = true;
  }
  return layout;
}

void write_tfhd(ByteWriter& out, const Layout& layout, std::span<const Sample> samples) {
  std::uint32_t flags = kDefaultBaseIsMoof;
  if (layout.same_duration) flags |= kDefaultDuration;
  if (layout.same_flags_after_first) flags |= kDefaultFlags;
  const Box tfhd(out, "tfhd", 0, flags);
  out.u32(kTrackId);
  if (layout.same_duration) out.u32(static_cast<std::uint32_t>(samples.front().duration.count));
  if (layout.same_flags_after_first) out.u32(flags_of(samples.back()));
}

void write_tfdt(ByteWriter& out, media::Ticks start) {
  assert(start.count >= 0);
  const Box tfdt(out, "tfdt", 1, 0);
  out.u64(static_cast<std::uint64_t>(start.count));
}

// A sender chooses its pts: nonsense hours away from dts must not end the process.
std::uint32_t composition_offset(const Sample& sample, media::Ticks shift) {
  const std::int64_t offset = (sample.pts - sample.dts - shift).count;
  return static_cast<std::uint32_t>(
      static_cast<std::int32_t>(std::clamp<std::int64_t>(offset, INT32_MIN, INT32_MAX)));
}

// Returns where the data offset stands, which is known only once the moof is whole.
std::size_t write_trun(ByteWriter& out, const Layout& layout, media::Ticks shift,
                       std::span<const Sample> samples) {
  std::uint32_t flags = kDataOffset | kSampleSize;
  if (!layout.same_duration) flags |= kSampleDuration;
  if (!layout.same_flags_after_first)
    flags |= kSampleFlags;
  else if (!layout.same_flags)
    flags |= kFirstSampleFlags;
  if (layout.has_offsets) flags |= kSampleCompositionOffset;
  const Box trun(out, "trun", 1, flags);
  out.u32(static_cast<std::uint32_t>(samples.size()));
  const std::size_t offset_at = out.size();
  out.u32(0);
  if (flags & kFirstSampleFlags) out.u32(flags_of(samples.front()));
  for (const Sample& sample : samples) {
    assert(sample.duration.count >= 0 && sample.duration.count <= UINT32_MAX);
    if (flags & kSampleDuration) out.u32(static_cast<std::uint32_t>(sample.duration.count));
    out.u32(static_cast<std::uint32_t>(sample.payload.size()));
    if (flags & kSampleFlags) out.u32(flags_of(sample));
    if (flags & kSampleCompositionOffset) out.u32(composition_offset(sample, shift));
  }
  return offset_at;
}

std::size_t write_moof(ByteWriter& out, const ChunkSpec& spec, std::span<const Sample> samples) {
  const Box moof(out, "moof");
  {
    const Box mfhd(out, "mfhd", 0, 0);
    out.u32(spec.sequence);
  }
  const Layout layout = layout_of(samples, spec.decode_shift);
  const Box traf(out, "traf");
  write_tfhd(out, layout, samples);
  write_tfdt(out, samples.front().dts + spec.decode_shift);
  return write_trun(out, layout, spec.decode_shift, samples);
}

// Segments stay below 64 MiB by design, but what a sender makes of them is no reason to stop.
void write_mdat_header(ByteWriter& out, std::uint64_t payload) {
  if (payload + kMdatHeaderBytes <= UINT32_MAX) {
    out.u32(static_cast<std::uint32_t>(payload + kMdatHeaderBytes));
    out.text("mdat");
  } else {
    out.u32(1);  // the size follows
    out.text("mdat");
    out.u64(payload + kLargeMdatHeaderBytes);
  }
}

}  // namespace

Chunk write_chunk(const ChunkSpec& spec, std::span<const Sample> samples) {
  assert(!samples.empty() && samples.size() <= kMaxSamplesPerChunk);
  Chunk chunk;
  chunk.head.reserve(256 + 16 * samples.size());
  chunk.samples.reserve(samples.size());
  std::uint64_t payload = 0;
  for (const Sample& sample : samples) {
    payload += sample.payload.size();
    if (!sample.payload.empty()) chunk.samples.push_back(sample.payload);
  }
  ByteWriter out(chunk.head);
  if (spec.place == ChunkPlace::opens_segment) write_styp(out);
  if (spec.producer_time) write_producer_time(out, *spec.producer_time);
  for (const TimedEvent& event : spec.events) write_event(out, event);
  const std::size_t moof_start = out.size();
  const std::size_t offset_at = write_moof(out, spec, samples);
  write_mdat_header(out, payload);
  out.patch_u32(offset_at, static_cast<std::uint32_t>(out.size() - moof_start));
  chunk.size = chunk.head.size() + payload;
  return chunk;
}

}  // namespace kapok::cmaf
