#include "transcoder/file/segment_grid.hpp"

namespace kapok::file {

bool SegmentGrid::reached(const Packet& packet) const {
  const nanoseconds half = rules_.frame / 2;
  if (packet.pts < next_ - half) return false;
  if (rules_.cut == Cut::at_sync) return packet.sync;
  // In decoding order a later picture may come first: the one that lies there is waited for until
  // it cannot come any more.
  return packet.pts <= next_ + half || packet.dts > next_ + half;
}

SegmentGrid::Place SegmentGrid::place(const Packet& packet) {
  if (!reached(packet)) {
    if (!begun_) {
      const bool missed = packet.dts > next_ + rules_.ceiling;
      return missed ? Place::too_long : Place::before;
    }
    return packet.pts > last_ + rules_.ceiling ? Place::too_long : Place::inside;
  }
  begun_ = true;
  last_ = packet.pts;
  next_ = last_ + rules_.segment;
  if (rules_.cut == Cut::at_frames) {
    const auto passed = (last_ - rules_.begin + rules_.segment / 2) / rules_.segment;
    next_ = rules_.begin + (passed + 1) * rules_.segment;
  }
  return Place::begins;
}

}  // namespace kapok::file
