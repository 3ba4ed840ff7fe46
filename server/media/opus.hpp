// Opus: the OpusHead record. RFC 7845 5.1; its ISO form is in "Encapsulation of Opus in ISOBMFF".
#pragma once

#include <cstdint>

#include "server/base/bytes.hpp"
#include "server/base/result.hpp"
#include "server/media/track.hpp"

namespace kapok::media::opus {

constexpr std::uint32_t kRate = 48000;  // Opus always decodes at this rate

struct Head {
  std::uint8_t channels = 0;
  std::uint16_t pre_skip = 0;
  std::uint32_t input_rate = 0;
  std::int16_t gain = 0;
  std::uint8_t mapping_family = 0;
  ByteSpan mapping;  // stream count, coupled count, one byte a channel; empty for family 0
};
Result<Head> parse_head(ByteSpan opus_head);

// The payload of dOps (big-endian) made from an OpusHead (little-endian), and back.
// specific_box wants a head that parse_head accepts (asserted).
Bytes specific_box(ByteSpan opus_head);
Result<Bytes> head_from_specific_box(ByteSpan dops);

// Samples in a packet at 48 kHz, read from its TOC byte [RFC 6716 3.1]; 0 for an empty or broken
// one.
std::uint32_t samples_of(ByteSpan packet);

}  // namespace kapok::media::opus
