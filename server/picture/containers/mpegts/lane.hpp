// One elementary stream on its way from PES payloads to packets. Each kind of stream has a lane of
// its own kind; the program feeds it.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "server/base/bytes.hpp"
#include "server/media/track.hpp"
#include "server/picture/containers/mpegts/outlet.hpp"
#include "server/picture/containers/mpegts/stamp.hpp"

namespace kapok::mpegts {

struct StreamInfo {
  media::TrackId id = 0;
  media::Codec codec = media::Codec::unknown;
  std::string language;
  media::TsStream ts;
};

class Lane {
 public:
  virtual ~Lane() = default;
  // A PES packet or a section begins.
  struct Start {
    std::optional<std::uint8_t> stream_id;  // nullopt: a section
    std::optional<Stamp> stamp;             // as its header has it
    std::optional<std::int64_t> now;        // the program's clock, for what has no times of its own
    bool random_access = false;
  };
  virtual void begin(const Start& start) = 0;
  virtual void payload(ByteSpan bytes) = 0;
  // The PES packet or section is complete.
  virtual void end() = 0;
  // Something is missing here; what is unfinished cannot be completed.
  virtual void lost() = 0;
  // Nothing follows that continues what came: give what is complete, forget times.
  virtual void finish() = 0;
  virtual std::size_t pending_bytes() const = 0;
};

// For AVC and HEVC.
std::unique_ptr<Lane> make_nal_lane(StreamInfo info, Outlet& outlet);
std::unique_ptr<Lane> make_av1_lane(StreamInfo info, Outlet& outlet);
// For AAC (by stream type in ADTS or LATM), AC-3, E-AC-3 and Opus.
std::unique_ptr<Lane> make_audio_lane(StreamInfo info, Outlet& outlet);
// PES packets or sections as they are, of codecs that are not packaged. Announces its track at
// once, for streams that are silent for long.
std::unique_ptr<Lane> make_opaque_lane(StreamInfo info, Outlet& outlet);

}  // namespace kapok::mpegts
