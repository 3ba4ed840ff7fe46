// AAC in LATM behind LOAS sync words [ISO/IEC 14496-3 1.7.2, 1.7.3]: one program, one layer, one
// frame an element, which is what broadcasting uses [ETSI TS 101 154 annex C].
#include "server/media/bit_reader.hpp"
#include "server/picture/containers/mpegts/audio_syntax.hpp"

namespace kapok::mpegts {

using media::BitReader;

namespace {

constexpr std::size_t kHeaderBytes = 3;
constexpr unsigned kSbr = 5;
constexpr unsigned kPs = 29;
constexpr std::uint32_t kSamples = 1024;

unsigned read_object_type(BitReader& in) {
  const unsigned type = in.bits(5);
  return type == 31 ? 32 + in.bits(6) : type;
}
void skip_rate(BitReader& in) {
  if (in.bits(4) == 15) in.skip(24);
}

// [1.6.2.1, 4.4.1] over an AudioSpecificConfig, whose length is not told. Fails the reader on
// configurations that it cannot get over.
void skip_specific_config(BitReader& in) {
  const auto give_up = [&] { in.skip(SIZE_MAX); };
  unsigned type = read_object_type(in);
  skip_rate(in);
  const unsigned channels = in.bits(4);
  if (type == kSbr || type == kPs) {
    skip_rate(in);
    type = read_object_type(in);
  }
  const bool error_resilient = type == 17 || type == 23;
  if (type < 1 || (type > 4 && !error_resilient) || channels == 0) return give_up();
  in.skip(1);                  // frameLengthFlag
  if (in.flag()) in.skip(14);  // dependsOnCoreCoder
  const bool extension = in.flag();
  if (extension && error_resilient) in.skip(3);
  if (extension) in.skip(1);
  if (error_resilient && in.bits(2) > 1) give_up();  // epConfig
}

std::uint32_t read_value(BitReader& in) {  // LatmGetValue
  return in.bits((in.bits(2) + 1) * 8);
}

Bytes copy_bits(BitReader in, std::size_t count) {
  Bytes bytes;
  bytes.reserve(count / 8 + 1);
  for (; count >= 8; count -= 8) bytes.push_back(static_cast<std::byte>(in.bits(8)));
  if (count > 0)
    bytes.push_back(static_cast<std::byte>(in.bits(static_cast<unsigned>(count)) << (8 - count)));
  return bytes;
}

class Latm final : public AudioSyntax {
 public:
  Found next(ByteSpan bytes, More more, AudioFrame& frame) override;
  const Bytes& config() const override { return config_; }

 private:
  void read_stream_config(BitReader& in);

  Bytes config_;
  bool supported_ = false;
};

// StreamMuxConfig [1.7.3.1]
void Latm::read_stream_config(BitReader& in) {
  supported_ = false;
  const bool version = in.flag();
  if (version && in.flag()) return;  // audioMuxVersionA: for the future
  if (version) read_value(in);       // taraBufferFullness
  if (!in.flag()) return;            // allStreamsSameTimeFraming
  if (in.bits(6) != 0 || in.bits(4) != 0 || in.bits(3) != 0) return;  // frames, programs, layers
  const std::size_t stated = version ? read_value(in) : 0;
  const BitReader begin = in;
  std::size_t size = stated;
  if (version) {
    in.skip(stated);
  } else {
    skip_specific_config(in);
    size = in.position() - begin.position();
  }
  if (!in.ok()) return;
  Bytes config = copy_bits(begin, size);
  if (in.bits(3) != 0) return;  // frameLengthType: lengths in each frame
  in.skip(8);                   // latmBufferFullness
  if (in.flag()) {              // otherDataPresent: behind the payload, of no interest
    if (version) read_value(in);
    while (!version && in.ok() && in.flag()) in.skip(8);
    if (!version) in.skip(8);
  }
  if (in.flag()) in.skip(8);  // crcCheckSum
  if (!in.ok()) return;
  config_ = std::move(config);
  supported_ = true;
}

AudioSyntax::Found Latm::next(ByteSpan bytes, More more, AudioFrame& frame) {
  const Found incomplete = more == More::may_come ? Found::cut : Found::none;
  if (bytes[0] != std::byte{0x56}) return Found::none;
  if (bytes.size() < kHeaderBytes) return incomplete;
  const auto byte = [&](std::size_t at) { return std::to_integer<std::size_t>(bytes[at]); };
  if ((byte(1) & 0xe0) != 0xe0) return Found::none;  // 0x2B7 in 11 bits
  const std::size_t size = kHeaderBytes + ((byte(1) & 0x1f) << 8 | byte(2));
  if (bytes.size() < size) return incomplete;
  frame.size = size;
  frame.samples = kSamples;
  frame.payload = {};
  BitReader in(bytes.subspan(kHeaderBytes, size - kHeaderBytes));
  if (!in.flag()) read_stream_config(in);  // useSameStreamMux
  if (!supported_ || !in.ok()) return Found::frame;
  std::size_t payload = 0;  // PayloadLengthInfo [1.7.3.2]
  std::uint32_t part = 0;
  do {
    part = in.bits(8);
    payload += part;
  } while (part == 255 && in.ok());
  if (in.ok() && payload * 8 <= in.bits_left()) frame.payload = Buffer(copy_bits(in, payload * 8));
  return Found::frame;
}

}  // namespace

std::unique_ptr<AudioSyntax> make_latm() {
  return std::make_unique<Latm>();
}

}  // namespace kapok::mpegts
