// AV1 as MPEG2TSSequenceStart announces it: four bytes of a TS descriptor in place of av1C, the
// sequence header only in the first frame. Together they make the record that files need.
#pragma once

#include <optional>

#include "server/base/bytes.hpp"

namespace kapok::flv {

// The av1C record [AV1 in ISOBMFF 2.3] from the descriptor [AV1 in MPEG-2 TS, AV1_video_descriptor]
// and a frame; nullopt while the frame carries no sequence header.
std::optional<Bytes> av1_record(ByteSpan descriptor, ByteSpan frame);

// The frame without the temporal delimiters that ISOBMFF forbids.
ByteSpan without_temporal_delimiter(ByteSpan frame);

}  // namespace kapok::flv
