// AV1 in PES packets and back ["Carriage of AV1 in MPEG-2 TS", AOM]: each OBU behind a start code,
// with emulation prevention as in AVC.
#pragma once

#include <optional>

#include "server/base/bytes.hpp"
#include "server/base/result.hpp"

namespace kapok::mpegts {

// To OBUs with size fields, as they stand in an mdat but for delimiters. A payload without start
// codes (an earlier practice) is taken as it is when it walks cleanly.
Result<Bytes> obus_from_pes(Bytes payload);
// `temporal_unit` in mdat form; a temporal delimiter is put in front.
Result<Bytes> pes_from_obus(ByteSpan temporal_unit);

}  // namespace kapok::mpegts
