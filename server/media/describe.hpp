// From a codec configuration record to a Track with its facts: the single place where ingest learns
// what a stream is. The parsers behind it are in avc.hpp, hevc.hpp, av1.hpp, aac.hpp, opus.hpp,
// ac3.hpp, flac.hpp; every field is range-checked, pictures above kMaxPictureSide are refused.
#pragma once

#include <memory>
#include <string>

#include "server/base/buffer.hpp"
#include "server/base/result.hpp"
#include "server/media/random_access.hpp"
#include "server/media/track.hpp"

namespace kapok::media {

constexpr std::uint32_t kMaxPictureSide = 16384;  // 16K; larger claims are an attack or a bug
// Configuration records with x265's user-data SEI reach 3 kB; a kilobyte range is generous.
constexpr std::size_t kMaxConfigBytes = std::size_t{64} * 1024;

struct TrackDraft {
  TrackId id = 0;
  Codec codec = Codec::unknown;
  Timescale timescale = 1000;
  Buffer config;  // as Track::config; empty for AC-3 and E-AC-3
  std::string language;
};

// Errors: malformed, unsupported, limit. AC-3, E-AC-3, MP2 and MP3 carry no record: pass the first
// frame (AC-3 and E-AC-3 are described by the dac3 or dec3 made of it from then on). AV1 whose av1C
// lacks the sequence header is described by its first temporal unit. Opus packets differ in length:
// samples_per_frame is 0, see opus::samples_of.
Result<std::shared_ptr<const Track>> describe_track(TrackDraft draft);
Result<std::shared_ptr<const Track>> describe_track_from_frame(TrackDraft draft,
                                                               ByteSpan first_frame);

// The same track, completed with what only the first sync access unit tells: mastering display and
// content light (HEVC SEI 137, 144; AV1 metadata OBUs), alternative transfer (SEI 147), colour.
// Returns `track` itself when there is nothing to add.
std::shared_ptr<const Track> enriched(const std::shared_ptr<const Track>& track,
                                      ByteSpan access_unit);

// Where decoding can start, read from the bitstream (an encoder's flag may lie). Audio: everywhere.
RandomAccess random_access(const Track& track, ByteSpan access_unit);
// random_access() is closed_gop. An open GOP's CRA does not count: its leading RASL pictures cannot
// be decoded by a player that starts there (CMAF wants SAP type 1 or 2). A feed of which
// random_access() is only ever open_gop never becomes playable: tell its operator to close the
// GOPs.
bool is_sync(const Track& track, ByteSpan access_unit);

}  // namespace kapok::media
