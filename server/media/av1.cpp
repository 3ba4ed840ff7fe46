#include "server/media/av1.hpp"

#include "server/media/bit_reader.hpp"
#include "server/media/describe.hpp"
#include "server/media/dolby_vision.hpp"
#include "server/media/nal.hpp"

namespace kapok::media::av1 {

namespace {

constexpr unsigned kTileList = 8;
constexpr std::uint32_t kMetadataLight = 1;      // METADATA_TYPE_HDR_CLL
constexpr std::uint32_t kMetadataMastering = 2;  // METADATA_TYPE_HDR_MDCV
constexpr std::uint32_t kMetadataT35 = 4;        // METADATA_TYPE_ITUT_T35
constexpr unsigned kSelect = 2;                  // SELECT_SCREEN_CONTENT_TOOLS
constexpr std::uint8_t kMarkerAndVersion = 0x81;
constexpr unsigned kMatrixIdentity = 0;
constexpr unsigned kTransferSrgb = 13;

// [4.10.5] little-endian, seven bits a byte, at most eight bytes and 32 bits.
std::optional<std::uint64_t> read_leb128(ByteSpan bytes, std::size_t& at) {
  std::uint64_t value = 0;
  for (unsigned i = 0; i < 8; ++i) {
    if (at >= bytes.size()) return std::nullopt;
    const auto byte = std::to_integer<std::uint64_t>(bytes[at++]);
    value |= (byte & 0x7f) << (7 * i);
    if (!(byte & 0x80)) return value <= UINT32_MAX ? std::optional(value) : std::nullopt;
  }
  return std::nullopt;
}

// [4.10.3]
std::uint32_t read_uvlc(BitReader& in) {
  unsigned zeros = 0;
  while (in.ok() && !in.flag()) ++zeros;
  return zeros >= 32 ? UINT32_MAX : in.bits(zeros) + ((1u << zeros) - 1);
}

// [5.5.2]
void read_colour(BitReader& in, Sequence& sequence) {
  VideoFacts& facts = sequence.facts;
  const bool high_depth = in.flag();
  facts.bit_depth = 8;
  if (sequence.profile == 2 && high_depth)
    facts.bit_depth = in.flag() ? 12 : 10;
  else if (high_depth)
    facts.bit_depth = 10;
  sequence.monochrome = sequence.profile != 1 && in.flag();
  if (in.flag()) {  // color_description_present_flag
    facts.colour.primaries = in.u8(8);
    facts.colour.transfer = in.u8(8);
    facts.colour.matrix = in.u8(8);
  }
  if (sequence.monochrome) {
    facts.colour.full_range = in.flag();
    facts.chroma_format = 0;
    return;
  }
  if (facts.colour.primaries == 1 && facts.colour.transfer == kTransferSrgb &&
      facts.colour.matrix == kMatrixIdentity) {
    facts.colour.full_range = true;
    sequence.subsampling_x = sequence.subsampling_y = false;
  } else {
    facts.colour.full_range = in.flag();
    if (sequence.profile == 1) {
      sequence.subsampling_x = sequence.subsampling_y = false;
    } else if (sequence.profile == 2) {
      sequence.subsampling_x = facts.bit_depth != 12 || in.flag();
      sequence.subsampling_y = facts.bit_depth == 12 && sequence.subsampling_x && in.flag();
    }
    if (sequence.subsampling_x && sequence.subsampling_y) sequence.chroma_position = in.u8(2);
  }
  in.skip(1);  // separate_uv_delta_q
  facts.chroma_format = !sequence.subsampling_x ? 3 : sequence.subsampling_y ? 1 : 2;
}

// [5.5.3] and [5.5.4]
struct DecoderModel {
  bool present = false;
  unsigned delay_bits = 0;
};
DecoderModel read_timing(BitReader& in, VideoFacts& facts) {
  const std::uint32_t tick = in.bits(32);
  const std::uint32_t scale = in.bits(32);
  if (in.flag()) {  // equal_picture_interval
    const std::uint64_t ticks = std::uint64_t{read_uvlc(in)} + 1;
    if (in.ok() && ticks <= UINT32_MAX) facts.frame_rate = frame_rate_of(scale, tick * ticks);
  }
  DecoderModel model;
  model.present = in.flag();
  if (model.present) {
    model.delay_bits = in.bits(5) + 1;
    in.skip(32 + 5 + 5);
  }
  return model;
}

void read_operating_points(BitReader& in, Sequence& sequence) {
  DecoderModel model;
  if (in.flag()) model = read_timing(in, sequence.facts);
  const bool display_delay = in.flag();
  const unsigned points = in.bits(5) + 1;
  for (unsigned i = 0; i < points && in.ok(); ++i) {
    in.skip(12);  // operating_point_idc
    const std::uint8_t level = in.u8(5);
    const bool high_tier = level > 7 && in.flag();
    if (i == 0) {
      sequence.level = level;
      sequence.high_tier = high_tier;
    }
    if (model.present && in.flag()) in.skip(2 * model.delay_bits + 1);
    if (display_delay && in.flag()) in.skip(4);
  }
}

// [5.5.1] the coding tools; only their length matters.
void read_tools(BitReader& in) {
  in.skip(4);  // interintra, masked and warped compound, dual filter
  const bool order_hint = in.flag();
  if (order_hint) in.skip(2);
  unsigned screen_content = kSelect;
  if (!in.flag()) screen_content = in.bits(1);
  if (screen_content > 0 && !in.flag()) in.skip(1);  // integer motion vectors
  if (order_hint) in.skip(3);
}

// [5.9.2] the first bits of a frame header: shown, and a key frame.
bool is_shown_key_frame(ByteSpan payload) {
  BitReader in(payload);
  if (in.flag()) return false;  // show_existing_frame: shows what was decoded earlier
  const unsigned frame_type = in.bits(2);
  return frame_type == 0 && in.flag() && in.ok();
}

void read_metadata(ByteSpan payload, VideoFacts& facts) {
  std::size_t at = 0;
  const auto type = read_leb128(payload, at);
  if (!type) return;
  BitReader in(payload.subspan(at));
  if (*type == kMetadataT35) {
    facts.closed_captions |= is_caption_data(payload.subspan(at));
    facts.hdr10_plus |= is_hdr10_plus(payload.subspan(at));
    if (const auto rpu = dolby_vision::rpu_of_t35(payload.subspan(at)))
      if (auto stream = dolby_vision::describe(*rpu, facts, Codec::av1))
        facts.dolby_vision = stream;
  } else if (*type == kMetadataLight) {
    const ContentLight light{static_cast<std::uint16_t>(in.bits(16)),
                             static_cast<std::uint16_t>(in.bits(16))};
    if (in.ok()) facts.light = light;
  } else if (*type == kMetadataMastering) {
    // [6.7.4] chromaticities are 0.16 fixed point in the order red, green, blue; luminances 24.8
    // and 18.14. We keep them as HEVC and mdcv do.
    const auto chromaticity = [&] {
      return static_cast<std::uint16_t>((in.bits(16) * 50000u + 32768u) >> 16);
    };
    MasteringDisplay mastering;
    for (const unsigned to : {2u, 0u, 1u}) {
      mastering.primaries_x[to] = chromaticity();
      mastering.primaries_y[to] = chromaticity();
    }
    mastering.white_x = chromaticity();
    mastering.white_y = chromaticity();
    const std::uint64_t max = in.bits(32);
    const std::uint64_t min = in.bits(32);
    const std::uint64_t max_units = (max * 10000 + 128) >> 8;
    mastering.max_luminance =
        max_units <= UINT32_MAX ? static_cast<std::uint32_t>(max_units) : UINT32_MAX;
    mastering.min_luminance = static_cast<std::uint32_t>((min * 10000 + 8192) >> 14);
    if (in.ok()) facts.mastering = mastering;
  }
}

bool belongs_in_sample(const Obu& obu) {
  return obu.type != kTemporalDelimiter && obu.type != kPadding && obu.type != kTileList;
}

std::optional<Obu> first_of(ByteSpan obus, unsigned type) {
  ObuWalker walker(obus);
  while (const auto obu = walker.next())
    if (obu->type == type) return obu;
  return std::nullopt;
}

}  // namespace

std::optional<Obu> ObuWalker::next() {
  if (at_ >= bytes_.size()) return std::nullopt;
  clean_ = false;  // until this one is whole
  if (++count_ > kMaxObusPerTemporalUnit) return std::nullopt;
  const std::size_t start = at_;
  const auto header = std::to_integer<unsigned>(bytes_[at_++]);
  if (header & 0x80) return std::nullopt;  // obu_forbidden_bit
  if (header & 0x04) {                     // obu_extension_flag
    if (at_ >= bytes_.size()) return std::nullopt;
    ++at_;
  }
  std::size_t size = bytes_.size() - at_;
  if (header & 0x02) {  // obu_has_size_field
    const auto stated = read_leb128(bytes_, at_);
    if (!stated || *stated > bytes_.size() - at_) return std::nullopt;
    size = static_cast<std::size_t>(*stated);
  }
  Obu obu;
  obu.type = (header >> 3) & 0xf;
  obu.payload = bytes_.subspan(at_, size);
  at_ += size;
  obu.whole = bytes_.subspan(start, at_ - start);
  clean_ = true;
  return obu;
}

Result<Sequence> parse_sequence(ByteSpan payload) {
  if (payload.size() > kMaxParameterSetBytes)
    return fail(Errc::limit, "av1 sequence header of {} bytes", payload.size());
  BitReader in(payload);
  Sequence sequence;
  sequence.profile = in.u8(3);
  sequence.still_picture = in.flag();
  sequence.reduced_header = in.flag();
  if (sequence.reduced_header)
    sequence.level = in.u8(5);
  else
    read_operating_points(in, sequence);
  const unsigned width_bits = in.bits(4) + 1;
  const unsigned height_bits = in.bits(4) + 1;
  sequence.facts.width = in.bits(width_bits) + 1;
  sequence.facts.height = in.bits(height_bits) + 1;
  if (!sequence.reduced_header && in.flag()) in.skip(4 + 3);  // frame ids
  in.skip(3);  // 128x128 superblocks, filter intra, intra edge filter
  if (!sequence.reduced_header) read_tools(in);
  in.skip(3);  // superres, cdef, restoration
  read_colour(in, sequence);
  in.skip(1);  // film grain
  if (!in.ok()) return fail(Errc::malformed, "av1 sequence header: cut short");
  if (sequence.profile > 2)
    return fail(Errc::unsupported, "av1 sequence header: profile {}", sequence.profile);
  if (sequence.facts.width > kMaxPictureSide || sequence.facts.height > kMaxPictureSide)
    return fail(Errc::limit, "av1 sequence header: picture {}x{} is larger than {}",
                sequence.facts.width, sequence.facts.height, kMaxPictureSide);
  return sequence;
}

Result<Config> parse_config(ByteSpan av1c) {
  ByteReader in(av1c);
  const std::uint8_t marker = KAPOK_TRY(in.u8());
  if (marker != kMarkerAndVersion)
    return fail(Errc::malformed, "av1C: marker and version {:#x}", marker);
  KAPOK_TRY(in.skip(3));
  Config config;
  config.obus = in.rest();
  const auto obu = first_of(config.obus, kSequenceHeader);
  if (!obu) return fail(Errc::malformed, "av1C: no sequence header");
  config.sequence = KAPOK_TRY(parse_sequence(obu->payload));
  ObuWalker walker(config.obus);  // HDR metadata may stand here too
  while (const auto more = walker.next())
    if (more->type == kMetadata) read_metadata(more->payload, config.sequence.facts);
  return config;
}

Result<Bytes> make_config(ByteSpan temporal_unit) {
  const auto obu = first_of(temporal_unit, kSequenceHeader);
  if (!obu) return fail(Errc::malformed, "av1: no sequence header in the first temporal unit");
  const auto sequence = KAPOK_TRY(parse_sequence(obu->payload));
  const auto bit = [](bool set, unsigned position) { return unsigned{set} << position; };
  Bytes bytes;
  ByteWriter out(bytes);
  out.u8(kMarkerAndVersion);
  out.u8(static_cast<std::uint8_t>((sequence.profile << 5) | sequence.level));
  out.u8(static_cast<std::uint8_t>(
      bit(sequence.high_tier, 7) | bit(sequence.facts.bit_depth > 8, 6) |
      bit(sequence.facts.bit_depth == 12, 5) | bit(sequence.monochrome, 4) |
      bit(sequence.subsampling_x, 3) | bit(sequence.subsampling_y, 2) | sequence.chroma_position));
  out.u8(0);
  // [AV1 ISOBMFF 2.3.4] OBUs here carry their size.
  out.u8((kSequenceHeader << 3) | 2);
  std::size_t size = obu->payload.size();
  for (; size >= 0x80; size >>= 7) out.u8(static_cast<std::uint8_t>(0x80 | (size & 0x7f)));
  out.u8(static_cast<std::uint8_t>(size));
  out.bytes(obu->payload);
  return bytes;
}

std::string codec_string(const Sequence& sequence) {
  const VideoFacts& facts = sequence.facts;
  std::string text = fmt::format("av01.{}.{:02}{}.{:02}", sequence.profile, sequence.level,
                                 sequence.high_tier ? 'H' : 'M', facts.bit_depth);
  const Colour& colour = facts.colour;
  const bool unspecified =
      colour.primaries == 2 && colour.transfer == 2 && colour.matrix == 2 && !colour.full_range;
  // The optional fields are given all or none; the defaults are 4:2:0 and BT.709.
  const bool defaults = (unspecified || colour == Colour{1, 1, 1, false}) && !sequence.monochrome &&
                        facts.chroma_format == 1 && sequence.chroma_position == 0;
  if (defaults) return text;
  text += fmt::format(".{:d}.{:d}{:d}{}.{:02}.{:02}.{:02}.{:d}", sequence.monochrome,
                      sequence.subsampling_x, sequence.subsampling_y, sequence.chroma_position,
                      colour.primaries, colour.transfer, colour.matrix, colour.full_range);
  return text;
}

RandomAccess random_access(ByteSpan temporal_unit) {
  ObuWalker walker(temporal_unit);
  bool has_sequence = false;
  bool reduced = false;
  while (const auto obu = walker.next()) {
    if (obu->type == kSequenceHeader) {
      has_sequence = true;
      // reduced_still_picture_header: one shown key frame each.
      reduced = !obu->payload.empty() && (std::to_integer<unsigned>(obu->payload[0]) & 0x08) != 0;
    }
    if (obu->type != kFrame && obu->type != kFrameHeader) continue;
    // [AV1 7.6.2] a shown key frame with its sequence header.
    return has_sequence && (reduced || is_shown_key_frame(obu->payload)) ? RandomAccess::closed_gop
                                                                         : RandomAccess::none;
  }
  return RandomAccess::none;
}

void enrich(VideoFacts& facts, ByteSpan temporal_unit) {
  ObuWalker walker(temporal_unit);
  while (const auto obu = walker.next()) {
    if (obu->type == kMetadata) read_metadata(obu->payload, facts);
    if (obu->type == kSequenceHeader && facts.colour.primaries == 2 && facts.colour.transfer == 2)
      if (const auto sequence = parse_sequence(obu->payload)) facts.colour = sequence->facts.colour;
    if (obu->type == kFrame || obu->type == kFrameHeader) return;
  }
}

Buffer without_delimiters(const Buffer& temporal_unit) {
  ObuWalker walker(temporal_unit.bytes());
  std::size_t leading = 0;
  bool others = false;
  std::size_t kept = 0;
  while (const auto obu = walker.next()) {
    if (belongs_in_sample(*obu))
      kept += obu->whole.size();
    else if (kept == 0)
      leading += obu->whole.size();
    else
      others = true;
  }
  if (!walker.clean()) return temporal_unit;
  if (!others) return leading == 0 ? temporal_unit : temporal_unit.slice(leading);
  Bytes bytes;
  bytes.reserve(kept);
  ByteWriter out(bytes);
  ObuWalker again(temporal_unit.bytes());
  while (const auto obu = again.next())
    if (belongs_in_sample(*obu)) out.bytes(obu->whole);
  return Buffer(std::move(bytes));
}

}  // namespace kapok::media::av1
