// The sample entry of a track: the one box of an init segment that depends on the codec.
#pragma once

#include "server/base/bytes.hpp"
#include "server/media/track.hpp"

namespace kapok::cmaf {

void write_sample_entry(ByteWriter& out, const media::Track& track);

}  // namespace kapok::cmaf
