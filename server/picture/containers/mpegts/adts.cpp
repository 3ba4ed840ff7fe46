// AAC in ADTS [ISO/IEC 14496-3 1.A.2.2].
#include "server/picture/containers/mpegts/audio_syntax.hpp"

namespace kapok::mpegts {

namespace {

constexpr std::size_t kHeaderBytes = 7;
constexpr std::size_t kCrcBytes = 2;
constexpr std::uint32_t kSamples = 1024;
// Between frames of one stream these bits do not change: sync word, ID, layer, profile, rate,
// channels.
constexpr std::uint32_t kFixedBits = 0xfffe'fdc0;

class Adts final : public AudioSyntax {
 public:
  Found next(ByteSpan bytes, More more, AudioFrame& frame) override;
  const Bytes& config() const override { return config_; }

 private:
  std::uint32_t fixed_ = 0;  // of the last frame
  Bytes config_;
};

std::uint32_t word_at(ByteSpan bytes) {
  std::uint32_t word = 0;
  for (std::size_t i = 0; i < 4; ++i) word = word << 8 | std::to_integer<std::uint32_t>(bytes[i]);
  return word;
}

AudioSyntax::Found Adts::next(ByteSpan bytes, More more, AudioFrame& frame) {
  if (bytes.size() < kHeaderBytes) {
    const bool may_be = bytes[0] == std::byte{0xff} && more == More::may_come;
    return may_be ? Found::cut : Found::none;
  }
  const std::uint32_t word = word_at(bytes);
  if ((word & 0xfff6'0000) != 0xfff0'0000) return Found::none;  // sync word, layer 0
  const bool protection_absent = (word & 0x0001'0000) != 0;
  const unsigned profile = word >> 14 & 3;
  const unsigned rate = word >> 10 & 0xf;
  const unsigned channels = word >> 6 & 7;
  const auto byte = [&](std::size_t at) { return std::to_integer<std::size_t>(bytes[at]); };
  const std::size_t length = (byte(3) & 3) << 11 | byte(4) << 3 | byte(5) >> 5;
  const unsigned blocks = byte(6) & 3;
  const std::size_t header = kHeaderBytes + (protection_absent ? 0 : kCrcBytes);
  // Several raw data blocks in a frame cannot be told apart without decoding; nobody sends them.
  if (rate > 12 || channels == 0 || blocks != 0 || length <= header) return Found::none;
  if (bytes.size() < length) return more == More::may_come ? Found::cut : Found::none;
  // Where nothing confirms that this is a header, the next frame's must.
  const std::uint32_t fixed = word & kFixedBits;
  if (fixed != fixed_ && bytes.size() >= length + 4 &&
      (word_at(bytes.subspan(length)) & kFixedBits) != fixed)
    return Found::none;
  if (fixed != fixed_) {
    // [1.6.2.1] AudioSpecificConfig: object type, rate index, channels, no GASpecificConfig flags.
    const unsigned bits = (profile + 1) << 11 | rate << 7 | channels << 3;
    config_ = {static_cast<std::byte>(bits >> 8), static_cast<std::byte>(bits)};
    fixed_ = fixed;
  }
  frame.size = length;
  frame.payload = Buffer::copy_of(bytes.subspan(header, length - header));
  frame.samples = kSamples;
  return Found::frame;
}

}  // namespace

std::unique_ptr<AudioSyntax> make_adts() {
  return std::make_unique<Adts>();
}

}  // namespace kapok::mpegts
