// The still pictures beside a channel's window: poster.jpg and
// thumbnails/<number>-<width>x<height>.jpg, numbered as the segments are. Each is written beside
// its place and renamed, so it is whole or not there, and its name says all that an index would.
// recover() belongs to the caller before the first job, the rest runs on the writer thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>

#include "server/base/buffer.hpp"
#include "server/media/image.hpp"
#include "server/picture/packaging/window.hpp"

namespace kapok::packaging {

// Where a thumbnail lies below the folder of its window.
std::filesystem::path path_below(const std::filesystem::path& directory,
                                 const Thumbnail& thumbnail);

class ImageFiles {
 public:
  explicit ImageFiles(std::filesystem::path directory) : directory_(std::move(directory)) {}

  // What is left of an earlier run. Thumbnails of segments that are not `kept` are removed.
  struct Recovery {
    std::shared_ptr<const Poster> poster;  // null: none
    std::vector<Thumbnail> thumbnails;     // ascending; without their era
    std::size_t orphans = 0;
  };
  Recovery recover(const std::function<bool(std::uint64_t number)>& kept);

  Result<std::shared_ptr<const Poster>> write_poster(const media::Image& image);
  Result<Thumbnail> write_thumbnail(std::uint64_t number, const media::Image& image);
  void unlink_before(std::uint64_t number);
  // Of the poster that there is; 0: none.
  std::uint64_t poster_bytes() const;
  void remove_poster();

 private:
  std::filesystem::path directory_;
  std::map<std::uint64_t, std::filesystem::path> thumbnails_;
};

}  // namespace kapok::packaging
