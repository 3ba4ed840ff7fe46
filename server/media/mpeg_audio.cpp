#include "server/media/mpeg_audio.hpp"

namespace kapok::media::mpeg_audio {

Result<AudioFacts> parse_frame(ByteSpan frame, Layer wanted) {
  ByteReader in(frame);
  const std::uint32_t header = KAPOK_TRY(in.u32());
  const unsigned version = (header >> 19) & 3;  // 0: 2.5, 2: MPEG-2, 3: MPEG-1
  const unsigned layer = (header >> 17) & 3;    // 1: III, 2: II
  const unsigned rate_index = (header >> 10) & 3;
  if (header >> 21 != 0x7ff || version == 1 || layer != (wanted == Layer::two ? 2 : 1) ||
      rate_index == 3)
    return fail(Errc::malformed, "MPEG audio: no frame header of layer {}",
                wanted == Layer::two ? "II" : "III");
  static constexpr std::uint32_t kRates[] = {44100, 48000, 32000};
  const unsigned divide = version == 3 ? 0 : version == 2 ? 1 : 2;
  AudioFacts facts;
  facts.sample_rate = kRates[rate_index] >> divide;
  facts.channels = ((header >> 6) & 3) == 3 ? 1 : 2;
  facts.samples_per_frame = wanted == Layer::two || version == 3 ? 1152 : 576;
  return facts;
}

}  // namespace kapok::media::mpeg_audio
