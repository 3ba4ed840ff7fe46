#include "server/picture/containers/mpegts/av1_bytes.hpp"

#include <gtest/gtest.h>

#include "server/media/av1.hpp"
#include "server/picture/containers/mpegts/stream_builder_test.hpp"

namespace kapok::mpegts {
namespace {

TEST(Av1Bytes, WhatLooksLikeStartCodesSurvivesBothWays) {
  // A sequence header and a frame, with sizes; bytes that need emulation prevention in both.
  const Bytes unit =
      hex("0a0400000100"
          "320a00000300000200000155");
  const Bytes pes = pes_from_obus(unit).value();
  EXPECT_TRUE(
      to_hex(pes).starts_with("0000011200"
                              "0000010a04000003"));
  const Buffer back = media::av1::without_delimiters(Buffer(obus_from_pes(pes).value()));
  EXPECT_EQ(to_hex(back.bytes()), to_hex(unit));
}

TEST(Av1Bytes, ObusWithoutSizeGetOne) {
  EXPECT_EQ(to_hex(obus_from_pes(hex("00000110"
                                     "00000130aabbcc"))
                       .value()),
            "1200"
            "3203aabbcc");
}

TEST(Av1Bytes, PayloadsWithoutStartCodesAreTakenWhenTheyWalk) {
  EXPECT_EQ(to_hex(obus_from_pes(hex("12003203aabbcc")).value()), "12003203aabbcc");
  EXPECT_FALSE(obus_from_pes(hex("3209aabb")));
}

}  // namespace
}  // namespace kapok::mpegts
