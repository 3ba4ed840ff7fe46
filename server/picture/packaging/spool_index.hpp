// The index beside the spool's files: what a killed server comes back with. One file per channel,
// append-only, replaced as a whole (written beside it, then renamed) when it has grown.
//
// Format, big-endian. Header: "KAPOKSPL", u32 version (1), u32 CRC-32C of those 12 bytes.
// Record: u32 length of the body, u32 CRC-32C of the body, body = u8 type + fields:
//   1 era         u32 id, i64 start (us since 1970), u64 base, i64 d (us), u32 discontinuity
//                 sequence, i64 window (us)
//   2 rendition   u32 era, id, u8 kind, language, u32 timescale, i64 part target (us), u32
//                 TARGETDURATION, u32 peak, u32 average (bit/s), u8 flags (1 independent,
//                 2 rung), init name, u32/u32 frame rate
//   3 segment     id, u64 number, u32 era, u8 flags (1 discontinuity), i64 start (ticks), u64 first
//                 part, init name
//   4 part        id, u64 segment, u64 number, u64 offset, u32 size, i64 start, i64 duration
//                 (ticks), u8 independent
//   5 closed      id, u64 number, u8 flags (1 gap), i64 start, i64 duration (ticks), u64 bytes,
//                 32 bytes SHA-256
//   6 expired     id, u64 before        7 unlinked    id, u64 before
//   8 timing      id, u32/u32 frame rate, i64 GOP (us), u8 flags (1 irregular, 2 coarse), codec
//                 string, u32 width, u32 height
// A text is u8 length + bytes. A record is written after the bytes that it speaks of. Reading stops
// at the first record that is cut short or fails its checksum (a torn tail). Pure, no I/O.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "server/base/bytes.hpp"
#include "server/base/crypto.hpp"
#include "server/base/result.hpp"
#include "server/picture/packaging/timing.hpp"
#include "server/picture/packaging/window.hpp"

namespace kapok::packaging {

constexpr std::uint32_t kIndexVersion = 1;
// A record speaks of one thing; none comes near this.
constexpr std::size_t kMaxIndexRecordBytes = 4096;
// Bounds on what a (damaged, forged) index can make us build. A window holds thousands of segments.
constexpr std::size_t kMaxIndexedRenditions = 64;
constexpr std::size_t kMaxIndexedEras = 65'536;
constexpr std::size_t kMaxIndexedSegments = 1'000'000;
constexpr std::size_t kMaxPartsPerSegment = 4096;

struct IndexedRendition {
  std::uint32_t era = 0;
  RenditionInfo info;
  std::string init;
  media::Rational frame_rate;
};
struct IndexedSegment {
  std::string rendition;
  std::uint64_t number = 0;
  std::uint32_t era = 0;
  bool discontinuity = false;
  Ticks start;
  std::uint64_t first_part = 0;
  std::string init;
};
struct IndexedPart {
  std::string rendition;
  std::uint64_t segment = 0;
  Part part;
};
struct IndexedClose {
  std::string rendition;
  std::uint64_t number = 0;
  bool gap = false;
  Ticks start;
  Ticks duration;
  std::uint64_t bytes = 0;
  Digest256 sha256{};
};
struct IndexedExpiry {
  std::string rendition;
  std::uint64_t before = 0;
};
struct IndexedUnlink {
  std::string rendition;
  std::uint64_t before = 0;
};
struct IndexedTiming {
  std::string rendition;
  GopTiming timing;
  std::string codec;
  std::uint32_t width = 0;
  std::uint32_t height = 0;
};
using IndexRecord = std::variant<Era, IndexedRendition, IndexedSegment, IndexedPart, IndexedClose,
                                 IndexedExpiry, IndexedUnlink, IndexedTiming>;

// What the records add up to.
class SpoolIndex {
 public:
  struct KeptSegment {
    IndexedSegment opened;
    std::vector<Part> parts;  // of the newest segments only
    bool complete = false;
    IndexedClose closed;
  };
  struct Rendition {
    std::vector<IndexedRendition> appearances;  // by era, ascending
    std::deque<KeptSegment> segments;
    std::uint64_t expired_before = 0;
    std::uint64_t next_part = 0;
    std::size_t place = 0;  // among the renditions, as they were told of first
  };

  // Errors: malformed (a record that does not fit what came before), limit.
  Result<void> apply(const IndexRecord& record);
  // Corrections at recovery, when files turn out not to hold what was indexed.
  void lose(const std::string& rendition, std::uint64_t number);
  void drop_parts_beyond(const std::string& rendition, std::uint64_t bytes);  // of the open segment
  // The whole index, header included: as few records as tell the same.
  Bytes encode() const;

  const std::vector<Era>& eras() const { return eras_; }
  const std::map<std::string, Rendition>& renditions() const { return renditions_; }
  // As they were told of first: the order of the feed or the file, whose first sound is the main
  // one.
  std::vector<std::pair<std::string_view, const Rendition*>> in_order() const;
  const std::optional<IndexedTiming>& timing() const { return timing_; }

 private:
  Result<void> on(const Era& record);
  Result<void> on(const IndexedRendition& record);
  Result<void> on(const IndexedSegment& record);
  Result<void> on(const IndexedPart& record);
  Result<void> on(const IndexedClose& record);
  Result<void> on(const IndexedExpiry& record);
  Result<void> on(const IndexedUnlink& record);
  Result<void> on(const IndexedTiming& record);
  Result<Rendition*> find(const std::string& id);
  void forget_eras();

  std::vector<Era> eras_;
  std::map<std::string, Rendition> renditions_;
  std::optional<IndexedTiming> timing_;
  std::size_t segments_ = 0;
};

void append_record(Bytes& out, const IndexRecord& record);
void append_header(Bytes& out);
// For fuzzing: `bodies`, each u8 length + body, as records with good checksums.
void frame_records(Bytes& out, ByteSpan bodies);

struct IndexScan {
  SpoolIndex index;
  std::size_t used = 0;  // bytes that hold valid records
  std::size_t records = 0;
  std::string stopped_by;  // why it did not read to the end; empty: it did
};
// Errors: config (not an index, or of another version; with the remedy). An empty file is a new
// index.
Result<IndexScan> scan_index(ByteSpan bytes);

}  // namespace kapok::packaging
