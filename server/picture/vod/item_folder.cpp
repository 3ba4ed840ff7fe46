#include "server/picture/vod/item_folder.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <iterator>
#include <limits>

#include "server/picture/containers/cmaf/init.hpp"
#include "server/picture/wire/messages.hpp"

namespace kapok::vod {

namespace {

namespace fs = std::filesystem;
using packaging::IndexedClose;
using packaging::IndexedRendition;
using packaging::IndexedSegment;
using packaging::SpoolIndex;

constexpr std::uint32_t kEra = 1;
constexpr std::size_t kMaxIndexBytes = std::size_t{256} << 20;
constexpr std::size_t kMaxInitBytes = std::size_t{1} << 20;
constexpr std::string_view kIndex = "index";
// After the titles, before anything is given away.
constexpr nanoseconds kPosterWithin = std::chrono::minutes(5);

std::string init_name(ByteSpan init) {
  const Digest256 digest = sha256(init);
  return "init-" + to_hex(ByteSpan(digest).first(8)) + ".mp4";
}

std::uint32_t bits_per_second(std::uint64_t bytes, media::Ticks duration, media::Timescale scale) {
  const double rate = static_cast<double>(bytes) * 8 * scale / static_cast<double>(duration.count);
  return static_cast<std::uint32_t>(
      std::clamp(std::ceil(rate), 1.0, double{std::numeric_limits<std::uint32_t>::max()}));
}

// [RFC 8216bis 4.4.6.2] the peak over any segment, and the mean.
void measure(packaging::ClosedRendition& rendition) {
  std::uint64_t bytes = 0;
  media::Ticks duration;
  for (const packaging::ClosedSegment& segment : rendition.segments) {
    bytes += segment.bytes;
    duration += segment.duration;
    rendition.info.bandwidth =
        std::max(rendition.info.bandwidth,
                 bits_per_second(segment.bytes, segment.duration, rendition.info.timescale));
  }
  if (duration.count > 0)
    rendition.info.average_bandwidth = bits_per_second(bytes, duration, rendition.info.timescale);
}

}  // namespace

fs::path ItemFolder::path_of(const std::string& rendition, std::uint64_t number) const {
  return folder_ / rendition / fmt::format("{}.m4s", number);
}

Result<void> ItemFolder::open() {
  std::error_code error;
  fs::create_directories(folder_, error);
  if (error)
    return fail(Errc::config, "cannot create {}: {}; check data.dir and its owner",
                folder_.string(), error.message());
  const fs::path path = folder_ / kIndex;
  SpoolIndex index;
  if (fs::exists(path, error)) {
    const Bytes bytes = KAPOK_TRY(packaging::read_file(path, kMaxIndexBytes));
    auto scanned = packaging::scan_index(bytes);
    if (!scanned) return std::unexpected(std::move(scanned).error().within(path.string()));
    index = std::move(scanned->index);
  }
  KAPOK_TRY(write_index(index));
  // A power cut may have taken bytes that were indexed.
  std::uint64_t whole = std::numeric_limits<std::uint64_t>::max();
  for (const auto& [id, rendition] : index_.renditions())
    for (const auto& segment : rendition.segments) {
      const auto size = fs::file_size(path_of(id, segment.opened.number), error);
      const bool there = segment.closed.gap || (!error && size >= segment.closed.bytes);
      if (!segment.complete || !there) whole = std::min(whole, segment.opened.number - 1);
    }
  if (whole == std::numeric_limits<std::uint64_t>::max()) return {};
  return rewind(whole);
}

Result<void> ItemFolder::start_over(std::uint32_t run, milliseconds segment) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder_, error))
    if (entry.is_directory(error)) fs::remove_all(entry.path(), error);
  images_.remove_poster();
  KAPOK_TRY(write_index({}));
  packaging::Era era;
  era.id = kEra;
  era.start_utc = UtcTime(std::chrono::duration_cast<microseconds>(wire::kFileBegin));
  era.base = 1;
  era.segment_duration = segment;
  era.discontinuity_sequence = run;
  return record({era});
}

