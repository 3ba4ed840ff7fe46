// Access units of AVC and HEVC as GStreamer's parsers give them, with start codes [H.264 and H.265
// annex B], in the form that mdat has: 4-byte lengths, parameter sets left to the configuration
// record. Our own encoders' output: trusted as far as it must be to cut it.
#pragma once

#include "server/base/buffer.hpp"
#include "server/media/track.hpp"

namespace kapok::gstreamer {

// All NAL units of it.
Bytes length_prefixed(ByteSpan access_unit);
// Without parameter sets and access unit delimiters.
Bytes sample_of(media::Codec codec, ByteSpan access_unit);
// The length-prefixed SEI units before those of the sample, unless they are in it.
Buffer with_sei(Buffer sample, ByteSpan sei);

}  // namespace kapok::gstreamer
