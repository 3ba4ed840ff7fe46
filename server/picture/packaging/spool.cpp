#include "server/picture/packaging/spool.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <charconv>
#include <system_error>

namespace kapok::packaging {

namespace {

namespace fs = std::filesystem;

// An index is rewritten when most of it speaks of segments that are gone, and not below this: a
// rewrite a minute is cheap, one a second is not.
constexpr std::uint64_t kRotateBytes = 512 * 1024;
constexpr std::size_t kMaxIndexBytes = std::size_t{1} << 30;

std::uint64_t size_of(const fs::path& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return 0;
  return static_cast<std::uint64_t>(status.st_size);
}

// In place of one that was never indexed, if there is one.
Result<FileHandle> create(const fs::path& path) {
  constexpr int kFlags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC;
  int descriptor = ::open(path.c_str(), kFlags, 0644);
  if (descriptor < 0 && errno == EEXIST && ::unlink(path.c_str()) == 0)
    descriptor = ::open(path.c_str(), kFlags, 0644);
  if (descriptor >= 0) return FileHandle(descriptor);
  const int number = errno;
  Error error = system_error(number, "create " + path.string());
  if (number == ENOSPC || number == EDQUOT) error.code = Errc::full;
  return std::unexpected(std::move(error));
}

bool lies_in_memory(const fs::path& path) {
  struct statfs status{};
  return ::statfs(path.c_str(), &status) == 0 && status.f_type == TMPFS_MAGIC;
}

}  // namespace

fs::path Spool::path_of(const std::string& rendition, std::uint64_t number) const {
  return directory_ / rendition / fmt::format("{}.m4s", number);
}

std::shared_ptr<const SpoolFile> Spool::file_of(const std::string& rendition,
                                                std::uint64_t number) {
  auto file = std::make_shared<DiskFile>(path_of(rendition, number));
  spares_.handed_out(rendition, number, file);
  return file;
}

Result<SpoolRecovery> Spool::open() {
  std::error_code error;
  fs::create_directories(directory_, error);
  if (error)
    return fail(Errc::config, "cannot create the spool folder {}: {}; check data.dir and its owner",
                directory_.string(), error.message());
  SpoolRecovery recovery;
  const fs::path path = directory_ / "index";
  if (fs::exists(path, error)) {
    const Bytes bytes = KAPOK_TRY(read_file(path, kMaxIndexBytes));
    auto scanned = scan_index(bytes);
    if (!scanned) return std::unexpected(std::move(scanned).error().within(path.string()));
    recovery.records = scanned->records;
    recovery.torn = std::move(scanned->stopped_by);
    index_ = std::move(scanned->index);
    check_files(recovery);
  }
  remove_orphans(recovery);
  if (auto rotated = rotate_index(); !rotated)
    return fail(Errc::config, "cannot write the spool index: {}; check data.dir and its owner",
                rotated.error().message);
  if (lies_in_memory(directory_)) spares_.enable();
  return recovery;
}

void Spool::check_files(SpoolRecovery& recovery) {
  std::vector<std::string> ids;
  for (const auto& [id, rendition] : index_.renditions()) ids.push_back(id);
  // Rungs after what they are held against.
  std::ranges::partition(ids, [&](const std::string& id) {
    const auto& appearances = index_.renditions().at(id).appearances;
    return appearances.empty() || !appearances.back().info.rung;
  });
  for (const std::string& id : ids) {
    close_left_open(id);
    std::vector<std::uint64_t> lost;
    for (const SpoolIndex::KeptSegment& segment : index_.renditions().at(id).segments) {
      ++recovery.segments;
      if (segment.closed.gap) continue;
      if (size_of(path_of(id, segment.opened.number)) < segment.closed.bytes)
        lost.push_back(segment.opened.number);
    }
    for (const std::uint64_t number : lost) index_.lose(id, number);
    recovery.lost_segments += lost.size();
  }
}

// How long the feed's rendition has that segment of a rung; nothing where there is no such.
std::optional<Ticks> Spool::led_duration(const std::string& rung, std::uint64_t number) const {
  const RenditionInfo& info = index_.renditions().at(rung).appearances.back().info;
  if (!info.rung) return std::nullopt;
  for (const auto& [id, rendition] : index_.renditions()) {
    if (rendition.appearances.empty()) continue;
    const RenditionInfo& led = rendition.appearances.back().info;
    if (led.rung || led.kind != info.kind) continue;
    for (const SpoolIndex::KeptSegment& segment : rendition.segments)
      if (segment.opened.number == number && segment.complete)
        return media::rescale(segment.closed.duration, led.timescale, info.timescale);
  }
  return std::nullopt;
}

// What was indexed of an unfinished segment stays valid: it ends with its last part. Of a rung it
// must be as long as the source's, see segmenter.hpp.
void Spool::close_left_open(const std::string& id) {
  const auto& segments = index_.renditions().at(id).segments;
  if (segments.empty() || segments.back().complete) return;
  const std::uint64_t number = segments.back().opened.number;
  const fs::path path = path_of(id, number);
  index_.drop_parts_beyond(id, size_of(path));
  const SpoolIndex::KeptSegment& segment = index_.renditions().at(id).segments.back();
  IndexedClose close{id, number, true, segment.opened.start, {}, 0, {}};
  if (!segment.parts.empty()) {
    const Part& last = segment.parts.back();
    close.gap = false;
    close.duration = last.start + last.duration - segment.opened.start;
    close.bytes = last.offset + last.size;
    if (const auto bytes = read_file(path, kMaxIndexBytes); bytes && bytes->size() >= close.bytes)
      close.sha256 = sha256(ByteSpan(*bytes).first(close.bytes));
    else
      close.gap = true;
  } else {
    const Timescale timescale = index_.renditions().at(id).appearances.back().info.timescale;
    close.duration = media::from_microseconds(seconds(1), timescale);
  }
  const RenditionInfo& info = index_.renditions().at(id).appearances.back().info;
  const auto led = led_duration(id, number);
  if (led) {
    const Ticks slack = media::from_microseconds(info.part_target / 4, info.timescale);
    close.gap = close.gap || close.duration + slack < *led;
    close.duration = *led;
  }
  const auto applied = index_.apply(close);
  assert(applied);
  (void)applied;
  if (close.gap) index_.lose(id, number);
}

// A segment whose first part was never indexed would be in the way of the one that takes its
// number. Only names that we make are touched.
void Spool::remove_orphans(SpoolRecovery& recovery) {
  std::error_code error;
  for (const auto& folder : fs::directory_iterator(directory_, error)) {
    if (!folder.is_directory(error)) continue;
    const std::string id = folder.path().filename().string();
    const auto found = index_.renditions().find(id);
    std::error_code inner;
    for (const auto& file : fs::directory_iterator(folder.path(), inner)) {
      if (file.path().extension() != ".m4s") continue;
      const std::string name = file.path().stem().string();
      std::uint64_t number = 0;
      const auto [end, wrong] = std::from_chars(name.data(), name.data() + name.size(), number);
      if (wrong != std::errc() || end != name.data() + name.size()) continue;
      const bool known =
          found != index_.renditions().end() &&
          std::any_of(found->second.segments.begin(), found->second.segments.end(),
                      [&](const auto& s) { return s.opened.number == number && !s.closed.gap; });
      if (known) continue;
      if (::unlink(file.path().c_str()) == 0) ++recovery.orphans;
    }
  }
}

Result<Buffer> Spool::read_init(const std::string& rendition, const std::string& name) const {
  constexpr std::size_t kMaxInitBytes = 1024 * 1024;
  return Buffer(KAPOK_TRY(read_file(directory_ / rendition / name, kMaxInitBytes)));
}

Result<void> Spool::write_init(const std::string& rendition, const std::string& name,
                               const Buffer& bytes) {
  std::error_code error;
  fs::create_directories(directory_ / rendition, error);
  if (error) return fail(Errc::io, "create folder for {}: {}", rendition, error.message());
  const fs::path path = directory_ / rendition / name;
  if (size_of(path) == bytes.size()) return {};  // named by its hash
  KAPOK_TRY(replace_file(path, bytes.bytes()));
  return {};
}

Result<void> Spool::rotate_index() {
  const Bytes bytes = index_.encode();
  index_file_ = KAPOK_TRY(replace_file(directory_ / "index", bytes));
  index_bytes_ = compacted_bytes_ = bytes.size();
  index_behind_ = false;
  return {};
}

Result<void> Spool::append_to_index(const Bytes& bytes) {
  if (index_behind_) KAPOK_TRY(rotate_index());
  // At a tracked offset: what a failed write left behind is overwritten by the next one.
  KAPOK_TRY(write_all(index_file_.get(), {vector_of(bytes)}, index_bytes_));
  index_bytes_ += bytes.size();
  return {};
}

void Spool::commit(const IndexRecord& record) {
  const auto applied = index_.apply(record);
  assert(applied && "the spool wrote a record that does not fit its own index");
  (void)applied;
}

void Spool::record(const IndexRecord& record) {
  Bytes bytes;
  append_record(bytes, record);
  const auto written = append_to_index(bytes);
  commit(record);
  if (!written) index_behind_ = true;
}

Result<Spool::Writing> Spool::begin(const IndexedSegment& segment) {
  const fs::path path = path_of(segment.rendition, segment.number);
  Writing writing;
  writing.number = segment.number;
  auto spare = spares_.take(segment.rendition, path);
  writing.reused = spare.has_value();
  FileHandle file = spare ? std::move(*spare) : KAPOK_TRY(create(path));
  writing.descriptor = file.get();
  writing.file = std::make_shared<DiskFile>(path, std::move(file));
  spares_.handed_out(segment.rendition, segment.number, writing.file);
  return writing;
}

Result<Spool::PartDone> Spool::write_part(const std::optional<IndexedSegment>& opening,
                                          IndexedPart part, const cmaf::Chunk& chunk) {
  if (opening) {
    writing_.erase(part.rendition);
    Writing damaged;
    damaged.number = opening->number;
    damaged.damaged = true;
    auto begun = begin(*opening);
    if (!begun) {
      writing_.emplace(part.rendition, std::move(damaged));
      return std::unexpected(std::move(begun).error());
    }
    writing_.emplace(part.rendition, std::move(*begun));
  }
  const auto found = writing_.find(part.rendition);
  if (found == writing_.end() || found->second.damaged || found->second.number != part.segment)
    return fail(Errc::closed, "segment {} of {} has a hole", part.segment, part.rendition);
  Writing& writing = found->second;
  part.part.offset = writing.bytes;
  part.part.size = static_cast<std::uint32_t>(chunk.size);
  std::vector<iovec> vectors;
  vectors.reserve(chunk.samples.size() + 1);
  vectors.push_back(vector_of(chunk.head));
  for (const Buffer& sample : chunk.samples) vectors.push_back(vector_of(sample.bytes()));
  Bytes records;
  if (opening) append_record(records, *opening);
  append_record(records, part);
  if (reserve_ && !writing.reused) reserve_->give_up(chunk.size);
  auto written = write_all(writing.descriptor, std::move(vectors), writing.bytes);
  if (written) written = append_to_index(records);
  if (!written) {
    writing.damaged = true;
    if (written.error().code == Errc::full) make_room();
    return std::unexpected(std::move(written).error());
  }
  if (opening) {
    commit(*opening);
    writing.opened = true;
  }
  commit(part);
  writing.bytes += chunk.size;
  writing.hash.update(chunk.head);
  for (const Buffer& sample : chunk.samples) writing.hash.update(sample.bytes());
  return PartDone{part.part.offset, opening ? writing.file : nullptr};
}

void Spool::make_room() {
  spares_.clear();
  if (reserve_) reserve_->give_up_all();
}

void Spool::damage(const std::string& rendition) {
  writing_[rendition].damaged = true;
}

SegmentDone Spool::close_segment(const IndexedSegment& segment, Ticks duration) {
  SegmentDone done;
  const auto found = writing_.find(segment.rendition);
  const bool ours = found != writing_.end() && found->second.number == segment.number;
  const bool whole = ours && found->second.opened && !found->second.damaged;
  IndexedClose close{segment.rendition, segment.number, !whole, segment.start, duration, 0, {}};
  if (whole) {
    close.bytes = done.bytes = found->second.bytes;
    close.sha256 = done.sha256 = found->second.hash.finish();
    done.file = file_of(segment.rendition, segment.number);
    if (found->second.reused) {
      const int cut = ::ftruncate(found->second.descriptor, static_cast<off_t>(close.bytes));
      (void)cut;  // if it failed, the file is longer than its record says, which nobody minds
    }
  } else {
    done.gap = true;
    if (!ours || !found->second.opened) record(segment);
    ::unlink(path_of(segment.rendition, segment.number).c_str());
  }
  if (ours) writing_.erase(found);
  record(close);
  if (index_bytes_ > std::max(kRotateBytes, 4 * compacted_bytes_) && !rotate_index())
    index_behind_ = true;
  return done;
}

void Spool::write_gap(const IndexedSegment& segment, Ticks duration) {
  record(segment);
  record(IndexedClose{segment.rendition, segment.number, true, segment.start, duration, 0, {}});
}

void Spool::unlink_before(const std::string& rendition, std::uint64_t before) {
  std::vector<std::uint64_t> gone;
  for (const SpoolIndex::KeptSegment& segment : index_.renditions().at(rendition).segments)
    if (segment.opened.number < before && !segment.closed.gap)
      gone.push_back(segment.opened.number);
  record(IndexedUnlink{rendition, before});
  for (const std::uint64_t number : gone)
    spares_.put(rendition, number, path_of(rendition, number));
}

std::optional<std::uint64_t> Spool::available_bytes() const {
  struct statvfs status{};
  if (::statvfs(directory_.c_str(), &status) != 0) return std::nullopt;
  return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize +
         (reserve_ ? reserve_->held() : 0);
}

}  // namespace kapok::packaging
