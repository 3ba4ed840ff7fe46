#include "server/picture/packaging/spare_files.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <utility>

namespace kapok::packaging {

namespace {

// A segment leaves for each that begins. The second is for one that somebody still reads.
constexpr std::size_t kSparesOfRendition = 2;

}  // namespace

void SpareFiles::handed_out(const std::string& rendition, std::uint64_t number,
                            const std::shared_ptr<const SpoolFile>& file) {
  if (enabled_) renditions_[rendition].readers[number].push_back(file);
}

void SpareFiles::put(const std::string& rendition, std::uint64_t number,
                     std::filesystem::path path) {
  if (!enabled_) {
    ::unlink(path.c_str());
    return;
  }
  Rendition& of = renditions_[rendition];
  if (number < of.left_before) return;
  of.left_before = number + 1;
  Spare spare{std::move(path), {}};
  if (auto node = of.readers.extract(number)) spare.readers = std::move(node.mapped());
  of.readers.erase(of.readers.begin(), of.readers.lower_bound(number));  // of gaps
  if (may_swap_()) {
    ::unlink(spare.path.c_str());
    return;
  }
  of.spares.push_back(std::move(spare));
  if (of.spares.size() <= kSparesOfRendition) return;
  ::unlink(of.spares.front().path.c_str());
  of.spares.pop_front();
}

std::optional<FileHandle> SpareFiles::take(const std::string& rendition,
                                           const std::filesystem::path& path) {
  const auto found = renditions_.find(rendition);
  if (found == renditions_.end()) return std::nullopt;
  if (may_swap_()) clear();
  std::deque<Spare>& spares = found->second.spares;
  const auto free = std::ranges::find_if(spares, [](const Spare& spare) {
    return std::ranges::all_of(spare.readers, [](const auto& file) { return file.expired(); });
  });
  if (free == spares.end()) return std::nullopt;
  // What the last reader read, it read before the bytes change.
  std::atomic_thread_fence(std::memory_order_acquire);
  const std::filesystem::path old = std::move(free->path);
  spares.erase(free);
  FileHandle file(::open(old.c_str(), O_RDWR | O_CLOEXEC));
  if (file.is_open() && ::rename(old.c_str(), path.c_str()) == 0) return file;
  ::unlink(old.c_str());
  return std::nullopt;
}

void SpareFiles::clear() {
  for (auto& [id, rendition] : renditions_)
    for (const Spare& spare : std::exchange(rendition.spares, {})) ::unlink(spare.path.c_str());
}

}  // namespace kapok::packaging