ItemFolder::Kept ItemFolder::kept(const std::string& leading) const {
  Kept kept{std::numeric_limits<std::uint64_t>::max(), std::nullopt};
  if (index_.renditions().empty()) return {};
  for (const auto& [id, rendition] : index_.renditions())
    kept.segments = std::min<std::uint64_t>(kept.segments, rendition.segments.size());
  const auto found = index_.renditions().find(leading);
  if (found == index_.renditions().end() || kept.segments == 0) return {};
  const auto& last = found->second.segments[kept.segments - 1].closed;
  kept.end = media::to_nanoseconds(last.start + last.duration,
                                   found->second.appearances.back().info.timescale);
  return kept;
}

Result<void> ItemFolder::rewind(std::uint64_t segments) {
  SpoolIndex shorter;
  const auto keep = [&](const packaging::IndexRecord& record) { return shorter.apply(record); };
  for (const packaging::Era& era : index_.eras()) KAPOK_TRY(keep(era));
  for (const auto& [id, rendition] : index_.in_order()) {
    for (const IndexedRendition& appearance : rendition->appearances) KAPOK_TRY(keep(appearance));
    for (const auto& segment : rendition->segments) {
      if (segment.opened.number > segments) break;
      KAPOK_TRY(keep(segment.opened));
      KAPOK_TRY(keep(segment.closed));
    }
  }
  return write_index(shorter);
}

Result<void> ItemFolder::write_index(const SpoolIndex& index) {
  const Bytes bytes = index.encode();
  index_file_ = KAPOK_TRY(packaging::replace_file_synced(folder_ / kIndex, bytes));
  index_bytes_ = bytes.size();
  index_ = index;
  return {};
}

Result<void> ItemFolder::record(const std::vector<packaging::IndexRecord>& records) {
  Bytes bytes;
  for (const packaging::IndexRecord& record : records) packaging::append_record(bytes, record);
  KAPOK_TRY(packaging::write_all(index_file_.get(), {packaging::vector_of(bytes)}, index_bytes_));
  for (const packaging::IndexRecord& record : records) KAPOK_TRY(index_.apply(record));
  index_bytes_ += bytes.size();
  return {};
}

Result<void> ItemFolder::add_rendition(const std::string& id, const media::Track& track,
                                       bool rung) {
  const Bytes init = cmaf::write_init(track);
  const std::string name = init_name(init);
  const auto known = index_.renditions().find(id);
  if (known != index_.renditions().end()) {
    if (known->second.appearances.back().init == name) return {};
    if (!known->second.segments.empty())
      return fail(Errc::conflict, "{} comes with other parameters than before", id);
  }
  std::error_code error;
  fs::create_directories(folder_ / id, error);
  if (error) return fail(Errc::io, "create folder for {}: {}", id, error.message());
  KAPOK_TRY(packaging::replace_file_synced(folder_ / id / name, init));
  IndexedRendition record;
  record.era = kEra;
  record.info.id = id;
  record.info.kind = track.kind;
  record.info.language = track.language;
  record.info.timescale = track.timescale;
  record.info.rung = rung;
  record.init = name;
  if (const media::VideoFacts* video = track.video()) record.frame_rate = video->frame_rate;
  return this->record({record});
}

