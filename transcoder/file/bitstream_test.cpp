#include <gtest/gtest.h>

#include "server/base/crypto.hpp"
#include "transcoder/file/adts.hpp"
#include "transcoder/file/annexb.hpp"

namespace kapok::file {
namespace {

Bytes hex(std::string_view text) {
  return from_hex(text).value();
}

TEST(LengthPrefixed, PutsParameterSetsApartAndLengthsBeforeTheRest) {
  media::ParameterSets sets(media::Codec::avc);
  // Delimiter, SPS, PPS, an IDR slice behind a short start code with zeros at its end.
  const Bytes stream =
      hex("0000000109f0"
          "00000001674d402aeca03c0113f2e02d40404050000003001000000640f1831960"
          "0000000168ce0fc8"
          "00000165888040"
          "0000");
  EXPECT_EQ(to_hex(length_prefixed(media::Codec::avc, stream, sets)), "0000000465888040");
  EXPECT_GT(sets.version(), 0U);
}

TEST(LengthPrefixed, OfNoiseMakesNothing) {
  media::ParameterSets sets(media::Codec::hevc);
  EXPECT_TRUE(length_prefixed(media::Codec::hevc, hex("00112233445566"), sets).empty());
  EXPECT_TRUE(length_prefixed(media::Codec::hevc, hex("000001"), sets).empty());
  EXPECT_TRUE(length_prefixed(media::Codec::hevc, {}, sets).empty());
}

TEST(Adts, IsTakenOffAndBecomesAConfiguration) {
  // AAC LC, 48 kHz, stereo, 9 bytes in all.
  const Bytes frame = hex("fff14c80013ffcaabb");
  ASSERT_TRUE(is_adts(frame));
  EXPECT_EQ(to_hex(adts_config(frame).value()), "1190");
  EXPECT_EQ(to_hex(without_adts(frame).value()), "aabb");
}

TEST(Adts, ThatLiesIsRefused) {
  EXPECT_FALSE(without_adts(hex("fff14c80013ffcaa")));    // shorter than it says
  EXPECT_FALSE(without_adts(hex("fff14c80001ffcaabb")));  // shorter than its header
  EXPECT_FALSE(adts_config(hex("fff14c00013ffcaabb")));   // no channels
  EXPECT_FALSE(without_adts(hex("001122")));
}

}  // namespace
}  // namespace kapok::file
