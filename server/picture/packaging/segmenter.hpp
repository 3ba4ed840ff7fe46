// Cuts one rendition's packets into segments and parts on the channel's grid. Pure: packets in,
// cuts out; the packager writes and announces them. A part is handed out the moment its last frame
// has arrived: the duration of that frame is predicted, and corrected in the next part's tfdt.
//
// Times here are media times: dts plus the era's decode shift (tfdt as the CMAF writer writes it),
// so a segment's start is the presentation time of its first picture.
//
// A rung is cut where the leading rendition was (sound: where the grid says), which is known when
// its packets come. What it has not got from there to there without a hole is a gap: a player that
// finds it goes to another rendition for this number and loses nothing, whereas a segment that is
// only partly there would stall it.
#pragma once

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "server/media/packet.hpp"
#include "server/picture/packaging/era_grid.hpp"
#include "server/picture/packaging/timing.hpp"

namespace kapok::packaging {

struct CutFrame {
  media::Packet packet;
  Ticks duration;
};

struct SegmentBegins {
  std::uint64_t number = 0;
  Ticks start;
  std::uint64_t first_part = 0;
};
struct PartCut {
  std::uint64_t segment = 0;
  std::uint64_t number = 0;
  Ticks start;
  Ticks duration;
  Ticks decode_shift;
  bool independent = false;
  bool opens_segment = false;
  std::vector<CutFrame> frames;
};
struct SegmentEnds {
  std::uint64_t number = 0;
  Ticks start;
  Ticks duration;
};
// A number without media: the rendition missed it.
struct SegmentMissed {
  std::uint64_t number = 0;
  Ticks start;
  Ticks duration;
  std::uint64_t first_part = 0;
};
// The leading rendition moved the grid: EraGrid::current() is new.
struct GridMoved {};
// A GOP outlasted the longest segment that TARGETDURATION allows: this segment starts without a
// sync packet.
struct CutWithoutSync {
  std::uint64_t number = 0;
};
// Of a rung: the open segment has a hole or will not be completed, and ends as a gap.
struct SegmentBroken {
  std::uint64_t number = 0;
};
// Of a rung: whatever the leading rendition lists before that number, and this one has not got, is
// a gap under the same number, of the same time.
struct MissedAsLed {
  std::uint64_t before = 0;
  std::uint64_t first_part = 0;
};
// Of a rung: it went on over the start of that segment without a sync picture there.
struct Misaligned {
  std::uint64_t number = 0;
};
using Cut = std::variant<SegmentBegins, PartCut, SegmentEnds, SegmentMissed, GridMoved,
                         CutWithoutSync, SegmentBroken, MissedAsLed, Misaligned>;

class Segmenter {
 public:
  struct Position {
    std::uint64_t next_segment = 0;
    std::uint64_t next_part = 0;
    // Whether its playlist already has segments: then numbers that it has not got become gaps; a
    // rendition that begins late simply begins with a later number.
    bool has_history = false;
    Ticks ended;  // of its last segment: a gap begins no earlier
  };
  Segmenter(EraGrid& grid, RenditionTiming timing, Position position);

  // dts must rise. Packets before the era's start, and before the first sync packet, are dropped.
  void append(const media::Packet& packet, std::vector<Cut>& out);
  // What is pending becomes a part (the feed is silent); the segment stays open.
  void flush(std::vector<Cut>& out);
  // Ends the open segment too.
  void finish(std::vector<Cut>& out);
  // Numbers before `number` that this rendition has not got are missed.
  void miss_until(std::uint64_t number, std::vector<Cut>& out);
  // Of a rung: what it has not completed of the numbers before that one will not come any more.
  void give_up(std::uint64_t before, std::vector<Cut>& out);

  Position position() const { return {next_segment_, next_part_, has_history_, segment_end_}; }
  const RenditionTiming& timing() const { return timing_; }
  std::optional<Ticks> last_gop() const { return last_gop_; }
  std::uint64_t dropped() const { return dropped_; }

 private:
  static constexpr std::int64_t kHoleFrames = 5;
  struct Open {
    std::uint64_t number = 0;
    Ticks start;
    Ticks end;  // of the last frame handed out or pending
    bool has_part = false;
    bool short_part = false;  // the last one handed out was cut short by a pause
    bool broken = false;      // of a rung: it has a hole
  };
  Ticks tolerance() const;
  bool ends_before(Ticks time, const media::Packet& packet, std::vector<Cut>& out);
  void open_at(Ticks time, const media::Packet& packet, std::vector<Cut>& out);
  void add(const media::Packet& packet, Ticks time);
  bool part_is_full() const;
  // A rung may go to half of its frame rate under way.
  Ticks duration_of(const media::Packet& packet) const;
  // More missing frames than this in a row: the feed was away.
  bool is_hole(Ticks time) const { return time - open_->end > timing_.frame * kHoleFrames; }
  void append_led(const media::Packet& packet, std::vector<Cut>& out);
  bool open_led(const media::Packet& packet, std::vector<Cut>& out);
  void close_led(Ticks end, std::vector<Cut>& out);
  void break_open(std::vector<Cut>& out);
  std::optional<Ticks> led_end() const;
  Ticks half_frame() const { return {timing_.frame.count / 2}; }
  void close_at(Ticks time, std::vector<Cut>& out);
  void cut_part(std::vector<Cut>& out);
  void resolve_last(Ticks time, std::vector<Cut>& out);
  void measure(Ticks time);
  bool last_of_segment(Ticks end) const;

  EraGrid& grid_;
  RenditionTiming timing_;
  std::uint64_t next_segment_;
  std::uint64_t next_part_;
  bool has_history_;
  bool started_ = false;  // has had a segment in this era
  std::optional<Open> open_;
  Ticks decode_shift_;
  bool shift_known_ = false;
  std::vector<CutFrame> pending_;
  Ticks pending_start_;
  Ticks pending_duration_;
  Ticks segment_end_;  // of the last ended or missed segment
  std::optional<Ticks> last_sync_;
  std::optional<Ticks> last_gop_;
  bool gop_regular_ = true;
  bool after_hole_ = false;
  // Of a rung: the segment that its next packet begins, if it goes on as the leading one did.
  std::optional<std::uint64_t> follows_;
  std::uint64_t dropped_ = 0;
};

}  // namespace kapok::packaging
