// Access units of AVC and HEVC as MPEG-TS and MXF hold them (NAL units between start codes, with
// their parameter sets) into the form of an mdat: length prefixes, parameter sets apart. Pure.
// H.264 annex B, H.265 annex B.
#pragma once

#include "server/base/bytes.hpp"
#include "server/media/parameter_sets.hpp"

namespace kapok::file {

// `stream` without its parameter sets and delimiters, each NAL unit behind four bytes of length.
// What it holds of parameter sets goes to `sets`.
Bytes length_prefixed(media::Codec codec, ByteSpan stream, media::ParameterSets& sets);

}  // namespace kapok::file
