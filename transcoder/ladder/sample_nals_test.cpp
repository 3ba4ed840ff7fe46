#include "transcoder/ladder/sample_nals.hpp"

#include <gtest/gtest.h>

#include "server/media/hevc.hpp"
#include "server/media/nal.hpp"

namespace kapok::ladder {
namespace {

Bytes bytes(std::string_view text) {
  const ByteSpan span = as_bytes(text);
  return {span.begin(), span.end()};
}

TEST(LengthPrefixed, UnitsBetweenStartCodesOfEitherLengthWithoutDelimiters) {
  using std::string_view_literals::operator""sv;
  // A delimiter (9), SPS (7), PPS (8) and a slice (5) of H.264.
  const auto stream = "\0\0\0\1\x09\xf0\0\0\0\1\x67\x11\0\0\1\x68\x22\0\0\0\1\x65\x33\x44"sv;
  EXPECT_EQ(length_prefixed(media::Codec::avc, as_bytes(stream), ParameterSetsIn::keep),
            bytes("\0\0\0\2\x67\x11\0\0\0\2\x68\x22\0\0\0\3\x65\x33\x44"sv));
  EXPECT_EQ(length_prefixed(media::Codec::avc, as_bytes(stream), ParameterSetsIn::leave_out),
            bytes("\0\0\0\3\x65\x33\x44"sv));
  EXPECT_TRUE(
      length_prefixed(media::Codec::hevc, as_bytes("no start"sv), ParameterSetsIn::keep).empty());
}

TEST(DisplaySei, IsReadBackAsItWasWritten) {
  media::VideoFacts facts;
  // Zeros, where emulation prevention has to step in.
  facts.mastering = media::MasteringDisplay{.primaries_x = {0, 1, 35400},
                                            .primaries_y = {0, 2300, 14600},
                                            .white_x = 0,
                                            .white_y = 3,
                                            .max_luminance = 10'000'000,
                                            .min_luminance = 1};
  facts.light = media::ContentLight{1000, 0};
  const Bytes written = display_sei(facts);
  media::NalWalker walker(written, 4);
  media::DisplaySei found;
  while (const auto nal = walker.next()) {
    EXPECT_EQ(media::hevc::nal_type(*nal), media::hevc::kPrefixSei);
    read_display_sei(nal->subspan(media::hevc::kNalHeaderBytes), found);
  }
  EXPECT_TRUE(walker.clean());
  EXPECT_EQ(found.mastering, facts.mastering);
  EXPECT_EQ(found.light, facts.light);
  EXPECT_TRUE(display_sei({}).empty());
}

}  // namespace
}  // namespace kapok::ladder
