// Pictures between GStreamer and libav, without a copy: a frame reads the buffer that a decoder
// gave, a buffer reads the frame that an encoder is given.
#pragma once

#include <string>

#include "server/media/track.hpp"
#include "transcoder/ffmpeg/av.hpp"
#include "transcoder/gstreamer/gst.hpp"

namespace kapok::gstreamer {

// In system memory. Its colours are what the caps say, its pts is not set. Errors: unsupported (a
// format that is none of ours), internal (the buffer is not what the caps say).
Result<ffmpeg::FramePtr> frame_of(GstBuffer& buffer, const GstCaps& caps);
// Without times. What frame_of() was made of is found again. Errors: unsupported.
Result<BufferPtr> buffer_of(const AVFrame& frame);

enum class Fields : std::uint8_t { progressive, mixed };
// What the pictures that look like `frame` are. A colour that is not known is not named. Errors:
// unsupported.
Result<CapsPtr> raw_caps(const AVFrame& frame, media::Rational frame_rate, Fields fields);

}  // namespace kapok::gstreamer
