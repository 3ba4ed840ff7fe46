// AC-3 and E-AC-3: no configuration record travels with them, so dac3 and dec3 are made from the
// first frame. ETSI TS 102 366 (bit stream: 4.3, 5.3, E.1; boxes: annex F).
#pragma once

#include "server/base/bytes.hpp"
#include "server/base/result.hpp"
#include "server/media/track.hpp"

namespace kapok::media::ac3 {

struct Described {
  Bytes config;  // payload of dac3 or dec3
  AudioFacts facts;
};
Result<Described> describe_ac3(ByteSpan frame);
// An E-AC-3 access unit: the frames of all substreams for the same time.
Result<Described> describe_eac3(ByteSpan access_unit);

// Facts of a box payload, for a spool that is opened again.
Result<AudioFacts> parse_dac3(ByteSpan payload);
Result<AudioFacts> parse_dec3(ByteSpan payload);

}  // namespace kapok::media::ac3
