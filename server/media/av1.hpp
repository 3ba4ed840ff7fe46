// AV1: the av1C record, the sequence header, and what a temporal unit is. AV1 bitstream
// specification 5.5, 5.8; "AV1 Codec ISO Media File Format Binding" 2.3. Views returned here point
// into the bytes given.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "server/base/buffer.hpp"
#include "server/base/result.hpp"
#include "server/media/random_access.hpp"
#include "server/media/track.hpp"

namespace kapok::media::av1 {

constexpr unsigned kSequenceHeader = 1;
constexpr unsigned kTemporalDelimiter = 2;
constexpr unsigned kFrameHeader = 3;
constexpr unsigned kMetadata = 5;
constexpr unsigned kFrame = 6;
constexpr unsigned kPadding = 15;

// A temporal unit of more OBUs is refused: 8K frames have at most 128 tile groups [A.3].
constexpr std::size_t kMaxObusPerTemporalUnit = 4096;

struct Obu {
  unsigned type = 0;
  ByteSpan payload;
  ByteSpan whole;  // with its header
};
// Walks OBUs with size fields (low-overhead format). An OBU without size reaches to the end.
class ObuWalker {
 public:
  explicit ObuWalker(ByteSpan bytes) : bytes_(bytes) {}
  std::optional<Obu> next();
  bool clean() const { return clean_; }

 private:
  ByteSpan bytes_;
  std::size_t at_ = 0;
  std::size_t count_ = 0;
  bool clean_ = true;
};

struct Sequence {
  std::uint8_t profile = 0;
  std::uint8_t level = 0;  // seq_level_idx of operating point 0
  bool high_tier = false;
  bool still_picture = false;
  bool reduced_header = false;
  bool monochrome = false;
  bool subsampling_x = true;
  bool subsampling_y = true;
  std::uint8_t chroma_position = 0;
  VideoFacts facts;
};
// `payload` is that of a sequence header OBU.
Result<Sequence> parse_sequence(ByteSpan payload);

struct Config {
  Sequence sequence;
  ByteSpan obus;  // configOBUs
};
Result<Config> parse_config(ByteSpan av1c);
// An av1C record made from the first temporal unit, for senders that give only the bitstream.
Result<Bytes> make_config(ByteSpan temporal_unit);

// [AV1 ISOBMFF 5] "av01.0.13M.10", with the optional fields when colour is not the default:
// "av01.0.13M.10.0.110.09.16.09.0".
std::string codec_string(const Sequence& sequence);

// A shown key frame with a sequence header in the same temporal unit.
RandomAccess random_access(ByteSpan temporal_unit);
// Adds HDR metadata OBUs (and, where `facts` has none, the colour of an in-band sequence header).
void enrich(VideoFacts& facts, ByteSpan temporal_unit);

// A temporal unit as it may stand in a sample [AV1 ISOBMFF 2.4]: without temporal delimiters,
// padding and tile lists. Shares the payload when a delimiter leads and nothing else is to go.
Buffer without_delimiters(const Buffer& temporal_unit);

}  // namespace kapok::media::av1
