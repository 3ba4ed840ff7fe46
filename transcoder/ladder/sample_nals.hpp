// NAL units in the form that samples have them, from encoders of devices, which write streams.
#pragma once

#include <cstdint>

#include "server/base/buffer.hpp"
#include "server/media/track.hpp"

namespace kapok::ladder {

// From between start codes [H.264, H.265 annex B] to behind lengths of 4 bytes, without delimiters.
// Parameter sets stay with `keep` only: samples leave them to the track.
enum class ParameterSetsIn : std::uint8_t { keep, leave_out };
Bytes length_prefixed(media::Codec codec, ByteSpan start_coded, ParameterSetsIn sets);

// The SEI units (behind lengths) before those of the sample, unless they are in it.
Buffer with_sei(Buffer sample, ByteSpan sei);

// The SEI of HEVC that an HDR picture is shown by, for encoders that write none; behind lengths.
// Empty where the facts have neither mastering display nor light.
Bytes display_sei(const media::VideoFacts& facts);

}  // namespace kapok::ladder
