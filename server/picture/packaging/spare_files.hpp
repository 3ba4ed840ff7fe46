// Files of segments that have left the window, which the next segments are written over. A tmpfs
// has to find memory for each new file, and so has the host of a virtual machine whose guest gives
// back what it frees (a third of the CPU of 128 feeds: tests/bench/ingest). A file is taken only
// when no SpoolFile of it is left, so nobody sees its bytes change. Only on a tmpfs: on a disk a
// power cut could leave an old segment's bytes under the record of a new one, where a new file is
// too short and known to be. Nor where memory is short and the kernel moves the oldest pages of the
// tmpfs to swap: it would take a new segment in old pages for old, and read pages back only to have
// them written over. Writer thread only.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "server/picture/packaging/disk_file.hpp"
#include "server/picture/packaging/machine_memory.hpp"

namespace kapok::packaging {

class SpareFiles {
 public:
  // `may_swap` is asked about the machine whenever a segment leaves or begins.
  explicit SpareFiles(std::function<bool()> may_swap = machine_may_swap)
      : may_swap_(std::move(may_swap)) {}
  SpareFiles(const SpareFiles&) = delete;
  SpareFiles& operator=(const SpareFiles&) = delete;
  // Removes what is there.
  ~SpareFiles() { clear(); }

  // Until then put() removes files as if there were no such thing.
  void enable() { enabled_ = true; }
  // Whoever has a SpoolFile of a segment keeps its file from being written over.
  void handed_out(const std::string& rendition, std::uint64_t number,
                  const std::shared_ptr<const SpoolFile>& file);
  // That segment has left the window, which may be said again. Kept for the rendition's next ones,
  // or removed.
  void put(const std::string& rendition, std::uint64_t number, std::filesystem::path path);
  // One that nobody reads is given that name, open for writing, its old bytes still in it. None:
  // there is none; make a file.
  std::optional<FileHandle> take(const std::string& rendition, const std::filesystem::path& path);
  // Removes all: their room is needed.
  void clear();

 private:
  using Readers = std::vector<std::weak_ptr<const SpoolFile>>;
  struct Spare {
    std::filesystem::path path;
    Readers readers;
  };
  struct Rendition {
    std::map<std::uint64_t, Readers> readers;  // by the segment's number
    std::uint64_t left_before = 0;             // all numbers below this
    std::deque<Spare> spares;                  // oldest first
  };
  const std::function<bool()> may_swap_;
  bool enabled_ = false;
  std::map<std::string, Rendition> renditions_;
};

}  // namespace kapok::packaging
