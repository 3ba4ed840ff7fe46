// Where the segments of a file begin. Published as it is, a file can only be cut where its GOPs
// begin: at the first sync packet that is not earlier than one segment (less half a frame) after
// the last one; where GOPs are regular, segments are the smallest multiple of them, as a channel's
// are. Otherwise the rungs alone are cut, at any frame: at the multiples of a segment exactly.
// Pure.
#pragma once

#include "server/base/clock.hpp"

namespace kapok::file {

class SegmentGrid {
 public:
  enum class Cut : std::uint8_t {
    at_sync,    // the source is published
    at_frames,  // it is not
  };
  struct Rules {
    Cut cut = Cut::at_sync;
    nanoseconds begin{0};  // of the file
    nanoseconds from{0};   // the first segment to make: begin, or one of an earlier run
    nanoseconds segment{0};
    nanoseconds ceiling{0};
    nanoseconds frame{0};
  };
  explicit SegmentGrid(Rules rules) : rules_(rules), next_(rules.from) {}

  enum class Place : std::uint8_t {
    before,    // of the first segment to make
    inside,    // of a segment
    begins,    // a segment
    too_long,  // a segment would be longer than the ceiling
  };
  struct Packet {
    nanoseconds pts{0};
    nanoseconds dts{0};
    bool sync = false;
  };
  // Of the leading track, in decoding order.
  Place place(const Packet& packet);

 private:
  bool reached(const Packet& packet) const;

  Rules rules_;
  nanoseconds next_;  // the earliest begin of the next segment
  nanoseconds last_{0};
  bool begun_ = false;
};

}  // namespace kapok::file
