#include "server/media/dolby_vision.hpp"

#include <gtest/gtest.h>

#include "server/base/crc32.hpp"
#include "server/base/crypto.hpp"
#include "server/media/describe.hpp"
#include "server/media/hevc.hpp"
#include "server/media/supplemental.hpp"

// RPUs are made bit by bit; tests/e2e/dolby_vision.test.mjs has FFmpeg read the same ones.
namespace kapok::media {
namespace {

using dolby_vision::Rpu;

constexpr std::string_view kHdr10 =
    "0102200000009000000000003cf000fcfdfafa00000f04a00001001840010c01ffff02200000030090000003000003"
    "003c959009a10001002d42010102200000030090000003000003003ca00a080c1f3b6595912930bc05a84880482000"
    "0003002000000641a2000100064401c073c18927000200094e01900403e8019080001e4e01891833c286c41d4c0bb8"
    "84d03e803d13404200989680000003003280";
// BT.2020 with transfer 14, for SEI 147.
constexpr std::string_view kBt2020 =
    "0102200000009000000000003cf000fcfdfafa00000f03a00001001840010c01ffff02200000030090000003000003"
    "003c959409a10001002d42010102200000030090000003000003003ca00a080c1f3b6595952930bc05a84870482000"
    "0003002000000641a2000100064401c073c189";
constexpr std::string_view kAv1Hdr10 = "81004c000a0e000000043cfecc02f85091009040";

class BitWriter {
 public:
  void bits(unsigned count, std::uint64_t value) {
    for (unsigned i = count; i > 0; --i) {
      if (used_ % 8 == 0) bytes_.push_back(std::byte{0});
      if ((value >> (i - 1)) & 1) bytes_.back() |= std::byte{1} << (7 - used_ % 8);
      ++used_;
    }
  }
  void ue(std::uint32_t value) {
    unsigned length = 0;
    while (((std::uint64_t{value} + 1) >> length) > 1) ++length;
    bits(length, 0);
    bits(length + 1, std::uint64_t{value} + 1);
  }
  // [ETSI TS 102 366 annex H] variable_bits(8) of at most 2 groups.
  void variable(std::size_t value) {
    if (value >= 256) {
      bits(8, (value >> 8) - 1);
      bits(1, 1);
    }
    bits(8, value & 0xff);
    bits(1, 0);
  }
  Bytes bytes() const { return bytes_; }

