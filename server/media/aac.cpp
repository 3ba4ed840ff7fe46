#include "server/media/aac.hpp"

#include "server/media/bit_reader.hpp"

namespace kapok::media::aac {

namespace {

constexpr std::uint32_t kRates[] = {96000, 88200, 64000, 48000, 44100, 32000, 24000,
                                    22050, 16000, 12000, 11025, 8000,  7350};
constexpr std::uint8_t kChannels[] = {0, 1, 2, 3, 4, 5, 6, 8};  // by channelConfiguration
constexpr std::uint8_t kSbr = 5;
constexpr std::uint8_t kPs = 29;
constexpr std::uint32_t kMaxRate = 192000;

std::uint8_t read_object_type(BitReader& in) {
  const std::uint8_t type = in.u8(5);
  return type == 31 ? static_cast<std::uint8_t>(32 + in.bits(6)) : type;
}

std::uint32_t read_rate(BitReader& in) {  // 0: reserved index
  const unsigned index = in.bits(4);
  if (index == 15) return in.bits(24);
  return index < std::size(kRates) ? kRates[index] : 0;
}

std::uint8_t channels_of(unsigned configuration) {
  if (configuration < std::size(kChannels)) return kChannels[configuration];
  switch (configuration) {  // [ISO/IEC 23091-3]
    case 11:
      return 7;  // 6.1
    case 12:
    case 14:
      return 8;  // 7.1
    case 13:
      return 24;  // 22.2
    default:
      return 0;
  }
}

// [ISO/IEC 14496-3 4.5.1.1] counts a program config element's channels; 0 if it is broken.
std::uint8_t count_program_channels(BitReader& in) {
  in.skip(4 + 2 + 4);  // instance tag, object type, frequency index
  const unsigned front = in.bits(4);
  const unsigned side = in.bits(4);
  const unsigned back = in.bits(4);
  const unsigned lfe = in.bits(2);
  const unsigned data = in.bits(3);
  const unsigned coupling = in.bits(4);
  if (in.flag()) in.skip(4);
  if (in.flag()) in.skip(4);
  if (in.flag()) in.skip(3);
  unsigned channels = lfe;
  for (unsigned i = 0; i < front + side + back; ++i) {
    channels += in.flag() ? 2 : 1;
    in.skip(4);
  }
  in.skip(4 * lfe + 4 * data + 5 * coupling);
  in.align();
  in.skip(8 * in.bits(8));  // comment
  return in.ok() ? static_cast<std::uint8_t>(channels) : 0;
}

}  // namespace

Result<Config> parse_config(ByteSpan audio_specific_config) {
  BitReader in(audio_specific_config);
  Config config;
  std::uint8_t type = read_object_type(in);
  std::uint32_t rate = read_rate(in);
  const unsigned configuration = in.bits(4);
  bool sbr = false;
  bool ps = false;
  std::uint32_t sbr_rate = 0;
  if (type == kSbr || type == kPs) {  // hierarchical signalling
    sbr = true;
    ps = type == kPs;
    sbr_rate = read_rate(in);
    type = read_object_type(in);
  }
  switch (type) {
    case 1:   // Main
    case 2:   // LC
    case 3:   // SSR
    case 4:   // LTP
    case 17:  // ER LC
    case 23:  // ER LD
      break;
    default:
      return fail(Errc::unsupported, "AudioSpecificConfig: object type {}", type);
  }
  config.core_object_type = type;
  // GASpecificConfig [4.4.1]
  const bool short_frame = in.flag();
  if (in.flag()) in.skip(14);  // dependsOnCoreCoder
  const bool extension = in.flag();
  std::uint8_t channels = channels_of(configuration);
  if (configuration == 0) channels = count_program_channels(in);
  if (extension && type >= 17) {
    if (type == 17) in.skip(3);
    if (type == 23) in.skip(3);
    in.skip(1);
  }
  if (!in.ok()) return fail(Errc::malformed, "AudioSpecificConfig: cut short");
  if (rate == 0 || rate > kMaxRate)
    return fail(Errc::malformed, "AudioSpecificConfig: sample rate {}", rate);
  if (channels == 0)
    return fail(Errc::unsupported, "AudioSpecificConfig: channel configuration {}", configuration);
  if (!sbr && in.bits_left() >= 16 && in.bits(11) == 0x2b7 && in.bits(5) == kSbr) {
    // Backward compatible signalling, after the core's configuration [1.6.5.2].
    BitReader ahead = in;
    if (ahead.flag()) {
      const std::uint32_t extended = read_rate(ahead);
      if (ahead.ok() && extended != 0) {
        sbr = true;
        sbr_rate = extended;
        if (ahead.bits_left() >= 12 && ahead.bits(11) == 0x548) ps = ahead.flag();
      }
    }
  }
  const std::uint32_t core_samples =
      type == 23 ? (short_frame ? 480 : 512) : (short_frame ? 960 : 1024);
  config.object_type = ps ? kPs : sbr ? kSbr : type;
  config.facts.channels = ps && channels == 1 ? 2 : channels;
  config.facts.sample_rate = rate;
  config.facts.samples_per_frame = core_samples;
  if (sbr && sbr_rate == 2 * rate) {  // else: down-sampled SBR, which keeps the core's rate
    config.facts.sample_rate = sbr_rate;
    config.facts.samples_per_frame = 2 * core_samples;
  }
  if (config.facts.sample_rate > kMaxRate)
    return fail(Errc::malformed, "AudioSpecificConfig: sample rate {}", sbr_rate);
  return config;
}

std::string codec_string(const Config& config) {
  return fmt::format("mp4a.40.{}", config.object_type);
}

}  // namespace kapok::media::aac
