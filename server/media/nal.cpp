#include "server/media/nal.hpp"

#include <algorithm>
#include <numeric>
#include <span>

#include "server/media/bit_reader.hpp"

namespace kapok::media {

std::optional<ByteSpan> NalWalker::next() {
  while (at_ < bytes_.size()) {
    if (bytes_.size() - at_ < length_size_ || count_ >= kMaxNalsPerAccessUnit) {
      clean_ = false;
      return std::nullopt;
    }
    std::size_t length = 0;
    for (unsigned i = 0; i < length_size_; ++i)
      length = (length << 8) | std::to_integer<std::size_t>(bytes_[at_ + i]);
    const std::size_t start = at_ + length_size_;
    if (bytes_.size() - start < length) {
      clean_ = false;
      return std::nullopt;
    }
    at_ = start + length;
    ++count_;
    if (length > 0) return bytes_.subspan(start, length);
  }
  return std::nullopt;
}

Bytes without_emulation_prevention(ByteSpan nal) {
  Bytes out;
  out.reserve(nal.size());
  unsigned zeros = 0;
  for (const std::byte byte : nal) {
    if (zeros >= 2 && byte == std::byte{3}) {
      zeros = 0;
      continue;
    }
    zeros = byte == std::byte{0} ? zeros + 1 : 0;
    out.push_back(byte);
  }
  return out;
}

namespace {

constexpr std::uint32_t kRegisteredUserData = 4;
constexpr std::uint32_t kRecoveryPoint = 6;
constexpr std::uint32_t kMasteringDisplay = 137;
constexpr std::uint32_t kContentLight = 144;
constexpr std::uint32_t kAlternativeTransfer = 147;

Result<MasteringDisplay> read_mastering(ByteReader in) {
  MasteringDisplay mastering;
  for (unsigned i = 0; i < 3; ++i) {  // SEI 137 has green, blue, red, as `mdcv` does
    mastering.primaries_x[i] = KAPOK_TRY(in.u16());
    mastering.primaries_y[i] = KAPOK_TRY(in.u16());
  }
  mastering.white_x = KAPOK_TRY(in.u16());
  mastering.white_y = KAPOK_TRY(in.u16());
  mastering.max_luminance = KAPOK_TRY(in.u32());
  mastering.min_luminance = KAPOK_TRY(in.u32());
  return mastering;
}

Result<ContentLight> read_light(ByteReader in) {
  ContentLight light;
  light.max_content = KAPOK_TRY(in.u16());
  light.max_frame_average = KAPOK_TRY(in.u16());
  return light;
}

void read_message(std::uint32_t type, ByteSpan payload, DisplaySei& found) {
  if (type == kMasteringDisplay) {
    if (auto mastering = read_mastering(ByteReader(payload))) found.mastering = *mastering;
  } else if (type == kContentLight) {
    if (auto light = read_light(ByteReader(payload))) found.light = *light;
  } else if (type == kAlternativeTransfer) {
    if (!payload.empty())
      found.alternative_transfer = std::to_integer<std::uint8_t>(payload.front());
  } else if (type == kRegisteredUserData) {
    found.closed_captions |= is_caption_data(payload);
    found.hdr_vivid |= is_hdr_vivid(payload);
    found.hdr10_plus |= is_hdr10_plus(payload);
  } else if (type == kRecoveryPoint) {
    BitReader bits(payload);
    const std::uint32_t frames = bits.ue(65535);
    if (bits.ok()) found.recovery_point = frames;
  }
}

bool begins_with(ByteSpan t35, std::span<const std::uint8_t> header) {
  return t35.size() > header.size() &&
         std::equal(header.begin(), header.end(), t35.begin(),
                    [](std::uint8_t want, std::byte have) { return std::byte{want} == have; });
}

// Type and size of an SEI message: bytes of 255 and a last, smaller one, summed [H.264 7.3.2.3.1].
Result<std::uint32_t> read_sum(ByteReader& in) {
  std::uint32_t sum = 0;
  while (true) {
    const std::uint8_t byte = KAPOK_TRY(in.u8());
    sum += byte;  // cannot overflow: the input is at most kMaxParameterSetBytes long
    if (byte != 255) return sum;
  }
}

Result<void> read_messages(ByteReader in, DisplaySei& found) {
  while (in.left() > 1) {  // the last byte is the trailing bits
    const std::uint32_t type = KAPOK_TRY(read_sum(in));
    const std::uint32_t size = KAPOK_TRY(read_sum(in));
    read_message(type, KAPOK_TRY(in.take(size)), found);
  }
  return {};
}

// [H.264 table E-1, H.265 table E.1] 1..16; others are unspecified, taken as square.
Rational sample_aspect_of(std::uint32_t aspect_ratio_idc) {
  static constexpr Rational kTable[] = {{1, 1},   {1, 1},    {12, 11}, {10, 11}, {16, 11}, {40, 33},
                                        {24, 11}, {20, 11},  {32, 11}, {80, 33}, {18, 11}, {15, 11},
                                        {64, 33}, {160, 99}, {4, 3},   {3, 2},   {2, 1}};
  return aspect_ratio_idc < std::size(kTable) ? kTable[aspect_ratio_idc] : Rational{1, 1};
}

}  // namespace

void read_display_sei(ByteSpan sei, DisplaySei& found) {
  if (sei.size() > kMaxParameterSetBytes) return;
  const Bytes rbsp = without_emulation_prevention(sei);
  [[maybe_unused]] const auto ended = read_messages(ByteReader(rbsp), found);
}

bool is_caption_data(ByteSpan t35) {
  // United States, ATSC, "GA94", cc_data.
  constexpr std::uint8_t kCaptions[] = {0xB5, 0x00, 0x31, 'G', 'A', '9', '4', 0x03};
  return begins_with(t35, kCaptions);
}

bool is_hdr_vivid(ByteSpan t35) {
  // China, the provider's code of CUVA, its code for this metadata.
  constexpr std::uint8_t kVivid[] = {0x26, 0x00, 0x04, 0x00, 0x05};
  return begins_with(t35, kVivid);
}

bool is_hdr10_plus(ByteSpan t35) {
  // United States, Samsung, its code for ST 2094, application 4, application mode 1.
  constexpr std::uint8_t kHdr10Plus[] = {0xB5, 0x00, 0x3C, 0x00, 0x01, 0x04, 0x01};
  return begins_with(t35, kHdr10Plus);
}

void apply(const DisplaySei& found, VideoFacts& facts) {
  if (found.mastering) facts.mastering = found.mastering;
  if (found.light) facts.light = found.light;
  facts.closed_captions |= found.closed_captions;
  facts.hdr_vivid |= found.hdr_vivid;
  facts.hdr10_plus |= found.hdr10_plus;
  if (found.alternative_transfer == 18 && facts.colour.transfer != 16) facts.colour.transfer = 18;
}

void read_vui_picture(BitReader& in, VideoFacts& facts) {
  if (in.flag()) {  // aspect_ratio_info_present_flag
    const std::uint32_t idc = in.bits(8);
    if (idc == 255) {
      const std::uint32_t width = in.bits(16);
      const std::uint32_t height = in.bits(16);
      if (width != 0 && height != 0) facts.sample_aspect = {width, height};
    } else {
      facts.sample_aspect = sample_aspect_of(idc);
    }
  }
  if (in.flag()) in.skip(1);  // overscan
  if (in.flag()) {            // video_signal_type_present_flag
    in.skip(3);
    facts.colour.full_range = in.flag();
    if (in.flag()) {
      facts.colour.primaries = in.u8(8);
      facts.colour.transfer = in.u8(8);
      facts.colour.matrix = in.u8(8);
    }
  }
  if (in.flag()) {  // chroma sample locations
    in.ue(5);
    in.ue(5);
  }
}

Rational frame_rate_of(std::uint64_t numerator, std::uint64_t denominator) {
  if (numerator == 0 || denominator == 0) return {};
  const std::uint64_t common = std::gcd(numerator, denominator);
  numerator /= common;
  denominator /= common;
  if (numerator > UINT32_MAX || denominator > UINT32_MAX) return {};
  if (numerator / denominator > 1000) return {};
  return {static_cast<std::uint32_t>(numerator), static_cast<std::uint32_t>(denominator)};
}

}  // namespace kapok::media
