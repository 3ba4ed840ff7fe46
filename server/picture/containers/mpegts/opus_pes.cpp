// Opus in PES packets, as FFmpeg and GStreamer carry it ["Opus in MPEG-2 TS", opus-codec.org
// draft]: a control header before each packet, the channels in an extension descriptor.
#include <array>

#include "server/media/opus.hpp"
#include "server/picture/containers/mpegts/audio_syntax.hpp"
#include "server/picture/containers/mpegts/stream_type.hpp"

namespace kapok::mpegts {

namespace {

constexpr std::byte kPrefixFirst{0x7f};   // control_header_prefix: 11 bits, 0x3FF
constexpr std::byte kPrefixSecond{0xe0};  // its last three
constexpr std::byte kStartTrim{0x10};
constexpr std::byte kEndTrim{0x08};
constexpr std::byte kExtensionFlag{0x04};
constexpr std::uint8_t kMaxChannels = 8;

struct Layout {
  std::uint8_t streams;
  std::uint8_t coupled;
  std::array<std::uint8_t, kMaxChannels> mapping;
};
// [RFC 7845 5.1.1.2] Vorbis order, as channel_config_code 1 to 8 mean it.
constexpr Layout kLayouts[] = {{1, 0, {0}},
                               {1, 1, {0, 1}},
                               {2, 1, {0, 2, 1}},
                               {2, 2, {0, 1, 2, 3}},
                               {3, 2, {0, 4, 1, 2, 3}},
                               {4, 2, {0, 4, 1, 2, 3, 5}},
                               {4, 3, {0, 4, 1, 2, 3, 5, 6}},
                               {5, 3, {0, 6, 1, 2, 3, 4, 5, 7}}};

// Empty when the channels are not told in a way that we know.
Bytes make_head(ByteSpan descriptors) {
  DescriptorWalker walker(descriptors);
  std::optional<std::uint8_t> code;
  while (const auto found = walker.next())
    if (found->tag == kExtension && found->body.size() >= 2 &&
        found->body[0] == std::byte{kOpusExtension})
      code = std::to_integer<std::uint8_t>(found->body[1]);
  if (!code || *code > kMaxChannels) return {};
  const bool dual_mono = *code == 0;
  const std::uint8_t channels = dual_mono ? 2 : *code;
  Bytes bytes;
  ByteWriter out(bytes);
  out.text("OpusHead");
  out.u8(1);
  out.u8(channels);
  out.u16(0);           // pre-skip: the control header trims instead
  out.u32(0x80bb0000);  // 48000, little-endian
  out.u16(0);
  out.u8(dual_mono ? 255 : channels > 2 ? 1 : 0);
  if (!dual_mono && channels <= 2) return bytes;
  const Layout layout = dual_mono ? Layout{2, 0, {0, 1}} : kLayouts[channels - 1];
  out.u8(layout.streams);
  out.u8(layout.coupled);
  for (std::size_t i = 0; i < channels; ++i) out.u8(layout.mapping[i]);
  return bytes;
}

class Opus final : public AudioSyntax {
 public:
  explicit Opus(ByteSpan descriptors) : config_(make_head(descriptors)) {}
  Found next(ByteSpan bytes, More more, AudioFrame& frame) override {
    const Found incomplete = more == More::may_come ? Found::cut : Found::none;
    if (bytes[0] != kPrefixFirst) return Found::none;
    if (bytes.size() < 2) return incomplete;
    if ((bytes[1] & kPrefixSecond) != kPrefixSecond) return Found::none;
    std::size_t at = 2;
    std::size_t size = 0;
    while (true) {
      if (at >= bytes.size()) return incomplete;
      const auto byte = std::to_integer<std::size_t>(bytes[at++]);
      size += byte;
      if (byte < 255) break;
    }
    if ((bytes[1] & kStartTrim) != std::byte{0}) at += 2;
    if ((bytes[1] & kEndTrim) != std::byte{0}) at += 2;
    if ((bytes[1] & kExtensionFlag) != std::byte{0}) {
      if (at >= bytes.size()) return incomplete;
      at += 1 + std::to_integer<std::size_t>(bytes[at]);
    }
    if (at + size > bytes.size()) return incomplete;
    if (size == 0) return Found::none;
    frame.size = at + size;
    frame.payload = Buffer::copy_of(bytes.subspan(at, size));
    frame.samples = media::opus::samples_of(frame.payload.bytes());
    return Found::frame;
  }
  const Bytes& config() const override { return config_; }

 private:
  Bytes config_;
};

}  // namespace

std::unique_ptr<AudioSyntax> make_opus(ByteSpan descriptors) {
  return std::make_unique<Opus>(descriptors);
}

}  // namespace kapok::mpegts
