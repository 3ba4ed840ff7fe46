// AC-3 and E-AC-3 frames [ETSI TS 102 366 4.4.1, E.1.3.1].
#include <algorithm>

#include "server/media/ac3.hpp"
#include "server/media/bit_reader.hpp"
#include "server/picture/containers/mpegts/audio_syntax.hpp"

namespace kapok::mpegts {

namespace {

constexpr std::size_t kHeaderBytes = 6;
constexpr std::uint32_t kSyncWord = 0x0b77;
constexpr unsigned kMaxAc3StreamId = 8;
constexpr std::uint32_t kSamplesPerBlock = 256;
constexpr unsigned kBlocks = 6;

struct Header {
  std::size_t bytes = 0;
  bool enhanced = false;
  bool begins_unit = true;  // independent substream 0
  unsigned blocks = kBlocks;
};

// [table 5.18] 16-bit words of a frame.
std::size_t ac3_frame_bytes(unsigned rate_code, unsigned size_code) {
  static constexpr std::uint16_t kKbits[] = {32,  40,  48,  56,  64,  80,  96,  112, 128, 160,
                                             192, 224, 256, 320, 384, 448, 512, 576, 640};
  if (size_code / 2 >= std::size(kKbits)) return 0;
  const std::size_t kbits = kKbits[size_code / 2];
  if (rate_code == 0) return kbits * 4;
  if (rate_code == 2) return kbits * 6;
  if (rate_code != 1) return 0;
  return 2 * (kbits * 1000 * 1536 / 16 / 44100 + size_code % 2);
}

// nullopt: no header.
std::optional<Header> read_header(ByteSpan bytes) {
  media::BitReader in(bytes.first(kHeaderBytes));
  if (in.bits(16) != kSyncWord) return std::nullopt;
  const unsigned stream_id = std::to_integer<unsigned>(bytes[5]) >> 3;
  Header header;
  if (stream_id <= kMaxAc3StreamId) {
    in.skip(16);
    const unsigned rate_code = in.bits(2);
    header.bytes = ac3_frame_bytes(rate_code, in.bits(6));
  } else {
    static constexpr std::uint8_t kBlocksByCode[] = {1, 2, 3, 6};
    header.enhanced = true;
    const unsigned type = in.bits(2);
    const unsigned substream = in.bits(3);
    header.begins_unit = type != 1 && substream == 0;
    header.bytes = std::size_t{2} * (in.bits(11) + 1);
    if (in.bits(2) != 3) header.blocks = kBlocksByCode[in.bits(2)];
  }
  return header.bytes > kHeaderBytes ? std::optional(header) : std::nullopt;
}

bool may_begin(ByteSpan bytes) {
  return bytes[0] == std::byte{kSyncWord >> 8} &&
         (bytes.size() < 2 || bytes[1] == std::byte{kSyncWord & 0xff});
}

class Ac3 final : public AudioSyntax {
 public:
  Found next(ByteSpan bytes, More more, AudioFrame& frame) override {
    if (bytes.size() < kHeaderBytes)
      return may_begin(bytes) && more == More::may_come ? Found::cut : Found::none;
    const auto header = read_header(bytes);
    if (!header || header->enhanced) return Found::none;
    if (bytes.size() < header->bytes) return more == More::may_come ? Found::cut : Found::none;
    auto described = media::ac3::describe_ac3(bytes.first(header->bytes));
    if (!described) return Found::none;
    config_ = std::move(described->config);
    frame = {header->bytes, Buffer::copy_of(bytes.first(header->bytes)),
             kSamplesPerBlock * kBlocks};
    return Found::frame;
  }
  const Bytes& config() const override { return config_; }

 private:
  Bytes config_;
};

// An access unit holds the frames of all substreams for the same six blocks; only the next one's
// start, or the end of what is there, ends it.
class Eac3 final : public AudioSyntax {
 public:
  Found next(ByteSpan bytes, More more, AudioFrame& frame) override {
    std::size_t size = 0;
    unsigned blocks = 0;
    while (size < bytes.size()) {
      const ByteSpan rest = bytes.subspan(size);
      if (rest.size() < kHeaderBytes) {
        if (may_begin(rest) && more == More::may_come) return Found::cut;
        break;
      }
      const auto header = read_header(rest);
      if (!header || (size == 0 && !header->begins_unit)) break;
      if (header->begins_unit && blocks >= kBlocks) break;
      if (rest.size() < header->bytes) {
        if (more == More::may_come) return Found::cut;
        break;
      }
      if (header->begins_unit) blocks += header->blocks;
      size += header->bytes;
    }
    if (size == 0) return Found::none;
    if (size == bytes.size() && more == More::may_come) return Found::cut;
    auto described = media::ac3::describe_eac3(bytes.first(size));
    if (!described) return Found::none;
    // The first 13 bits are the data rate, which changes from unit to unit and describes nothing.
    const auto same = [&] {
      return config_.size() == described->config.size() && config_.size() > 2 &&
             ((config_[1] ^ described->config[1]) & std::byte{7}) == std::byte{0} &&
             std::equal(config_.begin() + 2, config_.end(), described->config.begin() + 2);
    };
    if (!same()) config_ = std::move(described->config);
    frame = {size, Buffer::copy_of(bytes.first(size)), kSamplesPerBlock * blocks};
    return Found::frame;
  }
  const Bytes& config() const override { return config_; }

 private:
  Bytes config_;
};

}  // namespace

std::unique_ptr<AudioSyntax> make_ac3() {
  return std::make_unique<Ac3>();
}
std::unique_ptr<AudioSyntax> make_eac3() {
  return std::make_unique<Eac3>();
}

}  // namespace kapok::mpegts
