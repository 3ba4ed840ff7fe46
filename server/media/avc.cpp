#include "server/media/avc.hpp"

#include <algorithm>

#include "server/media/bit_reader.hpp"
#include "server/media/describe.hpp"

namespace kapok::media::avc {

namespace {

constexpr std::uint32_t kMaxMbs = kMaxPictureSide / 16;

// [H.264 7.3.2.1.1] the profiles whose SPS carries chroma format and bit depths.
bool has_chroma_fields(std::uint8_t profile) {
  static constexpr std::uint8_t kHigh[] = {100, 110, 122, 244, 44,  83, 86,
                                           118, 128, 138, 139, 134, 135};
  return std::ranges::find(kHigh, profile) != std::end(kHigh);
}

// [H.264 7.3.2.1.1.1] values are not needed, only their length.
void skip_scaling_list(BitReader& in, unsigned size) {
  std::int32_t last = 8;
  std::int32_t next = 8;
  for (unsigned i = 0; i < size && in.ok(); ++i) {
    if (next != 0) next = (last + in.se(-128, 127) + 256) % 256;
    if (next != 0) last = next;
  }
}

// [H.264 E.1.1] as far as the timing; HRD parameters follow and are of no use to us.
void read_vui(BitReader& in, VideoFacts& facts) {
  read_vui_picture(in, facts);
  if (in.flag()) {  // timing_info_present_flag
    const std::uint32_t tick = in.bits(32);
    const std::uint32_t scale = in.bits(32);
    // [H.264 E.2.1] a tick is one field: two make a frame.
    if (in.ok()) facts.frame_rate = frame_rate_of(scale, std::uint64_t{tick} * 2);
  }
}

}  // namespace

Result<Config> parse_config(ByteSpan avcc) {
  ByteReader in(avcc);
  const std::uint8_t version = KAPOK_TRY(in.u8());
  if (version != 1) return fail(Errc::malformed, "avcC: version {} instead of 1", version);
  KAPOK_TRY(in.skip(3));
  Config config;
  config.nal_length_size = static_cast<std::uint8_t>((KAPOK_TRY(in.u8()) & 3) + 1);
  if (config.nal_length_size == 3) return fail(Errc::malformed, "avcC: NAL length size 3");
  const unsigned sps_count = KAPOK_TRY(in.u8()) & 0x1f;
  for (unsigned i = 0; i < sps_count; ++i) {
    const std::uint16_t size = KAPOK_TRY(in.u16());
    const ByteSpan sps = KAPOK_TRY(in.take(size));
    if (sps.empty() || nal_type(sps) != kSps)
      return fail(Errc::malformed, "avcC: an SPS is not an SPS");
    config.sps.push_back(sps);
  }
  const unsigned pps_count = KAPOK_TRY(in.u8());
  for (unsigned i = 0; i < pps_count; ++i) {
    const std::uint16_t size = KAPOK_TRY(in.u16());
    config.pps.push_back(KAPOK_TRY(in.take(size)));
  }
  if (config.sps.empty()) return fail(Errc::malformed, "avcC: no SPS");
  return config;
}

Result<Sps> parse_sps(ByteSpan nal) {
  if (nal.size() < 4 || nal.size() > kMaxParameterSetBytes || nal_type(nal) != kSps)
    return fail(Errc::malformed, "avc SPS: not one ({} bytes)", nal.size());
  const Bytes rbsp = without_emulation_prevention(nal.subspan(1));
  BitReader in(rbsp);
  Sps sps;
  sps.profile = in.u8(8);
  sps.constraints = in.u8(8);
  sps.level = in.u8(8);
  in.ue(31);  // seq_parameter_set_id
  VideoFacts& facts = sps.facts;
  if (has_chroma_fields(sps.profile)) {
    facts.chroma_format = static_cast<std::uint8_t>(in.ue(3));
    if (facts.chroma_format == 3) in.skip(1);  // separate_colour_plane_flag
    facts.bit_depth = static_cast<std::uint8_t>(8 + in.ue(6));
    in.ue(6);    // chroma depth
    in.skip(1);  // transform bypass
    if (in.flag()) {
      const unsigned lists = facts.chroma_format == 3 ? 12 : 8;
      for (unsigned i = 0; i < lists && in.ok(); ++i)
        if (in.flag()) skip_scaling_list(in, i < 6 ? 16 : 64);
    }
  }
  in.ue(12);  // log2_max_frame_num_minus4
  const std::uint32_t order_type = in.ue(2);
  if (order_type == 0) {
    in.ue(12);
  } else if (order_type == 1) {
    in.skip(1);
    in.se(INT32_MIN, INT32_MAX);
    in.se(INT32_MIN, INT32_MAX);
    const std::uint32_t cycle = in.ue(255);
    for (std::uint32_t i = 0; i < cycle && in.ok(); ++i) in.se(INT32_MIN, INT32_MAX);
  }
  in.ue(16);   // max_num_ref_frames
  in.skip(1);  // gaps_in_frame_num_value_allowed_flag
  const std::uint32_t width = 16 * (in.ue(kMaxMbs - 1) + 1);
  const std::uint32_t map_units = in.ue(kMaxMbs - 1) + 1;
  const bool frames_only = in.flag();
  facts.interlaced = !frames_only;
  const std::uint32_t field_factor = frames_only ? 1 : 2;
  const std::uint32_t height = 16 * map_units * field_factor;
  if (!frames_only) in.skip(1);  // mb_adaptive_frame_field_flag
  in.skip(1);                    // direct_8x8_inference_flag
  std::uint32_t crop_width = 0;
  std::uint32_t crop_height = 0;
  if (in.flag()) {
    // [H.264 7.4.2.1.1] offsets count in chroma samples, and in field lines when interlaced.
    const std::uint32_t unit_x = facts.chroma_format == 1 || facts.chroma_format == 2 ? 2 : 1;
    const std::uint32_t unit_y = (facts.chroma_format == 1 ? 2 : 1) * field_factor;
    crop_width = unit_x * in.ue(kMaxPictureSide);
    crop_width += unit_x * in.ue(kMaxPictureSide);
    crop_height = unit_y * in.ue(kMaxPictureSide);
    crop_height += unit_y * in.ue(kMaxPictureSide);
  }
  if (!in.ok()) return fail(Errc::malformed, "avc SPS: cut short or a value out of range");
  if (width > kMaxPictureSide || height > kMaxPictureSide)
    return fail(Errc::limit, "avc SPS: picture {}x{} is larger than {}", width, height,
                kMaxPictureSide);
  if (crop_width >= width || crop_height >= height)
    return fail(Errc::malformed, "avc SPS: nothing left of {}x{} after cropping", width, height);
  facts.width = width - crop_width;
  facts.height = height - crop_height;
  if (in.flag()) {
    // Encoders that write broken VUI are common enough that players ignore it; so do we.
    VideoFacts with_vui = facts;
    read_vui(in, with_vui);
    if (in.ok()) facts = with_vui;
  }
  return sps;
}

std::string codec_string(const Sps& sps) {
  return fmt::format("avc1.{:02x}{:02x}{:02x}", sps.profile, sps.constraints, sps.level);
}

RandomAccess random_access(ByteSpan access_unit, unsigned nal_length_size) {
  NalWalker nals(access_unit, nal_length_size);
  DisplaySei sei;
  while (const auto nal = nals.next()) {
    const unsigned type = nal_type(*nal);
    if (type == kIdr) return RandomAccess::closed_gop;
    if (type >= 1 && type < kIdr) break;  // slices follow the SEI; one slice decides
    if (type == kSei) read_display_sei(nal->subspan(1), sei);
  }
  return sei.recovery_point == 0u ? RandomAccess::open_gop : RandomAccess::none;
}

void enrich(VideoFacts& facts, ByteSpan access_unit) {
  NalWalker nals(access_unit, facts.nal_length_size);
  DisplaySei sei;
  while (const auto nal = nals.next()) {
    const unsigned type = nal_type(*nal);
    if (type >= 1 && type <= kIdr) break;
    if (type == kSei) read_display_sei(nal->subspan(1), sei);
    if (type == kSps && facts.colour.primaries == 2 && facts.colour.transfer == 2)
      if (const auto sps = parse_sps(*nal)) facts.colour = sps->facts.colour;
  }
  apply(sei, facts);
}

}  // namespace kapok::media::avc
