// What one item of the library has on disk: <rendition>/<number>.m4s, <rendition>/init-<hash>.mp4,
// its still pictures as a channel's (image_files.hpp), and an index in the format of a channel's
// spool (spool_index.hpp), of whole segments only. A segment is indexed once its bytes are on the
// disk, so whatever the index says is there after a kill, or a power cut. Calls block; the
// library's thread.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/picture/packaging/closed_window.hpp"
#include "server/picture/packaging/disk_file.hpp"
#include "server/picture/packaging/image_files.hpp"
#include "server/picture/packaging/spool_index.hpp"
#include "server/picture/vod/cutter.hpp"

namespace kapok::vod {

class ItemFolder {
 public:
  explicit ItemFolder(std::filesystem::path folder)
      : folder_(std::move(folder)), images_(folder_) {}

  // Reads what there is; what is not whole is no part of it. Errors: io, config.
  Result<void> open();
  // Begins anew, without anything: another run has other names.
  Result<void> start_over(std::uint32_t run, milliseconds segment);
  // How many segments every one of these renditions has, and where the next one begins in `leading`
  // (nullopt: nothing is kept).
  struct Kept {
    std::uint64_t segments = 0;
    std::optional<nanoseconds> end;
  };
  Kept kept(const std::string& leading) const;
  // Forgets what is after so many segments in each rendition.
  Result<void> rewind(std::uint64_t segments);

  // New, or the same again. Errors: io, conflict (another one under that name).
  Result<void> add_rendition(const std::string& id, const media::Track& track, bool rung);
  Result<void> append(const std::string& rendition, const CutSegment& segment);

  // Of several the one that shows most: in bytes of JPEG. Only those of the film's beginning come
  // into question, so that the end is not given away. Errors: io, full.
  Result<void> offer_poster(const media::Image& image, nanoseconds at);
  Result<void> add_thumbnail(std::uint64_t number, const media::Image& image);

  bool empty() const { return index_.renditions().empty(); }
  std::uint64_t bytes() const;
  // What delivery serves. Errors: malformed, io.
  Result<packaging::ClosedItem> closed(const std::string& id);

 private:
  std::filesystem::path path_of(const std::string& rendition, std::uint64_t number) const;
  Result<void> write_index(const packaging::SpoolIndex& index);
  Result<void> record(const std::vector<packaging::IndexRecord>& records);

  std::filesystem::path folder_;
  packaging::ImageFiles images_;
  packaging::SpoolIndex index_;
  packaging::FileHandle index_file_;
  std::uint64_t index_bytes_ = 0;
};

}  // namespace kapok::vod
