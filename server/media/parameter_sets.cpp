#include "server/media/parameter_sets.hpp"

#include <algorithm>

#include "server/media/avc.hpp"
#include "server/media/bit_reader.hpp"
#include "server/media/describe.hpp"
#include "server/media/hevc.hpp"
#include "server/media/nal.hpp"

namespace kapok::media {

namespace {

constexpr std::uint32_t kMaxVpsId = 15;
constexpr std::uint32_t kMaxSpsId = 31;   // HEVC: 15 [H.265 7.4.3.2.1]
constexpr std::uint32_t kMaxPpsId = 255;  // HEVC: 63
// Ids stand in the first bytes; this many hold them, emulation prevention included.
constexpr std::size_t kIdPrefixBytes = 64;

// [H.264 7.3.2.1.1] profiles whose avcC has chroma format and bit depths [14496-15 5.3.3.1.2].
bool has_high_fields(std::uint8_t profile) {
  return profile == 100 || profile == 110 || profile == 122 || profile == 144;
}

void write_sets(ByteWriter& out, const std::map<std::uint32_t, Bytes>& sets) {
  for (const auto& [id, nal] : sets) {
    out.u16(static_cast<std::uint16_t>(nal.size()));
    out.bytes(nal);
  }
}

}  // namespace

bool ParameterSets::is_parameter_set(Codec codec, unsigned nal_type) {
  if (codec == Codec::avc) return nal_type == avc::kSps || nal_type == avc::kPps;
  return nal_type >= hevc::kVps && nal_type <= hevc::kPps;
}

std::optional<std::uint32_t> ParameterSets::id_of(unsigned type, ByteSpan nal) const {
  const std::size_t header = codec_ == Codec::avc ? 1 : hevc::kNalHeaderBytes;
  if (nal.size() <= header) return std::nullopt;
  const ByteSpan body = nal.subspan(header);
  const Bytes rbsp =
      without_emulation_prevention(body.first(std::min(body.size(), kIdPrefixBytes)));
  BitReader in(rbsp);
  std::uint32_t id = 0;
  if (codec_ == Codec::avc) {
    if (type == avc::kSps) in.skip(24);  // profile, constraints, level
    id = in.ue(type == avc::kSps ? kMaxSpsId : kMaxPpsId);
  } else if (type == hevc::kVps) {
    id = in.bits(4);
    static_assert(kMaxVpsId == 15);
  } else if (type == hevc::kPps) {
    id = in.ue(63);
  } else {
    // [H.265 7.3.2.2.1] behind profile_tier_level, whose length depends on the sub-layers.
    in.skip(4);
    const unsigned sub_layers_minus1 = in.bits(3);
    in.skip(1 + 88 + 8);
    unsigned bits = 0;
    for (unsigned i = 0; i < sub_layers_minus1; ++i) {
      if (in.flag()) bits += 88;
      if (in.flag()) bits += 8;
    }
    if (sub_layers_minus1 > 0) in.skip(2 * (8 - sub_layers_minus1));
    in.skip(bits);
    id = in.ue(15);
  }
  return in.ok() ? std::optional(id) : std::nullopt;
}

void ParameterSets::take(ByteSpan nal) {
  if (nal.size() > kMaxParameterSetBytes) return;
  const unsigned type = codec_ == Codec::avc ? avc::nal_type(nal) : hevc::nal_type(nal);
  const auto id = id_of(type, nal);
  if (!id) return;
  Bytes& known = sets_[type][*id];
  if (std::ranges::equal(known, nal)) return;
  // Pictures sets of a replaced sequence set describe it no more; the sender gives them anew
  // [H.264 7.4.1.2.1, H.265 7.4.2.4.2].
  const bool avc_stream = codec_ == Codec::avc;
  if (type == (avc_stream ? avc::kSps : hevc::kSps) && !known.empty())
    sets_.erase(avc_stream ? avc::kPps : hevc::kPps);
  known.assign(nal.begin(), nal.end());
  ++version_;
}

const ParameterSets::ById* ParameterSets::all(unsigned type) const {
  const auto found = sets_.find(type);
  return found == sets_.end() || found->second.empty() ? nullptr : &found->second;
}

bool ParameterSets::complete() const {
  if (codec_ == Codec::avc) return all(avc::kSps) != nullptr && all(avc::kPps) != nullptr;
  return all(hevc::kVps) != nullptr && all(hevc::kSps) != nullptr && all(hevc::kPps) != nullptr;
}

Result<Bytes> ParameterSets::record() const {
  if (!complete()) return fail(Errc::malformed, "parameter sets are missing");
  auto bytes = codec_ == Codec::avc ? avc_record() : hevc_record();
  if (bytes && bytes->size() > kMaxConfigBytes)
    return fail(Errc::limit, "parameter sets of {} bytes", bytes->size());
  return bytes;
}

Result<Bytes> ParameterSets::avc_record() const {
  const ById& sps = *all(avc::kSps);
  const ById& pps = *all(avc::kPps);
  const Bytes& first = sps.begin()->second;
  const auto facts = KAPOK_TRY(avc::parse_sps(first));
  // Five and eight bits count them.
  if (sps.size() > 31 || pps.size() > 255) return fail(Errc::limit, "too many parameter sets");
  Bytes bytes;
  ByteWriter out(bytes);
  out.u8(1);
  out.bytes(ByteSpan(first).subspan(1, 3));  // profile, constraints, level
  out.u8(0xfc | 3);                          // lengths of four bytes
  out.u8(static_cast<std::uint8_t>(0xe0 | sps.size()));
  write_sets(out, sps);
  out.u8(static_cast<std::uint8_t>(pps.size()));
  write_sets(out, pps);
  if (has_high_fields(facts.profile)) {
    out.u8(0xfc | facts.facts.chroma_format);
    // Luma's depth for chroma as well: only monochrome and exotic streams differ.
    out.u8(static_cast<std::uint8_t>(0xf8 | (facts.facts.bit_depth - 8)));
    out.u8(static_cast<std::uint8_t>(0xf8 | (facts.facts.bit_depth - 8)));
    out.u8(0);  // SPS extensions
  }
  return bytes;
}

Result<Bytes> ParameterSets::hevc_record() const {
  const Bytes& first = all(hevc::kSps)->begin()->second;
  const auto sps = KAPOK_TRY(hevc::parse_sps(first));
  const hevc::ProfileTierLevel& general = sps.tier_level;
  Bytes bytes;
  ByteWriter out(bytes);
  out.u8(1);
  out.u8(static_cast<std::uint8_t>(general.profile_space << 6 | unsigned{general.high_tier} << 5 |
                                   general.profile));
  out.u32(general.compatibility);
  for (const std::uint8_t byte : general.constraints) out.u8(byte);
  out.u8(general.level);
  out.u16(0xf000);  // min_spatial_segmentation_idc: unknown
  out.u8(0xfc);     // parallelismType: unknown
  out.u8(0xfc | sps.facts.chroma_format);
  out.u8(static_cast<std::uint8_t>(0xf8 | (sps.facts.bit_depth - 8)));
  out.u8(static_cast<std::uint8_t>(0xf8 | (sps.facts.bit_depth - 8)));
  out.u16(0);  // avgFrameRate: unspecified
  // [H.265 7.3.2.2.1] sps_max_sub_layers_minus1 and the nesting flag end the SPS's first byte.
  const auto layers = std::to_integer<unsigned>(first[hevc::kNalHeaderBytes]);
  out.u8(static_cast<std::uint8_t>(((layers >> 1 & 7) + 1) << 3 | (layers & 1) << 2 | 3));
  out.u8(3);
  for (const unsigned type : {hevc::kVps, hevc::kSps, hevc::kPps}) {
    const ById& sets = *all(type);
    out.u8(static_cast<std::uint8_t>(0x80 | type));  // array_completeness: none stays in band
    out.u16(static_cast<std::uint16_t>(sets.size()));
    write_sets(out, sets);
  }
  return bytes;
}

}  // namespace kapok::media
