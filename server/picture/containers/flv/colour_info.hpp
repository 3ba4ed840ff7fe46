// The colour and HDR facts that Enhanced RTMP sends beside the bitstream. [Enhanced RTMP v2,
// "Metadata Frame"] They only fill what the bitstream leaves open: what is broadcast is judged by
// its bits.
#pragma once

#include <memory>
#include <optional>

#include "server/base/bytes.hpp"
#include "server/base/result.hpp"
#include "server/media/track.hpp"

namespace kapok::flv {

struct ColourInfo {
  std::optional<media::Colour> colour;
  std::optional<media::MasteringDisplay> mastering;
  std::optional<media::ContentLight> light;
  bool operator==(const ColourInfo&) const = default;
};

// AMF0: "colorInfo" and its object; nullopt for other metadata.
Result<std::optional<ColourInfo>> read_colour_info(ByteSpan metadata);

// `track` itself when there is nothing to fill.
std::shared_ptr<const media::Track> completed(const std::shared_ptr<const media::Track>& track,
                                              const ColourInfo& info);

}  // namespace kapok::flv
