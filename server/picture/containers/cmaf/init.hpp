// The init segment (CMAF header) of a track and its way back. Pure functions; one track per file,
// always with track id 1. The same track always gives the same bytes, because segments are named by
// their hash. ISO/IEC 14496-12, 14496-15, 23000-19.
#pragma once

#include <memory>

#include "server/base/buffer.hpp"
#include "server/base/result.hpp"
#include "server/media/track.hpp"

namespace kapok::cmaf {

constexpr std::uint32_t kTrackId = 1;

// Whether write_init knows a sample entry for it: every codec that is packaged, and MP3.
bool can_write(media::Codec codec);

// `track` comes from media::describe_track (asserted: can_write, and facts). HDR10
// metadata in its facts becomes mdcv and clli, HDR Vivid cuvv, HDR10+ a brand and Dolby Vision a
// brand and dvvC (dvcC, dvh1 and dav1 where it needs a decoder), so make it enriched() first.
Bytes write_init(const media::Track& track);

// The track of an init segment written by write_init, for a spool that is opened again. `id` is
// what it shall have. Errors: malformed, unsupported, limit.
Result<std::shared_ptr<const media::Track>> read_init(const Buffer& init, media::TrackId id);

}  // namespace kapok::cmaf
