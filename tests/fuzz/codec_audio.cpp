// Audio configurations and first frames; the first byte chooses the codec.
#include "codec.hpp"
#include "server/media/opus.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using kapok::media::Codec;
  static constexpr Codec kCodecs[] = {Codec::aac,  Codec::opus, Codec::ac3,
                                      Codec::eac3, Codec::flac, Codec::mp3};
  if (size == 0) return 0;
  const kapok::ByteSpan bytes = kapok::as_bytes(data + 1, size - 1);
  kapok::fuzz::try_codec(kCodecs[data[0] % std::size(kCodecs)], bytes);
  kapok::media::opus::samples_of(bytes);
  return 0;
}
