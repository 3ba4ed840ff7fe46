#include "server/media/hevc.hpp"

#include "server/media/bit_reader.hpp"
#include "server/media/describe.hpp"
#include "server/media/dolby_vision.hpp"

namespace kapok::media::hevc {

namespace {

constexpr unsigned kMaxShortTermSets = 64;      // [H.265 7.4.3.2.1]
constexpr unsigned kMaxReferencePictures = 16;  // MaxDpbSize [H.265 A.4.2]
constexpr unsigned kFirstNonSlice = 32;

ProfileTierLevel read_profile_tier_level(BitReader& in, unsigned sub_layers_minus1) {
  ProfileTierLevel general;
  general.profile_space = in.u8(2);
  general.high_tier = in.flag();
  general.profile = in.u8(5);
  general.compatibility = in.bits(32);
  for (auto& byte : general.constraints) byte = in.u8(8);
  general.level = in.u8(8);
  bool profile_present[8] = {};
  bool level_present[8] = {};
  for (unsigned i = 0; i < sub_layers_minus1; ++i) {
    profile_present[i] = in.flag();
    level_present[i] = in.flag();
  }
  if (sub_layers_minus1 > 0) in.skip(2 * (8 - sub_layers_minus1));
  for (unsigned i = 0; i < sub_layers_minus1; ++i) {
    if (profile_present[i]) in.skip(88);
    if (level_present[i]) in.skip(8);
  }
  return general;
}

// [H.265 7.3.4] only the length matters.
void skip_scaling_lists(BitReader& in) {
  for (unsigned size = 0; size < 4; ++size) {
    for (unsigned matrix = 0; matrix < 6 && in.ok(); matrix += size == 3 ? 3 : 1) {
      if (!in.flag()) {
        in.ue(5);  // scaling_list_pred_matrix_id_delta
        continue;
      }
      const unsigned coefficients = size == 0 ? 16 : 64;
      if (size > 1) in.se(-7, 247);
      for (unsigned i = 0; i < coefficients && in.ok(); ++i) in.se(-128, 127);
    }
  }
}

// [H.265 7.3.7] The number of pictures in each set is needed to read the sets predicted from it.
void skip_short_term_sets(BitReader& in) {
  const unsigned sets = in.ue(kMaxShortTermSets);
  unsigned pictures[kMaxShortTermSets + 1] = {};
  for (unsigned set = 0; set < sets && in.ok(); ++set) {
    if (set > 0 && in.flag()) {  // inter_ref_pic_set_prediction_flag
      in.skip(1);                // delta_rps_sign
      in.ue((1u << 15) - 1);
      unsigned kept = 0;
      for (unsigned i = 0; i <= pictures[set - 1] && in.ok(); ++i) {
        const bool used = in.flag();
        const bool use_delta = used || in.flag();
        if (used || use_delta) ++kept;
      }
      pictures[set] = kept;
    } else {
      const unsigned negative = in.ue(kMaxReferencePictures);
      const unsigned positive = in.ue(kMaxReferencePictures);
      pictures[set] = negative + positive;
      for (unsigned i = 0; i < pictures[set] && in.ok(); ++i) {
        in.ue((1u << 15) - 1);
        in.skip(1);
      }
    }
    if (pictures[set] > 2 * kMaxReferencePictures) in.skip(SIZE_MAX);  // fails the reader
  }
}

// [H.265 E.2.1] as far as the timing; HRD parameters follow and are of no use to us.
void read_vui(BitReader& in, VideoFacts& facts) {
  read_vui_picture(in, facts);
  in.skip(1);  // neutral_chroma_indication_flag
  const bool fields = in.flag();
  if (fields) facts.interlaced = true;
  in.skip(1);       // frame_field_info_present_flag
  if (in.flag()) {  // default display window: a hint for cropping that nobody follows
    for (int i = 0; i < 4; ++i) in.ue(kMaxPictureSide);
  }
  if (in.flag()) {  // vui_timing_info_present_flag
    const std::uint32_t tick = in.bits(32);
    const std::uint32_t scale = in.bits(32);
    // [H.265 E.3.1] a tick is one picture; a coded field is a picture, two make a frame.
    if (in.ok()) facts.frame_rate = frame_rate_of(scale, std::uint64_t{tick} * (fields ? 2 : 1));
  }
}

}  // namespace

ByteSpan Config::first(unsigned type) const {
  for (const NalArray& array : arrays)
    if (array.type == type && !array.nals.empty()) return array.nals.front();
  return {};
}

Result<Config> parse_config(ByteSpan hvcc) {
  ByteReader in(hvcc);
  const std::uint8_t version = KAPOK_TRY(in.u8());
  // Some encoders of the time before the final standard write 0.
  if (version > 1) return fail(Errc::malformed, "hvcC: version {} instead of 1", version);
  KAPOK_TRY(in.skip(20));
  Config config;
  config.nal_length_size = static_cast<std::uint8_t>((KAPOK_TRY(in.u8()) & 3) + 1);
  if (config.nal_length_size == 3) return fail(Errc::malformed, "hvcC: NAL length size 3");
  const unsigned arrays = KAPOK_TRY(in.u8());
  for (unsigned i = 0; i < arrays; ++i) {
    NalArray array;
    array.type = KAPOK_TRY(in.u8()) & 0x3f;
    const unsigned count = KAPOK_TRY(in.u16());
    for (unsigned n = 0; n < count; ++n) {
      const std::uint16_t size = KAPOK_TRY(in.u16());
      const ByteSpan nal = KAPOK_TRY(in.take(size));
      if (nal.size() <= kNalHeaderBytes || nal_type(nal) != array.type)
        return fail(Errc::malformed, "hvcC: a NAL unit in the array of type {} is not one",
                    array.type);
      array.nals.push_back(nal);
    }
    config.arrays.push_back(std::move(array));
  }
  if (config.first(kSps).empty()) return fail(Errc::malformed, "hvcC: no SPS");
  return config;
}

Result<Sps> parse_sps(ByteSpan nal) {
  if (nal.size() < 16 || nal.size() > kMaxParameterSetBytes || nal_type(nal) != kSps)
    return fail(Errc::malformed, "hevc SPS: not one ({} bytes)", nal.size());
  const Bytes rbsp = without_emulation_prevention(nal.subspan(kNalHeaderBytes));
  BitReader in(rbsp);
  in.skip(4);  // sps_video_parameter_set_id
  const unsigned sub_layers_minus1 = in.bits(3);
  in.skip(1);  // sps_temporal_id_nesting_flag
  if (sub_layers_minus1 > 6)
    return fail(Errc::malformed, "hevc SPS: {} sub-layers", sub_layers_minus1 + 1);
  Sps sps;
  sps.tier_level = read_profile_tier_level(in, sub_layers_minus1);
  VideoFacts& facts = sps.facts;
  const bool progressive_source = (sps.tier_level.constraints[0] & 0x80) != 0;
  const bool interlaced_source = (sps.tier_level.constraints[0] & 0x40) != 0;
  facts.interlaced = interlaced_source && !progressive_source;
  in.ue(15);  // sps_seq_parameter_set_id
  facts.chroma_format = static_cast<std::uint8_t>(in.ue(3));
  if (facts.chroma_format == 3) in.skip(1);  // separate_colour_plane_flag
  const std::uint32_t width = in.ue(UINT32_MAX - 1);
  const std::uint32_t height = in.ue(UINT32_MAX - 1);
  if (!in.ok() || width == 0 || height == 0)
    return fail(Errc::malformed, "hevc SPS: cut short or a value out of range");
  if (width > kMaxPictureSide || height > kMaxPictureSide)
    return fail(Errc::limit, "hevc SPS: picture {}x{} is larger than {}", width, height,
                kMaxPictureSide);
  std::uint32_t crop_width = 0;
  std::uint32_t crop_height = 0;
  if (in.flag()) {  // conformance_window_flag [H.265 7.4.3.2.1]: offsets in chroma samples
    const std::uint32_t unit_x = facts.chroma_format == 1 || facts.chroma_format == 2 ? 2 : 1;
    const std::uint32_t unit_y = facts.chroma_format == 1 ? 2 : 1;
    crop_width = unit_x * in.ue(kMaxPictureSide);
    crop_width += unit_x * in.ue(kMaxPictureSide);
    crop_height = unit_y * in.ue(kMaxPictureSide);
    crop_height += unit_y * in.ue(kMaxPictureSide);
  }
  facts.bit_depth = static_cast<std::uint8_t>(8 + in.ue(8));
  in.ue(8);  // chroma depth
  const std::uint32_t log2_max_poc = 4 + in.ue(12);
  const bool every_sub_layer = in.flag();
  for (unsigned i = every_sub_layer ? 0 : sub_layers_minus1; i <= sub_layers_minus1; ++i) {
    in.ue(kMaxReferencePictures);
    sps.max_reorder = in.ue(kMaxReferencePictures);
    in.ue(UINT32_MAX - 1);
  }
  for (int i = 0; i < 6; ++i) in.ue(31);  // block sizes and transform depths
  if (in.flag() && in.flag()) skip_scaling_lists(in);
  in.skip(2);       // amp, sample_adaptive_offset
  if (in.flag()) {  // pcm_enabled_flag
    in.skip(8);
    in.ue(31);
    in.ue(31);
    in.skip(1);
  }
  skip_short_term_sets(in);
  if (in.flag()) {  // long_term_ref_pics_present_flag
    const unsigned count = in.ue(32);
    for (unsigned i = 0; i < count && in.ok(); ++i) in.skip(log2_max_poc + 1);
  }
  in.skip(2);  // temporal_mvp, strong_intra_smoothing
  if (!in.ok()) return fail(Errc::malformed, "hevc SPS: cut short or a value out of range");
  if (crop_width >= width || crop_height >= height)
    return fail(Errc::malformed, "hevc SPS: nothing left of {}x{} after cropping", width, height);
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

std::string codec_string(const ProfileTierLevel& tier_level) {
  static constexpr std::string_view kSpaces[] = {"", "A", "B", "C"};
  std::uint32_t reversed = 0;
  for (unsigned i = 0; i < 32; ++i)
    if ((tier_level.compatibility >> i) & 1) reversed |= 1u << (31 - i);
  std::string text =
      fmt::format("hvc1.{}{}.{:X}.{}{}", kSpaces[tier_level.profile_space & 3], tier_level.profile,
                  reversed, tier_level.high_tier ? 'H' : 'L', tier_level.level);
  std::size_t used = tier_level.constraints.size();
  while (used > 0 && tier_level.constraints[used - 1] == 0) --used;
  for (std::size_t i = 0; i < used; ++i) text += fmt::format(".{:X}", tier_level.constraints[i]);
  return text;
}

RandomAccess random_access(ByteSpan access_unit, unsigned nal_length_size,
                           std::uint32_t max_reorder) {
  NalWalker nals(access_unit, nal_length_size);
  while (const auto nal = nals.next()) {
    const unsigned type = nal_type(*nal);
    if (type >= kFirstNonSlice) continue;
    if (type >= kBlaWLp && type <= kIdrNLp) return RandomAccess::closed_gop;
    if (type == kCra) return max_reorder == 0 ? RandomAccess::closed_gop : RandomAccess::open_gop;
    return RandomAccess::none;  // all slices of a picture have the same type [H.265 7.4.2.2]
  }
  return RandomAccess::none;
}

bool is_skipped_leading(ByteSpan access_unit, unsigned nal_length_size) {
  NalWalker nals(access_unit, nal_length_size);
  while (const auto nal = nals.next()) {
    const unsigned type = nal_type(*nal);
    if (type < kFirstNonSlice) return type == kRaslN || type == kRaslR;
  }
  return false;
}

void enrich(VideoFacts& facts, ByteSpan access_unit) {
  NalWalker nals(access_unit, facts.nal_length_size);
  DisplaySei sei;
  std::optional<dolby_vision::Rpu> rpu;
  bool picture = false;
  bool enhanced = false;
  while (const auto nal = nals.next()) {
    const unsigned type = nal_type(*nal);
    enhanced |= type == kEnhancement;
    if (type == kRpu) rpu = dolby_vision::rpu_of_nal(*nal);
    picture |= type < kFirstNonSlice;
    if (picture) continue;
    if (type == kPrefixSei && nal->size() > kNalHeaderBytes)
      read_display_sei(nal->subspan(kNalHeaderBytes), sei);
    if (type == kSps && facts.colour.primaries == 2 && facts.colour.transfer == 2)
      if (const auto sps = parse_sps(*nal)) facts.colour = sps->facts.colour;
  }
  apply(sei, facts);
  if (!rpu || !nals.clean()) return;
  const auto stream = dolby_vision::describe(*rpu, facts, Codec::hevc);
  const bool one_layer = rpu->profile == 5 || rpu->profile == 8;
  if (stream && !(one_layer && enhanced)) facts.dolby_vision = stream;
}

}  // namespace kapok::media::hevc
