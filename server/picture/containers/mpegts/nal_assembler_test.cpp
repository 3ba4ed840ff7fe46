#include "server/picture/containers/mpegts/nal_assembler.hpp"

#include <gtest/gtest.h>

#include "server/picture/containers/mpegts/stream_builder_test.hpp"

namespace kapok::mpegts {
namespace {

using media::Codec;

std::vector<std::string> payloads(const std::vector<AccessUnit>& units) {
  std::vector<std::string> all;
  for (const AccessUnit& unit : units) all.push_back(to_hex(unit.payload));
  return all;
}

// In pieces of that size, to the end.
std::vector<AccessUnit> assemble(Codec codec, const Bytes& stream, std::size_t step) {
  NalAssembler assembler(codec);
  std::vector<AccessUnit> units;
  for (std::size_t at = 0; at < stream.size(); at += step)
    assembler.bytes(ByteSpan(stream).subspan(at, std::min(step, stream.size() - at)), MonoTime{},
                    units);
  assembler.finish(units);
  return units;
}

TEST(NalAssembler, CutsAtDelimitersAndLeavesOutWhatTheRecordHas) {
  using namespace h264;
  const Bytes stream = hex(kDelimiter + kSets + kIdr + kIdrRest + kDelimiter + kPicture);
  const auto units = assemble(Codec::avc, stream, stream.size());
  EXPECT_EQ(payloads(units), (std::vector<std::string>{"00000006658811223344"
                                                       "00000006651811223344",
                                                       "000000064188aabbccdd"}));
  ASSERT_TRUE(units[0].record && *units[0].record);
  EXPECT_FALSE(units[1].record);
}

TEST(NalAssembler, CutsAtFirstSlicesWhereThereAreNoDelimiters) {
  using namespace h264;
  const Bytes stream = hex(kSets + kIdr + kPicture + kPictureRest + kPicture);
  EXPECT_EQ(payloads(assemble(Codec::avc, stream, 7)),
            (std::vector<std::string>{"00000006658811223344",
                                      "000000064188aabbccdd"
                                      "000000064118aabbccdd",
                                      "000000064188aabbccdd"}));
}

TEST(NalAssembler, PiecesOfAnySizeMakeTheSameUnits) {
  using namespace h264;
  // Start codes of three and four bytes, zeros behind a NAL unit, an escape, and one that is empty.
  const Bytes stream = hex(kDelimiter + kSets + "00000001658800000301000003" + "000000" + kIdrRest +
                           "000001" + kDelimiter + kPicture + "0000010c80ff");
  const auto whole = payloads(assemble(Codec::avc, stream, stream.size()));
  ASSERT_EQ(whole.size(), 2u);
  EXPECT_EQ(whole[0],
            "00000009658800000301000003"
            "00000006651811223344");
  for (std::size_t step = 1; step < 12; ++step)
    EXPECT_EQ(payloads(assemble(Codec::avc, stream, step)), whole) << step;
}

TEST(NalAssembler, HevcIsCutAtFirstSliceSegments) {
  // Delimiter, IDR with two slice segments, suffix SEI, then a picture without delimiter.
  const Bytes stream =
      hex("00000001460150"
          "0000012601af11"
          "00000126012f22"
          "0000015001aabb"
          "000001020180cc"
          "000001020100dd");
  const auto whole = payloads(assemble(Codec::hevc, stream, stream.size()));
  EXPECT_EQ(whole, (std::vector<std::string>{"000000042601af11"
                                             "0000000426012f22"
                                             "000000045001aabb",
                                             "00000004020180cc"
                                             "00000004020100dd"}));
  for (std::size_t step = 1; step < 9; ++step)
    EXPECT_EQ(payloads(assemble(Codec::hevc, stream, step)), whole) << step;
}

TEST(NalAssembler, TimesGoToTheUnitThatBeginsInTheirPes) {
  using namespace h264;
  NalAssembler assembler(Codec::avc);
  std::vector<AccessUnit> units;
  // The first PES packet has a unit and a half, the second the rest and one more.
  assembler.stamp({100, 90});
  assembler.bytes(hex(kDelimiter + kIdr + kDelimiter + kPicture), MonoTime{}, units);
  assembler.stamp({300, 290});
  assembler.bytes(hex(kPictureRest + kDelimiter + kPicture), MonoTime{}, units);
  assembler.finish(units);
  ASSERT_EQ(units.size(), 3u);
  EXPECT_EQ(units[0].stamp->dts, 90);
  EXPECT_FALSE(units[1].stamp);
  EXPECT_EQ(units[2].stamp->dts, 290);
}

TEST(NalAssembler, ALossDropsTheUnitAndTheRestOfTheNext) {
  using namespace h264;
  NalAssembler assembler(Codec::avc);
  std::vector<AccessUnit> units;
  assembler.bytes(hex(kDelimiter + kIdr), MonoTime{}, units);
  EXPECT_TRUE(assembler.lost());
  assembler.bytes(hex("aabb" + kPictureRest + kPictureRest), MonoTime{}, units);
  assembler.stamp({7, 7});
  assembler.bytes(hex(kDelimiter + kPicture), MonoTime{}, units);
  assembler.finish(units);
  ASSERT_EQ(units.size(), 1u);
  EXPECT_TRUE(units[0].after_loss);
  EXPECT_EQ(units[0].stamp->pts, 7);
}

TEST(NalAssembler, ChangedParameterSetsComeWithTheirUnit) {
  using namespace h264;
  const auto units = assemble(
      Codec::avc,
      hex(kDelimiter + kSets + kIdr + kDelimiter + kSets + kIdr + kDelimiter + kOtherSets + kIdr),
      1000);
  ASSERT_EQ(units.size(), 3u);
  EXPECT_TRUE(units[0].record);
  EXPECT_FALSE(units[1].record);  // a repetition
  ASSERT_TRUE(units[2].record && *units[2].record);
  // The old picture parameter set went with its sequence.
  EXPECT_EQ(to_hex(**units[2].record).find("68ce0fc8"), std::string::npos);
}

TEST(NalAssembler, AccessUnitsOfTooManyNalUnitsAreDropped) {
  NalAssembler assembler(Codec::avc);
  std::vector<AccessUnit> units;
  assembler.bytes(hex(h264::kDelimiter + h264::kIdr), MonoTime{}, units);
  for (int i = 0; i < 5'000; ++i) assembler.bytes(hex(h264::kIdrRest), MonoTime{}, units);
  assembler.bytes(hex(h264::kDelimiter + h264::kPicture), MonoTime{}, units);
  assembler.finish(units);
  EXPECT_EQ(assembler.oversized(), 1u);
  EXPECT_EQ(payloads(units), (std::vector<std::string>{"000000064188aabbccdd"}));
}

}  // namespace
}  // namespace kapok::mpegts
