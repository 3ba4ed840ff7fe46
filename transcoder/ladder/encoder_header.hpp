// From what an encoder says of its stream to the rung's Track, read by the same parsers as any
// feed's.
#pragma once

#include <memory>

#include "server/base/buffer.hpp"
#include "server/media/track.hpp"

namespace kapok::ladder {

struct EncoderHeader {
  Buffer config;  // avcC, hvcC, av1C
  Bytes sei;      // mastering display and content light, each behind its length, for sync packets
};
// `headers`: length-prefixed NAL units, or the OBUs of a sequence header.
Result<EncoderHeader> read_header(media::Codec codec, ByteSpan headers);

}  // namespace kapok::ladder
