// av1C records, and temporal units against a track. A record that is accepted must survive the way
// through an init segment.
#include "codec.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  kapok::fuzz::try_codec(kapok::media::Codec::av1, kapok::as_bytes(data, size));
  return 0;
}
