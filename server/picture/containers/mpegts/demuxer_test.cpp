#include "server/picture/containers/mpegts/demuxer.hpp"

#include <gtest/gtest.h>

#include "server/picture/containers/mpegts/section.hpp"
#include "server/picture/containers/mpegts/stream_builder_test.hpp"

namespace kapok::mpegts {
namespace {

using media::Codec;
using media::Discontinuity;
using media::Packet;
using media::Track;
using Extra = StreamBuilder::Extra;
using Length = StreamBuilder::Length;

constexpr std::uint16_t kVideo = 0x100;
constexpr std::uint16_t kSound = 0x101;
constexpr std::uint16_t kData = 0x102;
const PmtStream kVideoStream{kAvc, kVideo, {}};

struct Result {
  std::vector<std::string> order;  // "track 256 avc", "packet 256 90000", "discontinuity"
  std::vector<std::shared_ptr<const Track>> tracks;
  std::vector<std::shared_ptr<const Packet>> packets;
};

class Demuxed {
 public:
  // `arrival` moves on by a millisecond with each packet.
  void push(const Bytes& bytes) {
    for (std::size_t at = 0; at < bytes.size(); at += kPacketBytes) {
      arrival_ += milliseconds(1);
      const std::size_t size = std::min(kPacketBytes, bytes.size() - at);
      EXPECT_TRUE(demuxer.push(arrival_, ByteSpan(bytes).subspan(at, size), items_));
    }
  }
  const Result& finish() {
    demuxer.finish(items_);
    for (const auto& item : items_) {
      if (const auto* track = std::get_if<std::shared_ptr<const Track>>(&item)) {
        result_.tracks.push_back(*track);
        result_.order.push_back(
            fmt::format("track {} {}", (*track)->id, media::name_of((*track)->codec)));
      } else if (const auto* packet = std::get_if<std::shared_ptr<const Packet>>(&item)) {
        result_.packets.push_back(*packet);
        result_.order.push_back(
            fmt::format("packet {} {}", (*packet)->track, (*packet)->pts.count));
      } else if (std::holds_alternative<Discontinuity>(item)) {
        result_.order.emplace_back("discontinuity");
      }
    }
    items_.clear();
    return result_;
  }
  TsDemuxer demuxer;

