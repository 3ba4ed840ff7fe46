// One rendition of a file, cut into the segments of all. The worker says where segments begin
// before it sends anything of them; pictures are cut at the first sync packet there, sound at the
// first frame. Segment n of every rendition covers the same time: one without samples is a gap.
// Pure, bounded by the largest segment.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "server/base/result.hpp"
#include "server/media/packet.hpp"
#include "server/picture/containers/cmaf/chunk.hpp"

namespace kapok::vod {

// 8K at 400 Mb/s for 8 s; a segment is in memory until it is whole.
constexpr std::size_t kMaxSegmentBytes = std::size_t{512} << 20;
constexpr std::size_t kMaxSegmentSamples = 60'000;

struct CutSegment {
  std::uint64_t number = 0;
  media::Ticks start;  // pts of its first sample
  media::Ticks duration;
  std::vector<cmaf::Sample> samples;  // none: a gap
};

// Where segments begin, in all renditions: first() at(first()), and so on.
class Boundaries {
 public:
  explicit Boundaries(std::uint64_t first) : first_(first) {}
  // Errors: malformed, one that is not later than the last.
  Result<void> add(nanoseconds at);
  std::uint64_t first() const { return first_; }
  std::uint64_t end() const { return first_ + times_.size(); }  // after the last
  nanoseconds at(std::uint64_t number) const { return times_[number - first_]; }
  // The segment that begins there, give or take the rounding of timescales.
  std::optional<std::uint64_t> number_at(nanoseconds time) const;

 private:
  std::uint64_t first_;
  std::vector<nanoseconds> times_;
};

class Cutter {
 public:
  Cutter(std::shared_ptr<const media::Track> track, const Boundaries& boundaries);

  // Appends what is whole now. Errors: malformed, limit.
  Result<void> append(media::Packet packet, std::vector<CutSegment>& out);
  // The file has ended: what is left is the last segment, all that are missing are gaps.
  void finish(std::vector<CutSegment>& out);

  const media::Track& track() const { return *track_; }
  // Segments before it have been cut.
  std::uint64_t next() const { return next_; }
  // The newest picture or sound; zero: none yet.
  nanoseconds reached() const { return reached_; }

 private:
  media::Ticks begin_of(std::uint64_t number) const;
  bool opens(const media::Packet& packet, std::uint64_t number) const;
  void close(const media::Packet* next, std::optional<media::Ticks> end,
             std::vector<CutSegment>& out);
  void gaps_before(std::uint64_t number, std::vector<CutSegment>& out);

  std::shared_ptr<const media::Track> track_;
  const Boundaries& boundaries_;
  bool open_ = false;
  std::uint64_t next_;  // the number that is open, or will be
  std::vector<media::Packet> packets_;
  std::size_t bytes_ = 0;
  nanoseconds reached_{0};
};

}  // namespace kapok::vod
