// Reads ISO boxes back: for the spool's recovery scan, for tests and for inspection. Bounded: no
// count or size is believed before the bytes are there. Views point into the bytes given.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/bytes.hpp"
#include "server/base/result.hpp"
#include "server/media/time.hpp"

namespace kapok::cmaf {

// Siblings in one place: a minute of 20 ms chunks with prft each stays below it.
constexpr std::size_t kMaxBoxes = 16384;

struct BoxView {
  std::string_view type;   // four characters
  std::size_t offset = 0;  // of its first byte, in the bytes that were given
  std::size_t size = 0;    // with its header
  ByteSpan body;
};

// The box at the front of `bytes`. malformed: no box, or it does not fit.
Result<BoxView> read_box(ByteSpan bytes);
// All boxes of `bytes`, which they must fill.
Result<std::vector<BoxView>> read_boxes(ByteSpan bytes);
// The body of the first box on a path of types ("moov/trak/mdia"), all plain containers.
Result<ByteSpan> find_box(ByteSpan bytes, std::string_view path);

struct SampleView {
  std::uint32_t size = 0;
  std::uint32_t duration = 0;
  std::uint32_t flags = 0;
  std::int32_t composition_offset = 0;
  bool sync() const { return (flags & 0x00010000) == 0; }
};
struct ChunkView {
  std::uint64_t offset = 0;  // of its styp, prft, emsg or moof
  std::uint64_t size = 0;    // to the end of its mdat
  std::uint32_t sequence = 0;
  media::Ticks start;     // tfdt
  media::Ticks duration;  // sum over its samples
  bool opens_segment = false;
  bool independent = false;  // the first sample is a sync sample
  std::vector<SampleView> samples;
  std::uint64_t payload_offset = 0;  // of the first sample's bytes
};

struct Scan {
  std::vector<ChunkView> chunks;
  std::uint64_t whole_bytes = 0;  // what these chunks cover; behind it a write was cut off
  std::string stopped_by;         // why the scan ended before the end of the bytes, or empty
};
// The chunks of a segment file up to the first byte that is not part of a complete one. Touches
// only the heads, never the payloads.
Scan find_chunks(ByteSpan file);

}  // namespace kapok::cmaf