Result<void> ItemFolder::append(const std::string& id, const CutSegment& segment) {
  const auto found = index_.renditions().find(id);
  if (found == index_.renditions().end()) return fail(Errc::internal, "{} was never told", id);
  IndexedSegment opened{id,
                        segment.number,
                        kEra,
                        false,
                        segment.start,
                        segment.number - 1,
                        found->second.appearances.back().init};
  IndexedClose closed{
      id, segment.number, segment.samples.empty(), segment.start, segment.duration, 0, {}};
  if (segment.samples.empty()) return record({opened, closed});
  cmaf::ChunkSpec spec;
  spec.sequence = static_cast<std::uint32_t>(segment.number);
  spec.place = cmaf::ChunkPlace::opens_segment;
  const cmaf::Chunk chunk = cmaf::write_chunk(spec, segment.samples);
  std::vector<iovec> parts{packaging::vector_of(chunk.head)};
  Sha256 hash;
  hash.update(chunk.head);
  for (const Buffer& sample : chunk.samples) {
    parts.push_back(packaging::vector_of(sample.bytes()));
    hash.update(sample.bytes());
  }
  const fs::path path = path_of(id, segment.number);
  const packaging::FileHandle file(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!file.is_open()) return std::unexpected(system_error(errno, "create " + path.string()));
  KAPOK_TRY(packaging::write_all(file.get(), std::move(parts), 0));
  if (::fdatasync(file.get()) != 0)
    return std::unexpected(system_error(errno, "sync " + path.string()));
  closed.bytes = chunk.size;
  closed.sha256 = hash.finish();
  return record({opened, closed});
}

Result<void> ItemFolder::offer_poster(const media::Image& image, nanoseconds at) {
  if (at > wire::kFileBegin + kPosterWithin || image.jpeg.size() <= images_.poster_bytes())
    return {};
  KAPOK_TRY(images_.write_poster(image));
  return {};
}

Result<void> ItemFolder::add_thumbnail(std::uint64_t number, const media::Image& image) {
  KAPOK_TRY(images_.write_thumbnail(number, image));
  return {};
}

std::uint64_t ItemFolder::bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& [id, rendition] : index_.renditions())
    for (const auto& segment : rendition.segments) bytes += segment.closed.bytes;
  return bytes;
}

Result<packaging::ClosedItem> ItemFolder::closed(const std::string& id) {
  if (index_.eras().empty()) return fail(Errc::malformed, "the index of {} is empty", id);
  packaging::ClosedItem item;
  item.id = id;
  item.folder = folder_;
  item.run = index_.eras().back().discontinuity_sequence;
  item.timescale = 1000;
  item.begin = media::from_microseconds(index_.eras().back().start_utc.time_since_epoch(), 1000);
  std::vector<packaging::ClosedRendition> rungs;
  for (const auto& [name, rendition] : index_.in_order()) {
    if (rendition->segments.empty()) continue;
    const IndexedRendition& appearance = rendition->appearances.back();
    packaging::ClosedRendition out;
    out.info = appearance.info;
    auto init = std::make_shared<packaging::InitSegment>();
    init->name = appearance.init;
    init->bytes =
        Buffer(KAPOK_TRY(packaging::read_file(folder_ / name / init->name, kMaxInitBytes)));
    auto track = std::make_shared<media::Track>(*KAPOK_TRY(cmaf::read_init(init->bytes, 1)));
    if (auto* video = std::get_if<media::VideoFacts>(&track->facts))
      video->frame_rate = appearance.frame_rate;
    init->track = std::move(track);
    out.init = std::move(init);
    for (const auto& segment : rendition->segments) {
      const auto& closed = segment.closed;
      out.segments.push_back({closed.start, closed.duration, closed.bytes,
                              fmt::format("\"{}\"", to_hex(ByteSpan(closed.sha256).first(8)))});
    }
    measure(out);
    auto& part = out.info.rung ? rungs : item.renditions;
    part.push_back(std::move(out));
  }
  // As a live window has them: the source first, in the file's order, then the rungs by name.
  std::ranges::sort(rungs, {}, [](const auto& one) { return std::string_view(one.info.id); });
  std::ranges::move(rungs, std::back_inserter(item.renditions));
  if (item.renditions.empty()) return fail(Errc::malformed, "{} has no rendition", id);
  const std::uint64_t segments = item.renditions.front().segments.size();
  auto stills =
      images_.recover([&](std::uint64_t number) { return number > 0 && number <= segments; });
  item.poster = std::move(stills.poster);
  item.thumbnails = std::move(stills.thumbnails);
  return item;
}

}  // namespace kapok::vod
