// AAC: the AudioSpecificConfig. ISO/IEC 14496-3 1.6.2.1.
#pragma once

#include <cstdint>
#include <string>

#include "server/base/bytes.hpp"
#include "server/base/result.hpp"
#include "server/media/track.hpp"

namespace kapok::media::aac {

struct Config {
  std::uint8_t object_type = 2;       // as codec strings name it: 2 LC, 5 HE-AAC, 29 HE-AAC v2
  std::uint8_t core_object_type = 2;  // of the AAC layer itself
  // Of the decoder's output: with signalled SBR twice the core's rate and samples, with PS stereo.
  // SBR that is signalled only inside the frames is not seen; then these are the core's, which is
  // consistent too.
  AudioFacts facts;
};
Result<Config> parse_config(ByteSpan audio_specific_config);

// [RFC 6381 3.3] "mp4a.40.2"
std::string codec_string(const Config& config);

}  // namespace kapok::media::aac
