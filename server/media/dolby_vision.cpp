#include "server/media/dolby_vision.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "server/base/crc32.hpp"
#include "server/media/bit_reader.hpp"
#include "server/media/hevc.hpp"

namespace kapok::media::dolby_vision {

namespace {

constexpr std::byte kNalPrefix{25};  // rpu_nal_prefix
constexpr std::byte kEnd{0x80};      // rbsp_trailing_bits, byte aligned
constexpr std::size_t kCrcBytes = 4;
constexpr std::uint32_t kRpuType = 2;
constexpr std::uint32_t kMaxDepthMinus8 = 8;

// dv_bl_signal_compatibility_id
constexpr std::uint8_t kNone = 0;
constexpr std::uint8_t kHdr10 = 1;
constexpr std::uint8_t kSdr = 2;
constexpr std::uint8_t kHlg = 4;

// vdr_rpu_data_header up to what tells the profile.
struct Header {
  std::uint32_t rpu_profile = 0;
  bool base_full_range = false;
  std::uint8_t base_depth = 0;
  std::uint8_t vdr_depth = 0;
  bool mapping_is_extended = false;
  bool el_spatial_resampling = false;
  bool residual_disabled = false;
};

std::optional<Header> read_header(ByteSpan rpu) {
  BitReader in(rpu);
  if (in.bits(6) != kRpuType) return std::nullopt;
  const std::uint32_t format = in.bits(11);
  Header header;
  header.rpu_profile = in.bits(4);
  in.skip(4);                           // vdr_rpu_level
  if (!in.flag()) return std::nullopt;  // vdr_seq_info_present_flag
  in.skip(1);                           // chroma_resampling_explicit_filter_flag
  const std::uint32_t coefficients = in.bits(2);
  constexpr std::uint32_t kMaxLog2Denominator = 32;
  if (coefficients > 1) return std::nullopt;  // 0 fixed point, 1 floating point
  if (coefficients == 0) in.ue(kMaxLog2Denominator);
  in.skip(2);  // vdr_rpu_normalized_idc
  header.base_full_range = in.flag();
  if ((format & 0x700) != 0) return std::nullopt;  // the rest is of format 0.x alone
  header.base_depth = static_cast<std::uint8_t>(8 + in.ue(kMaxDepthMinus8));
  // Its upper byte is ext_mapping_idc, 0 in profiles before 20.
  const std::uint32_t enhancement = in.ue(UINT16_MAX);
  header.mapping_is_extended = enhancement > UINT8_MAX;
  header.vdr_depth = static_cast<std::uint8_t>(8 + in.ue(kMaxDepthMinus8));
  in.skip(1);                                // spatial_resampling_filter_flag
  if (in.bits(3) != 0) return std::nullopt;  // reserved_zero_3bits
  header.el_spatial_resampling = in.flag();
  header.residual_disabled = in.flag();
  return in.ok() ? std::optional(header) : std::nullopt;
}

// "Dolby Vision Profiles and Levels", on the profiles of ETSI CCM.
std::optional<std::uint8_t> profile_of(const Header& header) {
  if (header.mapping_is_extended) return std::nullopt;
  if (header.rpu_profile == 0)
    return header.base_full_range && header.residual_disabled ? std::optional<std::uint8_t>(5)
                                                              : std::nullopt;
  if (header.rpu_profile != 1 || header.base_full_range) return std::nullopt;
  if (header.residual_disabled) return 8;
  if (!header.el_spatial_resampling) return std::nullopt;
  constexpr std::uint8_t kBluRayDepth = 12;
  return header.vdr_depth == kBluRayDepth ? 7 : 4;
}

// variable_bits() [ETSI TS 102 366 annex H]: n bits, and more while a flag says so. Nothing above
// `max`.
std::optional<std::size_t> read_variable(BitReader& in, unsigned n, std::size_t max) {
  std::size_t value = in.bits(n);
  while (in.flag()) {
    value = ((value + 1) << n) + in.bits(n);
    if (value > max) return std::nullopt;
  }
  return in.ok() && value <= max ? std::optional(value) : std::nullopt;
}

struct Level {
  std::uint64_t pixels_per_second;
  std::uint32_t width;
};
// "Dolby Vision Profiles and Levels": level 1 first. Bit rates, which depend on the tier, are left
// aside.
constexpr std::array<Level, kMaxLevel> kLevels{{{std::uint64_t{1280} * 720 * 24, 1280},
                                                {std::uint64_t{1280} * 720 * 30, 1280},
                                                {std::uint64_t{1920} * 1080 * 24, 1920},
                                                {std::uint64_t{1920} * 1080 * 30, 2560},
                                                {std::uint64_t{1920} * 1080 * 60, 3840},
                                                {std::uint64_t{3840} * 2160 * 24, 3840},
                                                {std::uint64_t{3840} * 2160 * 30, 3840},
                                                {std::uint64_t{3840} * 2160 * 48, 3840},
                                                {std::uint64_t{3840} * 2160 * 60, 3840},
                                                {std::uint64_t{3840} * 2160 * 120, 3840},
                                                {std::uint64_t{3840} * 2160 * 120, 7680},
                                                {std::uint64_t{7680} * 4320 * 60, 7680},
                                                {std::uint64_t{7680} * 4320 * 120, 7680}}};

std::optional<std::uint8_t> level_of(const VideoFacts& facts, Rational rate) {
  if (rate.numerator == 0 || rate.denominator == 0) return std::nullopt;
  // 2^28 pixels by 2^32, and 2^32 by 2^32: neither overflows.
  const std::uint64_t pixels = std::uint64_t{facts.width} * facts.height * rate.numerator;
  const auto* fits = std::ranges::find_if(kLevels, [&](const Level& level) {
    return facts.width <= level.width && pixels <= level.pixels_per_second * rate.denominator;
  });
  if (fits == kLevels.end()) return std::nullopt;
  return static_cast<std::uint8_t>(fits - kLevels.begin() + 1);
}

// What the base layer is by its VUI, in narrow range.
std::optional<std::uint8_t> compatibility_of(const VideoFacts& facts, Codec codec) {
  constexpr Colour kBt2020Pq{9, 16, 9, false};
  constexpr Colour kBt2020Hlg{9, 18, 9, false};
  constexpr Colour kBt709{1, 1, 1, false};
  constexpr std::uint8_t kDepth = 10;
  if (facts.bit_depth != kDepth || facts.chroma_format != 1 || facts.interlaced)
    return std::nullopt;
  if (facts.colour == kBt2020Pq) return kHdr10;
  if (facts.colour == kBt2020Hlg) return kHlg;
  // Of 8.2 alone: no document at hand has a 10.2.
  return facts.colour == kBt709 && codec == Codec::hevc ? std::optional(kSdr) : std::nullopt;
}

// transfer_characteristics without SEI 147, which facts have folded in.
std::uint8_t vui_transfer(const Track& track) {
  if (track.codec != Codec::hevc) return track.video()->colour.transfer;
  const auto config = hevc::parse_config(track.config.bytes());
  if (!config) return 0;
  const auto sps = hevc::parse_sps(config->first(hevc::kSps));
  return sps ? sps->facts.colour.transfer : 0;
}

}  // namespace

std::optional<Rpu> parse_rpu(ByteSpan rpu) {
  if (rpu.size() <= kCrcBytes + 1 || rpu.size() > kMaxRpuBytes || rpu.back() != kEnd ||
      crc32(rpu.first(rpu.size() - 1)) != 0)
    return std::nullopt;
  const auto header = read_header(rpu.first(rpu.size() - kCrcBytes - 1));
  if (!header) return std::nullopt;
  const auto profile = profile_of(*header);
  if (!profile) return std::nullopt;
  return Rpu{*profile, header->base_depth};
}

std::optional<Rpu> rpu_of_nal(ByteSpan nal) {
  if (nal.size() <= hevc::kNalHeaderBytes || nal.size() > kMaxRpuBytes) return std::nullopt;
  const Bytes payload = without_emulation_prevention(nal.subspan(hevc::kNalHeaderBytes));
  if (payload.front() != kNalPrefix) return std::nullopt;
  // [H.265 7.3.2.13] zero words may follow, as behind slices.
  std::size_t size = payload.size();
  while (payload[size - 1] == std::byte{0}) --size;  // ends at the prefix
  return parse_rpu(ByteSpan(payload).first(size).subspan(1));
}

std::optional<Rpu> rpu_of_t35(ByteSpan t35) {
  // United States, Dolby, its code for RPUs; then an EMDF container [ETSI TS 102 366 annex H] with
  // this payload alone, whose fields up to the size are fixed.
  constexpr std::uint32_t kCountry = 0xB5;
  constexpr std::uint32_t kProvider = 0x003B;
  constexpr std::uint32_t kOrientedCode = 0x00000800;
  constexpr std::uint32_t kEmdfHeader = 0x01BE6841;      // 27 bits
  constexpr std::uint32_t kEmdfProtection = 0x00000400;  // 17 bits: no more payloads, 8 bits of 0
  if (t35.size() > kMaxRpuBytes) return std::nullopt;
  BitReader in(t35);
  if (in.bits(8) != kCountry || in.bits(16) != kProvider || in.bits(32) != kOrientedCode ||
      in.bits(27) != kEmdfHeader)
    return std::nullopt;
  const auto size = read_variable(in, 8, kMaxRpuBytes);
  if (!size || *size > in.bits_left() / 8) return std::nullopt;
  Bytes rpu(*size);  // not byte-aligned in the message
  for (std::byte& byte : rpu) byte = std::byte{in.u8(8)};
  if (in.bits(17) != kEmdfProtection || !in.ok()) return std::nullopt;
  return parse_rpu(rpu);
}

std::optional<DolbyVision> describe(const Rpu& rpu, const VideoFacts& facts, Codec codec) {
  const bool is_av1 = codec == Codec::av1;
  if (rpu.base_depth != facts.bit_depth) return std::nullopt;
  DolbyVision stream;
  stream.level = level_of(facts, facts.frame_rate);
  if (rpu.profile == 5) {
    stream.profile = is_av1 ? 10 : 5;
    stream.compatibility = kNone;
    // It must be named, or everybody would take it for plain HEVC: by a level that suffices.
    constexpr Rational kAssumed{60, 1};
    if (!stream.level) stream.level = level_of(facts, kAssumed);
    return stream;
  }
  if (rpu.profile != 8) {
    if (is_av1) return std::nullopt;
    stream.profile = rpu.profile;
    return stream;
  }
  stream.profile = is_av1 ? 10 : 8;
  stream.compatibility = compatibility_of(facts, codec);
  return stream;
}

bool needs_decoder(const DolbyVision& stream) {
  return stream.compatibility == kNone;
}

std::optional<DolbyVision> told(const Track& track) {
  const VideoFacts* video = track.video();
  if (video == nullptr || !video->dolby_vision) return std::nullopt;
  const DolbyVision& stream = *video->dolby_vision;
  if (!stream.level || !stream.compatibility) return std::nullopt;
  if (!needs_decoder(stream) && brand(stream, track).empty()) return std::nullopt;
  return stream;
}

std::string profile_name(const DolbyVision& stream) {
  if (stream.profile < 8 || !stream.compatibility) return fmt::format("{}", stream.profile);
  return fmt::format("{}.{}", stream.profile, *stream.compatibility);
}

std::string codec_string(const DolbyVision& stream) {
  return fmt::format("{}.{:02}.{:02}", stream.profile == 10 ? "dav1" : "dvh1", stream.profile,
                     stream.level.value_or(0));
}

std::string_view brand(const DolbyVision& stream, const Track& track) {
  if (stream.compatibility == kHdr10) return "db1p";
  if (stream.compatibility == kSdr) return "db2g";
  if (stream.compatibility != kHlg) return "";
  constexpr std::uint8_t kHlgTransfer = 18;
  constexpr std::uint8_t kBt2020Transfer = 14;
  const std::uint8_t transfer = vui_transfer(track);
  if (transfer == kHlgTransfer) return "db4h";
  return transfer == kBt2020Transfer ? "db4g" : "";
}

}  // namespace kapok::media::dolby_vision
