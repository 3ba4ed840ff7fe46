// What AVC and HEVC share below their syntax: NAL units behind length prefixes, emulation
// prevention, SEI messages, the beginning of the VUI. Nothing here allocates more than its input is
// long.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "server/base/bytes.hpp"
#include "server/media/bit_reader.hpp"
#include "server/media/track.hpp"

namespace kapok::media {

// An access unit of more NAL units is refused: 8K pictures have at most 600 slice segments (HEVC
// level 6.2, table A.8), and each may have a few SEI messages.
constexpr std::size_t kMaxNalsPerAccessUnit = 4096;
// Parameter sets and SEI messages are small; more is an attack or a bug.
constexpr std::size_t kMaxParameterSetBytes = std::size_t{64} * 1024;

// Walks the NAL units of an access unit in mdat form. next() is nullopt at the end and at the first
// length that does not fit; clean() then tells which of the two it was. Empty units are skipped.
class NalWalker {
 public:
  NalWalker(ByteSpan access_unit, unsigned length_size)
      : bytes_(access_unit), length_size_(length_size) {}
  std::optional<ByteSpan> next();
  bool clean() const { return clean_; }

 private:
  ByteSpan bytes_;
  unsigned length_size_;
  std::size_t at_ = 0;
  std::size_t count_ = 0;
  bool clean_ = true;
};

// Removes emulation prevention bytes [H.264 7.3.1, H.265 7.3.1.1]: 00 00 03 becomes 00 00.
Bytes without_emulation_prevention(ByteSpan nal);

// The payloads of SEI NAL units that say how pictures are to be shown. AVC and HEVC use the same
// numbers and layouts for them [H.264 D.1, H.265 D.2].
struct DisplaySei {
  std::optional<MasteringDisplay> mastering;         // 137
  std::optional<ContentLight> light;                 // 144
  std::optional<std::uint8_t> alternative_transfer;  // 147
  std::optional<std::uint32_t> recovery_point;  // 6: frames until the picture is whole (AVC: ue)
  bool closed_captions = false;                 // 4: see is_caption_data
  bool hdr_vivid = false;                       // 4: see is_hdr_vivid
  bool hdr10_plus = false;                      // 4: see is_hdr10_plus
  bool empty() const { return !mastering && !light && !alternative_transfer; }
};
// `sei` is the NAL unit without its header (1 byte in AVC, 2 in HEVC), still with emulation
// prevention. Adds what it finds to `found`; broken messages end the walk silently, because SEI is
// only advice.
void read_display_sei(ByteSpan sei, DisplaySei& found);

// Whether an ITU-T T.35 message (SEI 4, AV1 metadata 4), its country code first, is cc_data of ATSC
// A/53 part 4, 6.2.3: CEA-608 and CEA-708 captions. Who sends them sends them with every picture.
bool is_caption_data(ByteSpan t35);

// Likewise whether it is the dynamic metadata of HDR Vivid [T/UWA 005.1, annex A]. It comes with
// every picture too, over a PQ or HLG picture that plays without it.
bool is_hdr_vivid(ByteSpan t35);
// And of HDR10+ [SMPTE ST 2094-40; CTA-861 annex S], over a PQ picture.
bool is_hdr10_plus(ByteSpan t35);

// Facts completed by SEI. An alternative transfer of 18 over a BT.2020 SDR-compatible curve is HLG
// in effect (ATC SEI, DVB and ARIB practice).
void apply(const DisplaySei& found, VideoFacts& facts);

// The beginning of the VUI, which both have alike [H.264 E.1.1, H.265 E.2.1]: sample aspect, video
// signal type; behind the chroma sample locations they part.
void read_vui_picture(BitReader& in, VideoFacts& facts);
// numerator / denominator in lowest terms, or unknown if either is 0 or the rate is absurd (above
// 1000 frames a second: timing fields are often nonsense).
Rational frame_rate_of(std::uint64_t numerator, std::uint64_t denominator);

}  // namespace kapok::media
