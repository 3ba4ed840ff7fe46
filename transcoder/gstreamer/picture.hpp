// A decoded frame with what the engine knows of it, and what GStreamer's caps say of frames.
#pragma once

#include "server/media/track.hpp"
#include "transcoder/gstreamer/gst.hpp"
#include "transcoder/ladder/counters.hpp"
#include "transcoder/ladder/mark.hpp"

namespace kapok::gstreamer {

using ladder::Counters;
using ladder::Mark;
using ladder::Marks;
using ladder::RungCounters;

struct Picture {
  BufferPtr buffer;  // its pts is the mark's, in Times
  Mark mark;
};
std::size_t bytes_of(const Picture& picture);
Picture share(const Picture& picture);  // the same picture once more

// What the caps of a decoded frame say, completed by what the track says: a track knows the
// alternative transfer characteristics, a frame the bitstream's own change.
media::VideoFacts facts_of(const GstCaps& caps, const media::VideoFacts& track);
// The caps of progressive frames in `format` that look as `facts` say. A colour that is not known
// is not named.
CapsPtr raw_caps(const media::VideoFacts& facts, std::string_view format);
// What rungs are encoded from: "I420" or "I420_10LE".
std::string_view format_of(std::uint8_t bit_depth);

}  // namespace kapok::gstreamer