 private:
  Bytes bytes_;
  unsigned used_ = 0;
};

struct Fields {
  unsigned rpu_type = 2;
  unsigned rpu_format = 18;
  unsigned rpu_profile = 1;
  bool sequence = true;
  bool full_range = false;
  unsigned base_depth_minus8 = 2;
  unsigned enhancement_depth_minus8 = 2;
  unsigned vdr_depth_minus8 = 4;
  unsigned reserved = 0;
  bool el_spatial_resampling = false;
  bool disable_residual = true;
};

// From rpu_type to the end byte.
Bytes rpu_of(const Fields& fields) {
  BitWriter out;
  out.bits(6, fields.rpu_type);
  out.bits(11, fields.rpu_format);
  out.bits(4, fields.rpu_profile);
  out.bits(4, 0);
  out.bits(1, fields.sequence);
  out.bits(1, 0);  // chroma_resampling_explicit_filter_flag
  out.bits(2, 0);  // coefficient_data_type
  out.ue(23);      // coefficient_log2_denom
  out.bits(2, 1);  // vdr_rpu_normalized_idc
  out.bits(1, fields.full_range);
  out.ue(fields.base_depth_minus8);
  out.ue(fields.enhancement_depth_minus8);
  out.ue(fields.vdr_depth_minus8);
  out.bits(1, 0);  // spatial_resampling_filter_flag
  out.bits(3, fields.reserved);
  out.bits(1, fields.el_spatial_resampling);
  out.bits(1, fields.disable_residual);
  out.bits(2, 0);
  for (int i = 0; i < 40; ++i) out.bits(8, 0);  // where mapping and metadata stand
  Bytes bytes = out.bytes();
  const std::uint32_t crc = crc32(bytes);
  ByteWriter(bytes).u32(crc);
  bytes.push_back(std::byte{0x80});
  return bytes;
}

Bytes nal_of(ByteSpan rpu) {
  Bytes nal = from_hex("7c0119").value();
  unsigned zeros = 0;
  for (const std::byte byte : rpu) {
    if (zeros >= 2 && byte <= std::byte{3}) {
      nal.push_back(std::byte{3});
      zeros = 0;
    }
    zeros = byte == std::byte{0} ? zeros + 1 : 0;
    nal.push_back(byte);
  }
  return nal;
}

// A T.35 message of AV1, country code first.
Bytes t35_of(ByteSpan rpu) {
  BitWriter out;
  out.bits(8, 0xb5);
  out.bits(16, 0x003b);
  out.bits(32, 0x0800);
  out.bits(27, 0x01be6841);
  out.variable(rpu.size());
  for (const std::byte byte : rpu) out.bits(8, std::to_integer<unsigned>(byte));
  out.bits(17, 0x400);
  out.bits(7, 0x7f);
  return out.bytes();
}

Bytes unit(const std::vector<Bytes>& nals) {
  Bytes bytes;
  ByteWriter out(bytes);
  for (const Bytes& nal : nals) {
    out.u32(static_cast<std::uint32_t>(nal.size()));
    out.bytes(nal);
  }
  return bytes;
}

std::shared_ptr<const Track> describe(Codec codec, std::string_view config) {
  return describe_track({.id = 1,
                         .codec = codec,
                         .timescale = 90000,
                         .config = Buffer(from_hex(config).value()),
                         .language = ""})
      .value();
}

const Bytes kSlice = from_hex("2601ac").value();

// A picture with its RPU behind it, of a track with these facts changed.
std::shared_ptr<const Track> enriched_by(const Fields& fields, std::string_view config,
                                         const std::function<void(VideoFacts&)>& change = {}) {
  Track track = *describe(Codec::hevc, config);
  if (change) change(std::get<VideoFacts>(track.facts));
  return enriched(std::make_shared<const Track>(track), unit({kSlice, nal_of(rpu_of(fields))}));
}

std::optional<std::uint8_t> level_at(std::uint32_t width, std::uint32_t height, Rational rate) {
  VideoFacts facts;
  facts.width = width;
  facts.height = height;
  facts.bit_depth = 10;
  facts.frame_rate = rate;
  return dolby_vision::describe({8, 10}, facts, Codec::hevc)->level;
}

TEST(DolbyVisionRpu, TellsTheProfileByItsHeader) {
  EXPECT_EQ(dolby_vision::parse_rpu(rpu_of({})), (Rpu{8, 10}));
  EXPECT_EQ(dolby_vision::parse_rpu(rpu_of({.rpu_profile = 0, .full_range = true})), (Rpu{5, 10}));
  EXPECT_EQ(
      dolby_vision::parse_rpu(rpu_of({.el_spatial_resampling = true, .disable_residual = false})),
      (Rpu{7, 10}));
  EXPECT_EQ(dolby_vision::parse_rpu(rpu_of(
                {.vdr_depth_minus8 = 6, .el_spatial_resampling = true, .disable_residual = false})),
            (Rpu{4, 10}));
  // The first bytes as encoders write them for profile 8.
  EXPECT_EQ(to_hex(rpu_of({})).substr(0, 14), "08090840613650");
}

TEST(DolbyVisionRpu, IsNotReadWhereSomethingIsUncertain) {
  const auto nothing = [](const Fields& fields) {
    return !dolby_vision::parse_rpu(rpu_of(fields)).has_value();
  };
  EXPECT_TRUE(nothing({.rpu_type = 3}));
  EXPECT_TRUE(nothing({.rpu_format = 0x112}));
  EXPECT_TRUE(nothing({.rpu_profile = 2}));
  EXPECT_TRUE(nothing({.rpu_profile = 0})) << "narrow range";
  EXPECT_TRUE(nothing({.full_range = true})) << "profile 8 is of narrow range";
  EXPECT_TRUE(nothing({.sequence = false}));
  EXPECT_TRUE(nothing({.disable_residual = false})) << "a residual of a layer that is not told";
  EXPECT_TRUE(nothing({.enhancement_depth_minus8 = 0x102})) << "ext_mapping_idc";
  EXPECT_TRUE(nothing({.base_depth_minus8 = 9}));
  EXPECT_TRUE(nothing({.reserved = 1}));
}

TEST(DolbyVisionRpu, NeedsItsCrcAndItsEnd) {
  const Bytes whole = rpu_of({});
  for (std::size_t i = 0; i < whole.size() * 8; ++i) {
    Bytes broken = whole;
    broken[i / 8] ^= std::byte{1} << (i % 8);
    EXPECT_FALSE(dolby_vision::parse_rpu(broken)) << "bit " << i;
  }
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(dolby_vision::parse_rpu(ByteSpan(whole).first(size))) << size;
  EXPECT_FALSE(dolby_vision::parse_rpu(Bytes(dolby_vision::kMaxRpuBytes + 1)));
}

TEST(DolbyVisionRpu, StandsInANalUnitBehindAPrefix) {
  Bytes nal = nal_of(rpu_of({}));
  EXPECT_LT(rpu_of({}).size() + 3, nal.size()) << "emulation prevention is in it";
  EXPECT_EQ(dolby_vision::rpu_of_nal(nal), (Rpu{8, 10}));
  Bytes padded = nal;
  padded.insert(padded.end(), 3, std::byte{0});
  EXPECT_EQ(dolby_vision::rpu_of_nal(padded), (Rpu{8, 10}));
  nal[2] = std::byte{24};
  EXPECT_FALSE(dolby_vision::rpu_of_nal(nal));
  for (const std::string_view text : {"", "7c", "7c01", "7c0119", "7c01190000", "7c0100"})
    EXPECT_FALSE(dolby_vision::rpu_of_nal(from_hex(text).value())) << text;
}

TEST(DolbyVisionRpu, StandsInAnEmdfContainerInAv1) {
  const Bytes message = t35_of(rpu_of({}));
  EXPECT_EQ(to_hex(message).substr(0, 20), "b5003b0000080037cd08");
  EXPECT_EQ(dolby_vision::rpu_of_t35(message), (Rpu{8, 10}));
  for (std::size_t size = 0; size + 1 < message.size(); ++size)
    EXPECT_FALSE(dolby_vision::rpu_of_t35(ByteSpan(message).first(size))) << size;
  for (const std::size_t at : {0, 2, 5, 8, 9}) {
    Bytes other = message;
    other[at] ^= std::byte{1};
    EXPECT_FALSE(dolby_vision::rpu_of_t35(other)) << at;
  }
  // A size that never ends.
  Bytes endless = message;
  std::fill(endless.begin() + 10, endless.end(), std::byte{0xff});
  EXPECT_FALSE(dolby_vision::rpu_of_t35(endless));
}

TEST(DolbyVisionLevel, IsTheFirstThatHoldsPixelsAndWidth) {
  EXPECT_EQ(level_at(1280, 720, {24, 1}), 1);
  EXPECT_EQ(level_at(1280, 720, {25, 1}), 2);
  EXPECT_EQ(level_at(1920, 1080, {24000, 1001}), 3);
  EXPECT_EQ(level_at(1920, 1080, {25, 1}), 4);
  EXPECT_EQ(level_at(1920, 1080, {50, 1}), 5);
  EXPECT_EQ(level_at(3840, 2160, {24, 1}), 6);
  EXPECT_EQ(level_at(3840, 2160, {25, 1}), 7);
  EXPECT_EQ(level_at(3840, 2160, {48, 1}), 8);
  EXPECT_EQ(level_at(3840, 2160, {50, 1}), 9);
  EXPECT_EQ(level_at(3840, 2160, {60000, 1001}), 9);
  EXPECT_EQ(level_at(3840, 2160, {100, 1}), 10);
  EXPECT_EQ(level_at(4096, 2160, {60, 1}), 11);
  EXPECT_EQ(level_at(7680, 4320, {60, 1}), 12);
  EXPECT_EQ(level_at(7680, 4320, {120, 1}), 13);
  EXPECT_EQ(level_at(2048, 64, {24, 1}), 4) << "by its width";
  EXPECT_FALSE(level_at(7680, 4320, {121, 1}));
  EXPECT_FALSE(level_at(7682, 4320, {24, 1}));
  EXPECT_FALSE(level_at(1920, 1080, {})) << "unknown";
  EXPECT_FALSE(level_at(16384, 16384, {UINT32_MAX, 1}));
  EXPECT_EQ(level_at(7680, 4320, {UINT32_MAX, UINT32_MAX}), 11);
}

TEST(DolbyVision, IsSeenBehindTheSlicesAndToldByTheBaseLayer) {
  const auto track = enriched_by({}, kHdr10);
  EXPECT_EQ(track->video()->dolby_vision, (DolbyVision{8, 1, 1}));
  EXPECT_EQ(dolby_vision::profile_name(*track->video()->dolby_vision), "8.1");
  EXPECT_EQ(supplemental_codecs(*track), (std::vector<SupplementalCodec>{{"dvh1.08.01", "db1p"}}));
  EXPECT_EQ(offered_codec(*track), track->codec_string);
  EXPECT_EQ(offered_range(*track->video()), DynamicRange::pq);
  // It stays when a picture comes without.
  EXPECT_EQ(enriched(track, unit({kSlice})), track);
}

TEST(DolbyVision, BrandOverHlgIsThatOfTheVui) {
  const auto change = [](VideoFacts& facts) { facts.colour.transfer = 18; };
  const auto sei147 = enriched_by({}, kBt2020, change);
  EXPECT_EQ(sei147->video()->dolby_vision, (DolbyVision{8, 1, 4}));
  EXPECT_EQ(supplemental_codecs(*sei147).front().brand, "db4g");
  std::string config(kBt2020);
  const auto at = config.find("bc05a84870");  // video_signal_type: 9, 14, 9
  ASSERT_NE(at, std::string::npos);
  config.replace(at, 10, "bc05a84890");
  const auto hlg = enriched_by({}, config);
  EXPECT_EQ(hlg->video()->dolby_vision, (DolbyVision{8, 1, 4}));
  EXPECT_EQ(supplemental_codecs(*hlg).front(), (SupplementalCodec{"dvh1.08.01", "db4h"}));
  EXPECT_EQ(offered_range(*hlg->video()), DynamicRange::hlg);
}

TEST(DolbyVision, BesideHdr10PlusComesFirst) {
  const auto track = enriched_by({}, kHdr10, [](VideoFacts& facts) { facts.hdr10_plus = true; });
  EXPECT_EQ(
      supplemental_codecs(*track),
      (std::vector<SupplementalCodec>{{"dvh1.08.01", "db1p"}, {track->codec_string, "cdm4"}}));
}

TEST(DolbyVision, OverOtherPicturesIsSeenButNotTold) {
  const auto compatibility = [](const std::function<void(VideoFacts&)>& change) {
    const auto track = enriched_by({}, kHdr10, change);
    EXPECT_EQ(track->video()->dolby_vision->profile, 8);
    EXPECT_EQ(supplemental_codecs(*track).empty(), !dolby_vision::told(*track));
    return track->video()->dolby_vision->compatibility;
  };
  EXPECT_EQ(compatibility([](VideoFacts& facts) { facts.colour = {1, 1, 1, false}; }), 2);
  EXPECT_FALSE(compatibility([](VideoFacts& facts) { facts.colour = {9, 16, 9, true}; }));
  EXPECT_FALSE(compatibility([](VideoFacts& facts) { facts.colour = {9, 14, 9, false}; }));
  EXPECT_FALSE(compatibility([](VideoFacts& facts) { facts.colour = {9, 16, 2, false}; }));
  EXPECT_FALSE(compatibility([](VideoFacts& facts) { facts.chroma_format = 2; }));
  EXPECT_FALSE(compatibility([](VideoFacts& facts) { facts.interlaced = true; }));
  const auto timeless = enriched_by({}, kHdr10, [](VideoFacts& facts) { facts.frame_rate = {}; });
  EXPECT_EQ(timeless->video()->dolby_vision->compatibility, 1);
  EXPECT_TRUE(supplemental_codecs(*timeless).empty()) << "no level";
  const auto eight = enriched_by({}, kHdr10, [](VideoFacts& facts) { facts.bit_depth = 8; });
  EXPECT_FALSE(eight->video()->dolby_vision) << "the RPU says 10";
}

TEST(DolbyVision, OfTwoLayersIsNotTold) {
  const auto track = describe(Codec::hevc, kHdr10);
  const Bytes layer = from_hex("7e012601ac").value();
  EXPECT_EQ(enriched(track, unit({kSlice, layer, nal_of(rpu_of({}))})), track);
  const auto seven = enriched(
      track, unit({kSlice, layer,
                   nal_of(rpu_of({.el_spatial_resampling = true, .disable_residual = false}))}));
  EXPECT_EQ(seven->video()->dolby_vision, (DolbyVision{7, 1, std::nullopt}));
  EXPECT_TRUE(supplemental_codecs(*seven).empty());
  EXPECT_EQ(offered_codec(*seven), track->codec_string);
}

TEST(DolbyVision, WithoutACompatibleLayerIsOfferedAsItself) {
  const Fields five{.rpu_profile = 0, .full_range = true};
  const auto track =
      enriched_by(five, kHdr10, [](VideoFacts& facts) { facts.colour = {2, 2, 2, true}; });
  EXPECT_EQ(track->video()->dolby_vision, (DolbyVision{5, 1, 0}));
  EXPECT_EQ(dolby_vision::profile_name(*track->video()->dolby_vision), "5");
  EXPECT_EQ(offered_codec(*track), "dvh1.05.01");
  EXPECT_EQ(offered_range(*track->video()), DynamicRange::pq);
  EXPECT_TRUE(supplemental_codecs(*track).empty());
  EXPECT_EQ(track->codec_string, "hvc1.2.4.L60.90") << "that of the bitstream";
  // Named in any case: with a level that suffices.
  const auto timeless = enriched_by(five, kHdr10, [](VideoFacts& facts) {
    facts.frame_rate = {};
    facts.width = 3840;
    facts.height = 2160;
  });
  EXPECT_EQ(offered_codec(*timeless), "dvh1.05.09");
}

TEST(DolbyVision, OfAv1IsProfileTen) {
  Track track = *describe(Codec::av1, kAv1Hdr10);
  std::get<VideoFacts>(track.facts).frame_rate = {50, 1};
  const auto with = [&](const Fields& fields) {
    Bytes metadata = from_hex("04").value();  // METADATA_TYPE_ITUT_T35
    const Bytes message = t35_of(rpu_of(fields));
    metadata.insert(metadata.end(), message.begin(), message.end());
    metadata.push_back(std::byte{0x80});
    Bytes bytes = from_hex("0a0e000000043cfecc02f850910090402a").value();
    bytes.push_back(static_cast<std::byte>(metadata.size()));
    bytes.insert(bytes.end(), metadata.begin(), metadata.end());
    const Bytes frame = from_hex("320110").value();
    bytes.insert(bytes.end(), frame.begin(), frame.end());
    return enriched(std::make_shared<const Track>(track), bytes);
  };
  const auto pq = with({});
  EXPECT_EQ(pq->video()->dolby_vision, (DolbyVision{10, 1, 1}));
  EXPECT_EQ(supplemental_codecs(*pq), (std::vector<SupplementalCodec>{{"dav1.10.01", "db1p"}}));
  const auto ipt = with({.rpu_profile = 0, .full_range = true});
  EXPECT_EQ(offered_codec(*ipt), "dav1.10.01");
  EXPECT_EQ(dolby_vision::profile_name(*ipt->video()->dolby_vision), "10.0");
  EXPECT_FALSE(
      with({.el_spatial_resampling = true, .disable_residual = false})->video()->dolby_vision);
}

}  // namespace
}  // namespace kapok::media