 private:
  MonoTime arrival_;
  std::vector<media::FeedItem> items_;
  Result result_;
};

const Bytes kIdr = hex(h264::kDelimiter + h264::kSets + h264::kIdr);
const Bytes kPicture = hex(h264::kDelimiter + h264::kPicture);

void video(StreamBuilder& stream, std::int64_t time, const Bytes& unit) {
  const auto wrapped = static_cast<std::uint64_t>(time) & ((std::uint64_t{1} << 33) - 1);
  stream.pes(kVideo, 0xe0, PesTimes{wrapped, wrapped}, unit, Length::open,
             {.pcr = wrapped * kPcrPerTick});
}

TEST(TsDemuxer, AChangedMapEndsStreamsAndBeginsOthers) {
  StreamBuilder stream;
  stream.tables({kVideoStream}, 0);
  video(stream, 90'000, kIdr);
  stream.tables({kVideoStream, {kAdts, kSound, {}}}, 1);  // one more: nothing breaks
  video(stream, 91'800, kPicture);
  const Bytes frame =
      hex("fff14c8001bffc"
          "210049900219");
  stream.pes(kSound, 0xc0, PesTimes{91'800, 91'800}, frame);
  stream.tables({kVideoStream}, 2);  // the sound went
  video(stream, 93'600, kPicture);
  Demuxed out;
  out.push(stream.bytes);
  EXPECT_EQ(out.finish().order,
            (std::vector<std::string>{"track 256 avc", "packet 256 90000", "track 257 aac",
                                      "packet 257 48960", "packet 256 91800", "discontinuity",
                                      "packet 256 93600"}));
}

TEST(TsDemuxer, ATableWithAWrongCrcChangesNothing) {
  StreamBuilder stream;
  stream.tables({kVideoStream}, 0);
  Pmt pmt;
  pmt.streams = {{kHevc, kVideo, {}}};
  Bytes section = write_pmt(pmt).value();
  section.back() ^= std::byte{1};
  stream.section(StreamBuilder::kPmtPid, section);
  video(stream, 90'000, kIdr);
  Demuxed out;
  out.push(stream.bytes);
  EXPECT_EQ(out.finish().order, (std::vector<std::string>{"track 256 avc", "packet 256 90000"}));
  EXPECT_EQ(out.demuxer.stats().section_errors, 1u);
}

TEST(TsDemuxer, TimesGoOnOverTheirWrap) {
  constexpr std::int64_t kWrap = std::int64_t{1} << 33;
  StreamBuilder stream;
  stream.tables({kVideoStream}, 0);
  video(stream, kWrap - 3'600, kIdr);
  for (std::int64_t step = -1'800; step <= 3'600; step += 1'800)
    video(stream, kWrap + step, kPicture);
  Demuxed out;
  out.push(stream.bytes);
  const Result& result = out.finish();
  ASSERT_EQ(result.packets.size(), 5u);
  for (std::size_t i = 1; i < 5; ++i)
    EXPECT_EQ((result.packets[i]->dts - result.packets[i - 1]->dts).count, 1'800);
  EXPECT_EQ(out.demuxer.stats().discontinuities, 0u);
}

TEST(TsDemuxer, AJumpOfTheClockIsOneDiscontinuityForAllTracks) {
  for (const std::int64_t to : {std::int64_t{9'000}, std::int64_t{900'000'000}}) {
    StreamBuilder stream;
    stream.tables({kVideoStream, {kAdts, kSound, {}}}, 0);
    const Bytes frame =
        hex("fff14c8001bffc"
            "210049900219");
    video(stream, 900'000, kIdr);
    stream.pes(kSound, 0xc0, PesTimes{900'000, 900'000}, frame);
    video(stream, to, kIdr);
    const auto time = static_cast<std::uint64_t>(to);
    stream.pes(kSound, 0xc0, PesTimes{time, time}, frame);
    video(stream, to + 1'800, kPicture);
    Demuxed out;
    out.push(stream.bytes);
    const Result& result = out.finish();
    EXPECT_EQ(std::ranges::count(result.order, "discontinuity"), 1);
    EXPECT_EQ(result.packets.size(), 5u);
    // What was unfinished belongs before it.
    EXPECT_EQ(result.order[4], "discontinuity");
  }
}

TEST(TsDemuxer, ALostPacketCostsOneAccessUnit) {
  StreamBuilder stream;
  stream.tables({kVideoStream}, 0);
  video(stream, 90'000, kIdr);
  Bytes large = kPicture;
  large.resize(600, std::byte{0x11});
  const std::size_t begin = stream.bytes.size();
  video(stream, 91'800, large);
  stream.bytes.erase(stream.bytes.begin() + static_cast<long>(begin + kPacketBytes),
                     stream.bytes.begin() + static_cast<long>(begin + 2 * kPacketBytes));
  video(stream, 93'600, kPicture);
  Demuxed out;
  out.push(stream.bytes);
  EXPECT_EQ(out.finish().order,
            (std::vector<std::string>{"track 256 avc", "packet 256 90000", "packet 256 93600"}));
  EXPECT_EQ(out.demuxer.stats().continuity_errors, 1u);
  EXPECT_EQ(out.demuxer.stats().damaged_units, 1u);
}

TEST(TsDemuxer, APacketThatComesTwiceIsTakenOnce) {
  StreamBuilder stream;
  stream.tables({kVideoStream}, 0);
  const std::size_t begin = stream.bytes.size();
  video(stream, 90'000, kIdr);
  const Bytes packet(stream.bytes.begin() + static_cast<long>(begin), stream.bytes.end());
  ASSERT_EQ(packet.size(), kPacketBytes);
  stream.bytes.insert(stream.bytes.end(), packet.begin(), packet.end());
  video(stream, 91'800, kPicture);
  Demuxed out;
  out.push(stream.bytes);
  EXPECT_EQ(out.finish().packets.size(), 2u);
  EXPECT_EQ(out.demuxer.stats().continuity_errors, 0u);
}

TEST(TsDemuxer, FindsPacketsAgainAfterGarbage) {
  StreamBuilder stream;
  stream.tables({kVideoStream}, 0);
  video(stream, 90'000, kIdr);
  stream.bytes.insert(stream.bytes.end(), 100, std::byte{0});
  video(stream, 91'800, kPicture);
  video(stream, 93'600, kPicture);
  Demuxed out;
  out.push(stream.bytes);
  EXPECT_EQ(out.finish().packets.size(), 3u);
  EXPECT_EQ(out.demuxer.stats().resyncs, 1u);
}

TEST(TsDemuxer, WhatIsNoTransportStreamIsRefused) {
  TsDemuxer demuxer;
  std::vector<media::FeedItem> items;
  const Bytes zeros(64 * 1024);
  kapok::Result<void> pushed;
  for (int i = 0; i < 20 && pushed; ++i) pushed = demuxer.push(MonoTime{}, zeros, items);
  ASSERT_FALSE(pushed);
  EXPECT_EQ(pushed.error().code, Errc::malformed);
}

TEST(TsDemuxer, UnknownTypesAreAnnouncedAtOnceAndCarriedAsTheyCame) {
  StreamBuilder stream;
  const Bytes descriptors =
      hex("050441565356"
          "8102aabb");
  stream.tables({kVideoStream, {kAvs3, kSound, {}}, {0xea, kData, descriptors}}, 0);
  video(stream, 90'000, kIdr);
  Bytes payload(1'000, std::byte{0x5a});
  stream.pes(kSound, 0xe1, PesTimes{93'600, 91'800}, payload, Length::open, {});
  stream.pes(kData, 0xbd, PesTimes{91'800, 91'800}, hex("0102030405"));
  stream.pes(kSound, 0xe1, PesTimes{95'400, 93'600}, payload, Length::open, {});
  Demuxed out;
  out.push(stream.bytes);
  const Result& result = out.finish();
  EXPECT_EQ(result.order,
            (std::vector<std::string>{"track 257 avs3", "track 258 unknown", "packet 258 91800",
                                      "track 257 avs3", "packet 257 93600", "track 256 avc",
                                      "packet 256 90000", "packet 257 95400"}));
  const Track& unknown = *result.tracks[1];
  EXPECT_EQ(unknown.ts->stream_type, 0xea);
  EXPECT_TRUE(std::ranges::equal(unknown.ts->descriptors.bytes(), descriptors));
  EXPECT_EQ(to_hex(result.packets[0]->payload.bytes()), "0102030405");
  EXPECT_EQ(result.tracks[2]->ts->pes_stream_id, 0xe1);  // not the likely 0xe0
  EXPECT_EQ(result.packets[1]->dts.count, 91'800);
  EXPECT_TRUE(std::ranges::equal(result.packets[1]->payload.bytes(), payload));
}

TEST(TsDemuxer, Scte35SectionsComeWholeAtTheProgramsTime) {
  StreamBuilder stream;
  stream.tables({kVideoStream, {kScte35, kData, {}}}, 0);
  video(stream, 90'000, kIdr);
  Bytes section = hex("fc30fd");  // 256 bytes: over two packets
  section.resize(256, std::byte{0x22});
  stream.section(kData, section);
  Demuxed out;
  out.push(stream.bytes);
  const Result& result = out.finish();
  ASSERT_EQ(result.packets.size(), 2u);
  EXPECT_EQ(result.packets[0]->track, kData);
  EXPECT_EQ(result.packets[0]->pts.count, 90'000);
  EXPECT_EQ(result.packets[0]->payload.size(), 256u);
  EXPECT_EQ(result.tracks[0]->kind, media::TrackKind::metadata);
  EXPECT_FALSE(result.tracks[0]->ts->pes_stream_id);
}

TEST(TsDemuxer, LanguagesBecomeBcp47) {
  StreamBuilder stream;
  const Bytes chinese = hex("0a0463686900");
  stream.tables({{kAdts, kSound, chinese}}, 0);
  const Bytes frame =
      hex("fff14c8001bffc"
          "210049900219");
  Bytes frames = frame;
  frames.insert(frames.end(), frame.begin(), frame.end());
  stream.pes(kSound, 0xc0, PesTimes{90'000, 90'000}, frames);
  Demuxed out;
  out.push(stream.bytes);
  const Result& result = out.finish();
  EXPECT_EQ(result.tracks[0]->language, "zh");
  ASSERT_EQ(result.packets.size(), 2u);
  EXPECT_EQ(result.packets[0]->pts.count, 48'000);
  EXPECT_EQ(result.packets[1]->pts.count, 49'024);  // 1024 samples later
  EXPECT_EQ(to_hex(result.packets[0]->payload.bytes()), "210049900219");
}

TEST(TsDemuxer, TimesThatAreMissingFollowTheFrameRate) {
  StreamBuilder stream;
  stream.tables({kVideoStream}, 0);
  video(stream, 90'000, kIdr);
  stream.pes(kVideo, 0xe0, std::nullopt, kPicture, Length::open, {});
  stream.pes(kVideo, 0xe0, std::nullopt, kPicture, Length::open, {});
  Demuxed out;
  out.push(stream.bytes);
  EXPECT_EQ(out.finish().order,
            (std::vector<std::string>{"track 256 avc", "packet 256 90000", "packet 256 91800",
                                      "packet 256 93600"}));  // the SPS says 50
}

TEST(TsDemuxer, APesHeaderMayLieInSeveralPackets) {
  StreamBuilder stream;
  stream.tables({kVideoStream}, 0);
  Bytes whole;
  ByteWriter out(whole);
  write_pes_header(out, 0xe0, PesTimes{93'600, 90'000}, kIdr.size());
  out.bytes(kIdr);
  const ByteSpan pes(whole);
  stream.packet(kVideo, StreamBuilder::Unit::starts, pes.first(7), {});
  stream.packet(kVideo, StreamBuilder::Unit::continues, pes.subspan(7, 5), {});
  stream.packet(kVideo, StreamBuilder::Unit::continues, pes.subspan(12), {});
  Demuxed demuxed;
  demuxed.push(stream.bytes);
  const Result& result = demuxed.finish();
  ASSERT_EQ(result.packets.size(), 1u);
  EXPECT_EQ(result.packets[0]->dts.count, 90'000);
  EXPECT_EQ(result.packets[0]->pts.count, 93'600);
}

TEST(TsDemuxer, APictureOfZerosIsNone) {
  StreamBuilder stream;
  stream.tables({kVideoStream, {kHevc, kData, {}}}, 0);
  // A slice whose bytes are all 0 is nothing but the padding of a byte stream.
  const Bytes pictures =
      hex("00000001"
          "000000"
          "000000"
          "00000001"
          "460150"
          "000001"
          "000000");
  stream.pes(kData, 0xe1, PesTimes{90'000, 90'000}, pictures);
  Demuxed out;
  out.push(stream.bytes);
  EXPECT_TRUE(out.finish().packets.empty());
}

TEST(TsDemuxer, CountsWhatIsMarkedDamagedAndWhatIsPadding) {
  StreamBuilder stream;
  stream.tables({kVideoStream}, 0);
  video(stream, 90'000, kIdr);
  stream.packet(kNullPid, StreamBuilder::Unit::continues, Bytes(184), {});
  stream.packet(kVideo, StreamBuilder::Unit::continues, Bytes(184), {});
  stream.bytes[stream.bytes.size() - kPacketBytes + 1] |= std::byte{0x80};
  Demuxed out;
  out.push(stream.bytes);
  EXPECT_EQ(out.demuxer.stats().null_packets, 1u);
  EXPECT_EQ(out.demuxer.stats().transport_errors, 1u);
}

TEST(Sections, SpanPacketsAndShareThem) {
  SectionAssembler assembler;
  std::vector<Bytes> out;
  const Bytes first = write_pat({1, 0, {{1, 0x100}}});
  const Bytes second = write_pat({1, 1, {{2, 0x200}}});
  Bytes both{std::byte{0}};
  both.insert(both.end(), first.begin(), first.end());
  both.insert(both.end(), second.begin(), second.begin() + 5);
  assembler.payload(both, SectionAssembler::Payload::starts, out);
  ASSERT_EQ(out.size(), 1u);
  Bytes rest(second.begin() + 5, second.end());
  rest.resize(100, std::byte{0xff});
  assembler.payload(rest, SectionAssembler::Payload::continues, out);
  ASSERT_EQ(out.size(), 2u);
  EXPECT_EQ(out[1], second);
  EXPECT_EQ(read_pat(out[1]).value()->programs[0].pmt_pid, 0x200);
  EXPECT_EQ(assembler.broken(), 0u);
}

}  // namespace
}  // namespace kapok::mpegts
