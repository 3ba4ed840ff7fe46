#include <gtest/gtest.h>

#include "server/base/crypto.hpp"
#include "server/media/describe.hpp"
#include "server/picture/containers/cmaf/box_reader.hpp"
#include "server/picture/containers/cmaf/chunk.hpp"
#include "server/picture/containers/cmaf/init.hpp"

namespace kapok::cmaf {
namespace {

using media::Codec;
using media::Ticks;
using media::Track;

std::shared_ptr<const Track> make_track(Codec codec, std::string_view config_hex,
                                        std::string language) {
  return media::describe_track({.id = 7,
                                .codec = codec,
                                .timescale = 90000,
                                .config = Buffer(from_hex(config_hex).value()),
                                .language = std::move(language)})
      .value();
}

// hvcC of x265 as FLV carries it: array_completeness unset.
constexpr std::string_view kHdr10 =
    "0102200000009000000000003cf000fcfdfafa00000f04200001001840010c01ffff02200000030090000003000003"
    "003c959009210001002d42010102200000030090000003000003003ca00a080c1f3b6595912930bc05a84880482000"
    "000300200000064122000100064401c073c18927000200094e01900403e8019080001e4e01891833c286c41d4c0bb8"
    "84d03e803d13404200989680000003003280";

Buffer payload_of(std::string_view text) {
  return Buffer::copy_of(text);
}

Bytes joined(const Chunk& chunk) {
  Bytes bytes = chunk.head;
  for (const Buffer& sample : chunk.samples)
    bytes.insert(bytes.end(), sample.bytes().begin(), sample.bytes().end());
  return bytes;
}

// I P B B in decoding order, 50 fps at 90 kHz, with two frames of reorder delay.
std::vector<Sample> reordered_group(std::int64_t dts) {
  return {{{dts}, {dts + 3600}, {1800}, true, payload_of("IIII")},
          {{dts + 1800}, {dts + 9000}, {1800}, false, payload_of("PP")},
          {{dts + 3600}, {dts + 5400}, {1800}, false, payload_of("B")},
          {{dts + 5400}, {dts + 7200}, {1800}, false, payload_of("b")}};
}

TEST(WriteChunk, MatchesTheGoldenBytes) {
  ChunkSpec spec{.sequence = 9, .place = ChunkPlace::opens_segment, .decode_shift = {3600}};
  spec.producer_time = ProducerTime{UtcTime(microseconds(1'500'000)), {183600}};
  const auto samples = reordered_group(180000);
  const Chunk chunk = write_chunk(spec, samples);
  EXPECT_EQ(to_hex(chunk.head),
            // styp msdh 0 msdh cmfs cmff cmfl
            "00000020"
            "73747970"
            "6d736468"
            "00000000"
            "6d736468636d6673636d6666636d666c"
            // prft v1 flags 1, track 1, NTP 1.5 s after 1970, media time 183600
            "00000020"
            "70726674"
            "01000001"
            "00000001"
            "83aa7e8180000000"
            "000000000002cd30"
            // moof, mfhd sequence 9
            "00000084"
            "6d6f6f66"
            "00000010"
            "6d666864"
            "00000000"
            "00000009"
            // traf, tfhd: base is moof, default duration 1800, default flags not sync
            "0000006c"
            "74726166"
            "00000018"
            "74666864"
            "00020028"
            "00000001"
            "00000708"
            "01010000"
            // tfdt v1 183600 = the first picture's presentation time
            "00000014"
            "74666474"
            "01000000"
            "000000000002cd30"
            // trun v1: offset, first flags, size, cts; 4 samples
            "00000038"
            "7472756e"
            "01000a05"
            "00000004"
            "0000008c"
            "02000000"
            "00000004"
            "00000000"
            "00000002"
            "00000e10"
            "00000001"
            "fffff8f8"
            "00000001"
            "fffff8f8"
            "00000010"
            "6d646174");
  EXPECT_EQ(chunk.size, chunk.head.size() + 8);
  EXPECT_EQ(chunk.samples.size(), 4u);
}

TEST(WriteChunk, SharesPayloadsInsteadOfCopyingThem) {
  const auto samples = reordered_group(0);
  const Chunk chunk = write_chunk({.decode_shift = {3600}}, samples);
  for (std::size_t i = 0; i < samples.size(); ++i)
    EXPECT_EQ(chunk.samples[i].data(), samples[i].payload.data());
}

TEST(WriteChunk, PresentsEverySampleAtItsPtsWhateverTheShift) {
  const auto samples = reordered_group(90000);
  for (const std::int64_t shift : {0, 1800, 3600}) {
    const Scan scan = find_chunks(joined(write_chunk({.decode_shift = {shift}}, samples)));
    ASSERT_EQ(scan.chunks.size(), 1u) << scan.stopped_by;
    Ticks decode = scan.chunks[0].start;
    EXPECT_EQ(decode, (Ticks{90000 + shift}));
    for (std::size_t i = 0; i < samples.size(); ++i) {
      const SampleView& sample = scan.chunks[0].samples[i];
      EXPECT_EQ(decode.count + sample.composition_offset, samples[i].pts.count);
      EXPECT_EQ(sample.sync(), samples[i].sync);
      decode += Ticks{sample.duration};
    }
  }
}

TEST(WriteChunk, KeepsSamplesApartWhenTheyDiffer) {
  auto samples = reordered_group(0);
  samples[1].duration = {1801};
  samples[2].sync = true;  // a second sync sample: first-sample flags no longer suffice
  const Scan scan = find_chunks(joined(write_chunk({}, samples)));
  ASSERT_EQ(scan.chunks.size(), 1u) << scan.stopped_by;
  const ChunkView& chunk = scan.chunks[0];
  EXPECT_EQ(chunk.duration, (Ticks{7201}));
  EXPECT_TRUE(chunk.independent);
  for (std::size_t i = 0; i < samples.size(); ++i) {
    EXPECT_EQ(chunk.samples[i].duration, samples[i].duration.count);
    EXPECT_EQ(chunk.samples[i].sync(), samples[i].sync);
    EXPECT_EQ(chunk.samples[i].size, samples[i].payload.size());
  }
}

TEST(WriteChunk, LeavesOutWhatAudioDoesNotNeed) {
  const std::vector<Sample> frames = {{{48000}, {48000}, {1024}, true, payload_of("aa")},
                                      {{49024}, {49024}, {1024}, true, payload_of("bbb")}};
  const Chunk chunk = write_chunk({.sequence = 2}, frames);
  // moof 8, mfhd 16, traf 8, tfhd 24, tfdt 20, trun 20 + 2 sizes, mdat 8
  EXPECT_EQ(chunk.head.size(), 8u + 16 + 8 + 24 + 20 + 20 + 8 + 8);
  EXPECT_TRUE(find_chunks(joined(chunk)).chunks.at(0).independent);
}

TEST(WriteChunk, WritesEventsBeforeTheMoof) {
  ChunkSpec spec;
  spec.events.push_back({.scheme = "urn:scte:scte35:2013:bin",
                         .value = "1",
                         .timescale = 90000,
                         .at = {180000},
                         .duration = 900,
                         .id = 5,
                         .message = payload_of("splice")});
  const Bytes bytes = joined(write_chunk(spec, reordered_group(0)));
  const auto boxes = read_boxes(bytes).value();
  ASSERT_EQ(boxes.size(), 3u);
  EXPECT_EQ(boxes[0].type, "emsg");
  EXPECT_EQ(to_hex(boxes[0].body.first(24)),
            "010000000001"
            "5f90000000000002bf20"
            "00000384"
            "00000005");
  EXPECT_EQ(as_text(boxes[0].body.subspan(24)), std::string_view("urn:scte:scte35:2013:bin\0"
                                                                 "1\0"
                                                                 "splice",
                                                                 33));
  EXPECT_EQ(find_chunks(bytes).chunks.size(), 1u);
}

TEST(WriteChunk, SurvivesAnAbsurdPts) {
  auto samples = reordered_group(0);
  samples[1].pts = {std::int64_t{1} << 40};
  samples[2].pts = {-(std::int64_t{1} << 40)};
  const Scan scan = find_chunks(joined(write_chunk({}, samples)));
  ASSERT_EQ(scan.chunks.size(), 1u) << scan.stopped_by;
  EXPECT_EQ(scan.chunks[0].samples[1].composition_offset, INT32_MAX);
  EXPECT_EQ(scan.chunks[0].samples[2].composition_offset, INT32_MIN);
}

TEST(WriteChunk, TakesALargeMdatWhenItMust) {
  // Samples that share one 64 MiB payload: 4 GiB together and no copy.
  const Buffer frame(Bytes(std::size_t{64} * 1024 * 1024));
  std::vector<Sample> samples;
  for (int i = 0; i < 64; ++i) samples.push_back({{i}, {i}, {1}, i == 0, frame});
  const Chunk chunk = write_chunk({}, samples);
  EXPECT_EQ(chunk.size, chunk.head.size() + (std::uint64_t{1} << 32));
  // size 1, then 64 bits: 4 GiB and the header
  EXPECT_EQ(to_hex(ByteSpan(chunk.head).last(16)), "000000016d6461740000000100000010");
  const BoxView moof = read_box(chunk.head).value();
  const ByteSpan trun = find_box(moof.body, "traf/trun").value();
  ByteReader in(trun.subspan(8));
  EXPECT_EQ(in.u32().value(), moof.size + 16);
}

TEST(FindChunks, StopsAtTheWriteThatWasCutOff) {
  Bytes file =
      joined(write_chunk({.sequence = 1, .place = ChunkPlace::opens_segment}, reordered_group(0)));
  const std::size_t first = file.size();
  const Bytes second = joined(write_chunk({.sequence = 2}, reordered_group(7200)));
  file.insert(file.end(), second.begin(), second.end());
  const Scan whole = find_chunks(file);
  ASSERT_EQ(whole.chunks.size(), 2u);
  EXPECT_EQ(whole.stopped_by, "");
  EXPECT_TRUE(whole.chunks[0].opens_segment);
  EXPECT_FALSE(whole.chunks[1].opens_segment);
  EXPECT_EQ(whole.chunks[1].offset, first);
  EXPECT_EQ(whole.chunks[1].start, (Ticks{7200}));
  EXPECT_EQ(std::to_integer<char>(file[whole.chunks[1].payload_offset]), 'I');
  for (std::size_t size = first; size < file.size(); ++size) {
    const Scan scan = find_chunks(ByteSpan(file).first(size));
    EXPECT_EQ(scan.chunks.size(), 1u);
    EXPECT_EQ(scan.whole_bytes, first);
  }
}

TEST(WriteInit, GivesEqualBytesForEqualTracks) {
  const auto track = make_track(Codec::aac, "1190", "zh");
  EXPECT_EQ(write_init(*track), write_init(*make_track(Codec::aac, "1190", "zh")));
}

TEST(WriteInit, HasNoEditListAndTheCmafBrands) {
  const Bytes init = write_init(*make_track(Codec::hevc, kHdr10, ""));
  const auto boxes = read_boxes(init).value();
  ASSERT_EQ(boxes.size(), 2u);
  EXPECT_EQ(as_text(boxes[0].body).substr(0, 4), "cmf2");
  EXPECT_EQ(as_text(boxes[0].body).substr(8), "cmf2iso6cmfcchd1");
  EXPECT_FALSE(find_box(init, "moov/trak/edts"));
  EXPECT_TRUE(find_box(init, "moov/mvex/trex"));
}

TEST(WriteInit, SignalsHdr10InTheSampleEntry) {
  const Bytes init = write_init(*make_track(Codec::hevc, kHdr10, ""));
  const ByteSpan stsd = find_box(init, "moov/trak/mdia/minf/stbl/stsd").value();
  const BoxView entry = read_box(stsd.subspan(8)).value();
  EXPECT_EQ(entry.type, "hvc1");
  const ByteSpan boxes = entry.body.subspan(78);
  EXPECT_EQ(to_hex(find_box(boxes, "colr").value()),
            "6e636c78"
            "0009"
            "0010"
            "0009"
            "00");
  EXPECT_EQ(to_hex(find_box(boxes, "clli").value()), "03e80190");
  EXPECT_EQ(to_hex(find_box(boxes, "mdcv").value()),
            "33c286c41d4c0bb884d03e803d1340420098968000000032");
  // The arrays of parameter sets are complete under the name hvc1: a0, a1, a2.
  const ByteSpan hvcc = find_box(boxes, "hvcC").value();
  EXPECT_EQ(std::to_integer<int>(hvcc[23]), 0xa0);
}

TEST(WriteInit, TellsOfDynamicMetadataAndReadsItBack) {
  const auto track = make_track(Codec::hevc, kHdr10, "");
  const auto with = [&](bool vivid, bool plus) {
    Track more = *track;
    media::VideoFacts facts = *more.video();
    facts.frame_rate = {50, 1};
    facts.hdr_vivid = vivid;
    facts.hdr10_plus = plus;
    more.facts = facts;
    return write_init(more);
  };
  const auto brands = [](const Bytes& init) {
    return std::string(as_text(find_box(init, "ftyp").value().subspan(8)));
  };
  const auto sample_entry = [](const Bytes& init) {
    return read_box(find_box(init, "moov/trak/mdia/minf/stbl/stsd").value().subspan(8))->body;
  };
  const auto back = [](const Bytes& init) { return *read_init(Buffer(init), 1).value()->video(); };

  const Bytes plain = with(false, false);
  EXPECT_EQ(brands(plain), "cmf2iso6cmfcchd1");
  EXPECT_FALSE(find_box(sample_entry(plain).subspan(78), "cuvv"));
  EXPECT_FALSE(back(plain).hdr_vivid || back(plain).hdr10_plus);

  const Bytes plus = with(false, true);
  EXPECT_EQ(brands(plus), "cmf2iso6cmfcchd1cdm4");
  EXPECT_TRUE(back(plus).hdr10_plus);

  const Bytes vivid = with(true, false);
  EXPECT_EQ(brands(vivid), brands(plain)) << "no brand is registered";
  EXPECT_EQ(to_hex(find_box(sample_entry(vivid).subspan(78), "cuvv").value()),
            "00010004000500000000000000000000000000000000");
  EXPECT_TRUE(back(vivid).hdr_vivid);
}

TEST(WriteInit, TellsOfDolbyVisionAndReadsItBack) {
  const auto track = make_track(Codec::hevc, kHdr10, "");
  const auto with = [&](std::optional<media::DolbyVision> stream) {
    Track more = *track;
    media::VideoFacts facts = *more.video();
    facts.frame_rate = {50, 1};
    facts.dolby_vision = stream;
    more.facts = facts;
    return write_init(more);
  };
  const auto brands = [](const Bytes& init) {
    return std::string(as_text(find_box(init, "ftyp").value().subspan(8)));
  };
  const auto entry = [](const Bytes& init) {
    return read_box(find_box(init, "moov/trak/mdia/minf/stbl/stsd").value().subspan(8)).value();
  };
  const auto back = [](const Bytes& init) {
    return read_init(Buffer(init), 1).value()->video()->dolby_vision;
  };

  // ["Dolby Vision Streams Within the ISO Base Media File Format"] version 1.0, profile 8, level 9,
  // RPU and base layer, compatible with HDR10.
  const media::DolbyVision hdr10{8, 9, 1};
  const Bytes eight = with(hdr10);
  EXPECT_EQ(brands(eight), "cmf2iso6cmfcchd1db1p");
  EXPECT_EQ(entry(eight).type, "hvc1");
  EXPECT_EQ(to_hex(find_box(entry(eight).body.subspan(78), "dvvC").value()),
            "0100104d1000000000000000000000000000000000000000");
  EXPECT_EQ(back(eight), hdr10);

  // What only its decoders show is named so that others leave it alone.
  const media::DolbyVision ipt{5, 9, 0};
  const Bytes five = with(ipt);
  EXPECT_EQ(brands(five), "cmf2iso6cmfc");
  EXPECT_EQ(entry(five).type, "dvh1");
  EXPECT_EQ(to_hex(find_box(entry(five).body.subspan(78), "dvcC").value()),
            "01000a4d0000000000000000000000000000000000000000");
  EXPECT_EQ(back(five), ipt);

  // Nothing of two layers, nor without a level.
  const Bytes plain = with(std::nullopt);
  EXPECT_EQ(with(media::DolbyVision{7, 9, std::nullopt}), plain);
  EXPECT_EQ(with(media::DolbyVision{8, std::nullopt, 1}), plain);
}

TEST(WriteInit, PutsTheLanguageInBothPlaces) {
  const Bytes init = write_init(*make_track(Codec::aac, "1190", "zh-Hans"));
  const ByteSpan mdhd = find_box(init, "moov/trak/mdia/mdhd").value();
  EXPECT_EQ(to_hex(mdhd.subspan(20, 2)), "690f");  // z h o
  EXPECT_EQ(as_text(find_box(init, "moov/trak/mdia/elng").value().subspan(4)),
            std::string_view("zh-Hans\0", 8));
}

TEST(ReadInit, GivesTheTrackBack) {
  for (const auto& track :
       {make_track(Codec::hevc, kHdr10, "en"), make_track(Codec::aac, "2b118800", "yue"),
        make_track(Codec::opus, "4f707573486561640102380180bb0000000000", ""),
        make_track(Codec::ac3, "103d60", "zh")}) {
    const auto back = read_init(Buffer(write_init(*track)), 7);
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ((*back)->codec, track->codec);
    EXPECT_EQ((*back)->codec_string, track->codec_string);
    EXPECT_EQ((*back)->language, track->language);
    EXPECT_EQ((*back)->timescale, track->timescale);
    EXPECT_EQ((*back)->facts, track->facts);
    if (track->codec != Codec::hevc) {  // hvcC: array_completeness was set
      EXPECT_EQ(to_hex((*back)->config.bytes()), to_hex(track->config.bytes()));
    }
  }
}

TEST(ReadInit, KnowsMp3ThoughItHasNoRecord) {
  const Bytes frame = from_hex("fffb9464").value();
  const auto track =
      media::describe_track_from_frame(
          {.id = 7, .codec = Codec::mp3, .timescale = 48000, .config = {}, .language = "ja"}, frame)
          .value();
  const auto back = read_init(Buffer(write_init(*track)), 7);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ((*back)->codec_string, track->codec_string);
  EXPECT_EQ((*back)->facts, track->facts);
  EXPECT_EQ((*back)->language, "ja");
}

TEST(ReadInit, RefusesWhatIsCutShort) {
  const Bytes init = write_init(*make_track(Codec::hevc, kHdr10, "en"));
  for (std::size_t size = 0; size < init.size(); ++size)
    EXPECT_FALSE(read_init(
        Buffer(Bytes(init.begin(), init.begin() + static_cast<std::ptrdiff_t>(size))), 1));
}

}  // namespace
}  // namespace kapok::cmaf
