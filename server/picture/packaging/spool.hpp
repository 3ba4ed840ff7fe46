// The files of one channel's live window: <rendition>/<number>.m4s, <rendition>/init-<hash>.mp4 and
// the index. open() and recovered() belong to the caller before the first job; everything else runs
// on the writer thread only, in the order in which it was submitted. Bytes are written with pwritev
// straight from the packets' buffers, hashed on the way, and indexed before the caller hears of it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/base/crypto.hpp"
#include "server/picture/containers/cmaf/chunk.hpp"
#include "server/picture/packaging/disk_file.hpp"
#include "server/picture/packaging/image_files.hpp"
#include "server/picture/packaging/memory_reserve.hpp"
#include "server/picture/packaging/spare_files.hpp"
#include "server/picture/packaging/spool_index.hpp"

namespace kapok::packaging {

struct SpoolRecovery {
  std::size_t records = 0;
  std::string torn;  // why the index ended early; empty: it did not
  std::size_t segments = 0;
  std::size_t lost_segments = 0;  // indexed, but their bytes are not all there
  std::size_t orphans = 0;        // files that were never indexed, removed
};

struct SegmentDone {
  bool gap = false;
  std::uint64_t bytes = 0;
  Digest256 sha256{};
  std::shared_ptr<const SpoolFile> file;  // null for a gap
};

class Spool {
 public:
  // `reserve`: of the file system it lies on; null for none.
  explicit Spool(std::filesystem::path directory, std::shared_ptr<MemoryReserve> reserve = nullptr)
      : directory_(std::move(directory)), images_(directory_), reserve_(std::move(reserve)) {}

  // Reads the index, checks that the files are there, closes what a killed server left open, and
  // writes a fresh index. Errors: config, io.
  Result<SpoolRecovery> open();
  const SpoolIndex& index() const { return index_; }
  ImageFiles& images() { return images_; }
  Result<Buffer> read_init(const std::string& rendition, const std::string& name) const;
  std::shared_ptr<const SpoolFile> file_of(const std::string& rendition, std::uint64_t number);

  // An era, rendition, expiry or timing. What cannot be written now is written with the next record
  // that can be.
  void record(const IndexRecord& record);
  Result<void> write_init(const std::string& rendition, const std::string& name,
                          const Buffer& bytes);
  // `opening` comes with a segment's first part. After a failure the rest of the segment is refused
  // (Errc::closed) and it ends as a gap. Gives the part's place, and the file for a first part.
  struct PartDone {
    std::uint64_t offset = 0;
    std::shared_ptr<const SpoolFile> file;
  };
  Result<PartDone> write_part(const std::optional<IndexedSegment>& opening, IndexedPart part,
                              const cmaf::Chunk& chunk);
  // The caller lost a part before it came here.
  void damage(const std::string& rendition);
  SegmentDone close_segment(const IndexedSegment& segment, Ticks duration);
  void write_gap(const IndexedSegment& segment, Ticks duration);
  // Index first, then the files: a name that is gone is never listed. What is not removed at once
  // (see spare_files.hpp) a restart removes.
  void unlink_before(const std::string& rendition, std::uint64_t before);
  // Room left on the file system, what the reserve holds with it; nullopt where it cannot be told.
  std::optional<std::uint64_t> available_bytes() const;

 private:
  struct Writing {
    std::uint64_t number = 0;
    std::shared_ptr<DiskFile> file;
    int descriptor = -1;
    std::uint64_t bytes = 0;
    bool reused = false;  // the file may be longer than `bytes`
    Sha256 hash;
    bool opened = false;  // its segment record is in the index
    bool damaged = false;
  };
  std::filesystem::path path_of(const std::string& rendition, std::uint64_t number) const;
  Result<Writing> begin(const IndexedSegment& segment);
  void commit(const IndexRecord& record);
  Result<void> append_to_index(const Bytes& bytes);
  Result<void> rotate_index();
  void check_files(SpoolRecovery& recovery);
  void make_room();
  std::optional<Ticks> led_duration(const std::string& rung, std::uint64_t number) const;
  void close_left_open(const std::string& id);
  void remove_orphans(SpoolRecovery& recovery);

  std::filesystem::path directory_;
  ImageFiles images_;
  SpoolIndex index_;
  FileHandle index_file_;
  std::uint64_t index_bytes_ = 0;      // written to the index file
  std::uint64_t compacted_bytes_ = 0;  // of those, what the last rotation needed
  bool index_behind_ = false;          // a record could not be written: rotate before the next one
  std::map<std::string, Writing> writing_;
  SpareFiles spares_;
  std::shared_ptr<MemoryReserve> reserve_;
};

}  // namespace kapok::packaging
