#include "server/picture/containers/flv/demuxer.hpp"

#include <gtest/gtest.h>

#include "server/base/crypto.hpp"
#include "server/picture/containers/amf/amf.hpp"
#include "server/picture/containers/flv/av1_descriptor.hpp"

namespace kapok::flv {
namespace {

using Items = FlvDemuxer::Items;

MonoTime at_ms(std::int64_t ms) {
  return MonoTime(milliseconds(ms));
}

Buffer body_of(std::initializer_list<int> head, std::string_view hex_tail = {}) {
  Bytes bytes;
  for (const int number : head) bytes.push_back(static_cast<std::byte>(number));
  ByteWriter(bytes).bytes(from_hex(hex_tail).value());
  return Buffer(std::move(bytes));
}

struct Feed {
  FlvDemuxer demuxer;
  Items items;

  Result<void> aac_config() {
    return demuxer.audio(0, body_of({0xAF, 0x00, 0x11, 0x90}), at_ms(0), items);
  }
  Result<void> aac(std::uint32_t timestamp, std::int64_t arrival) {
    return demuxer.audio(timestamp, body_of({0xAF, 0x01, 0x21, 0x10}), at_ms(arrival), items);
  }
  std::vector<std::shared_ptr<const media::Packet>> packets() const {
    std::vector<std::shared_ptr<const media::Packet>> all;
    for (const auto& item : items)
      if (const auto* packet = std::get_if<std::shared_ptr<const media::Packet>>(&item))
        all.push_back(*packet);
    return all;
  }
  std::vector<std::shared_ptr<const media::Track>> tracks() const {
    std::vector<std::shared_ptr<const media::Track>> all;
    for (const auto& item : items)
      if (const auto* track = std::get_if<std::shared_ptr<const media::Track>>(&item))
        all.push_back(*track);
    return all;
  }
  int discontinuities() const {
    int count = 0;
    for (const auto& item : items) count += std::holds_alternative<media::Discontinuity>(item);
    return count;
  }
};

TEST(FlvDemuxer, AudioIsCountedInSamplesDespiteMilliseconds) {
  Feed feed;
  ASSERT_TRUE(feed.aac_config());
  ASSERT_EQ(feed.tracks().size(), 1u);
  EXPECT_EQ(feed.tracks()[0]->timescale, 48000u);
  // 1024 samples at 48 kHz are 21.33 ms: senders round.
  for (std::uint32_t i = 0; i < 200; ++i) {
    const auto ms = static_cast<std::uint32_t>(i * 1024.0 / 48.0);
    ASSERT_TRUE(feed.aac(ms, ms));
  }
  const auto packets = feed.packets();
  ASSERT_EQ(packets.size(), 200u);
  for (std::size_t i = 0; i < packets.size(); ++i) {
    EXPECT_EQ(packets[i]->dts.count, static_cast<std::int64_t>(i) * 1024);
    EXPECT_EQ(packets[i]->duration.count, 1024);
    EXPECT_TRUE(packets[i]->sync);
  }
}

TEST(FlvDemuxer, AudioFollowsASenderThatDrifts) {
  Feed feed;
  ASSERT_TRUE(feed.aac_config());
  // 1000 ppm fast for a minute: 60 ms that sample counting alone would lose.
  std::uint32_t ms = 0;
  for (int i = 0; i < 2813; ++i) {
    ms = static_cast<std::uint32_t>(i * 1024.0 / 48.0 * 1.001);
    ASSERT_TRUE(feed.aac(ms, ms));
  }
  const auto packets = feed.packets();
  EXPECT_NEAR(static_cast<double>(packets.back()->dts.count) / 48.0, ms, 3);
  EXPECT_EQ(feed.discontinuities(), 0);
}

TEST(FlvDemuxer, PayloadsAreSlicesOfTheMessage) {
  Feed feed;
  ASSERT_TRUE(feed.aac_config());
  const Buffer body = body_of({0xAF, 0x01, 0x21, 0x10});
  ASSERT_TRUE(feed.demuxer.audio(0, body, at_ms(0), feed.items));
  EXPECT_EQ(feed.packets()[0]->payload.data(), body.data() + 2);
}

TEST(FlvDemuxer, TimestampsWrapWithoutAJump) {
  Feed feed;
  ASSERT_TRUE(feed.aac_config());
  const std::uint32_t begin = 0xFFFFFF00;
  for (std::uint32_t i = 0; i < 40; ++i)
    ASSERT_TRUE(feed.aac(begin + static_cast<std::uint32_t>(i * 1024.0 / 48.0), i * 21));
  const auto packets = feed.packets();
  for (std::size_t i = 1; i < packets.size(); ++i)
    EXPECT_EQ((packets[i]->dts - packets[i - 1]->dts).count, 1024);
  EXPECT_GT(packets.back()->dts.count, std::int64_t{0x100000000} * 48);
  EXPECT_EQ(feed.discontinuities(), 0);
}

TEST(FlvDemuxer, AClockThatJumpsIsADiscontinuity) {
  for (const std::uint32_t target : {100'000u, 2'000'000u}) {  // back and ahead of a million
    Feed feed;
    ASSERT_TRUE(feed.aac_config());
    ASSERT_TRUE(feed.aac(1'000'000, 0));
    ASSERT_TRUE(feed.aac(1'000'021, 21));
    ASSERT_TRUE(feed.aac(target, 42));
    ASSERT_TRUE(feed.aac(target + 21, 63));
    EXPECT_EQ(feed.discontinuities(), 1);
    EXPECT_TRUE(std::holds_alternative<media::Discontinuity>(feed.items[feed.items.size() - 3]));
  }
}

TEST(FlvDemuxer, ASilenceInRealTimeIsNoJump) {
  Feed feed;
  ASSERT_TRUE(feed.aac_config());
  ASSERT_TRUE(feed.aac(1'000, 0));
  ASSERT_TRUE(feed.aac(21'000, 20'000));  // twenty seconds later, by both clocks
  ASSERT_TRUE(feed.aac(21'021, 60'000));  // a network stall: arrival alone moved on
  EXPECT_EQ(feed.discontinuities(), 0);
}

TEST(FlvDemuxer, ARepeatedRecordIsOneTrackAndAChangedOneAnother) {
  Feed feed;
  ASSERT_TRUE(feed.aac_config());
  ASSERT_TRUE(feed.aac_config());
  EXPECT_EQ(feed.tracks().size(), 1u);
  ASSERT_TRUE(feed.demuxer.audio(0, body_of({0xAF, 0x00, 0x12, 0x10}), at_ms(0), feed.items));
  ASSERT_EQ(feed.tracks().size(), 2u);
  EXPECT_EQ(feed.tracks()[1]->id, feed.tracks()[0]->id);
  EXPECT_EQ(feed.tracks()[1]->timescale, 44100u);
}

TEST(FlvDemuxer, UnsupportedCodecsAreLeftOutAndNotedOnce) {
  Feed feed;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(feed.demuxer.video(0, body_of({0x90}, "767030390001"), at_ms(0), feed.items));
    ASSERT_TRUE(feed.demuxer.video(0, body_of({0x91}, "7670303901020304"), at_ms(0), feed.items));
  }
  EXPECT_TRUE(feed.items.empty());
  const auto notices = feed.demuxer.take_notices();
  ASSERT_EQ(notices.size(), 1u);
  EXPECT_EQ(notices[0], "track 256: codec vp09 is not supported");
  EXPECT_TRUE(feed.demuxer.take_notices().empty());
  EXPECT_EQ(feed.demuxer.frames_skipped(), 3u);
}

TEST(FlvDemuxer, TracksAreBounded) {
  Feed feed;
  for (int track = 0; track < 40; ++track)
    ASSERT_TRUE(feed.demuxer.audio(0, body_of({0x95, 0x00, 'm', 'p', '4', 'a', track, 0x11, 0x90}),
                                   at_ms(0), feed.items));
  EXPECT_EQ(feed.tracks().size(), kMaxTracks);
}

TEST(FlvDemuxer, MetadataGivesHints) {
  Feed feed;
  Bytes body;
  amf::write_amf0(body, "@setDataFrame");
  amf::write_amf0(body, "onMetaData");
  amf::write_amf0(body, amf::Value(amf::Object{{"encoder", "obs-output"}, {"framerate", 50.0}}),
                  amf::Form::ecma_array);
  ASSERT_TRUE(feed.demuxer.script(Buffer(std::move(body))));
  EXPECT_EQ(feed.demuxer.hints().encoder, "obs-output");
  EXPECT_EQ(feed.demuxer.hints().frames_per_second, 50);
}

TEST(ColourInfo, FillsOnlyWhatTheBitstreamLeavesOpen) {
  Bytes body;
  amf::write_amf0(body, "colorInfo");
  amf::write_amf0(body, amf::Object{{"colorConfig", amf::Object{{"colorPrimaries", 9},
                                                                {"transferCharacteristics", 16},
                                                                {"matrixCoefficients", 9}}},
                                    {"hdrCll", amf::Object{{"maxFall", 400}, {"maxCLL", 1000}}},
                                    {"hdrMdcv", amf::Object{{"redX", 0.708},
                                                            {"redY", 0.292},
                                                            {"greenX", 0.17},
                                                            {"greenY", 0.797},
                                                            {"blueX", 0.131},
                                                            {"blueY", 0.046},
                                                            {"whitePointX", 0.3127},
                                                            {"whitePointY", 0.329},
                                                            {"maxLuminance", 1000},
                                                            {"minLuminance", 0.005}}}});
  const auto read = read_colour_info(body);
  ASSERT_TRUE(read && *read);
  media::Track track;
  media::VideoFacts facts;
  facts.colour.primaries = 1;  // the bitstream says BT.709
  track.facts = facts;
  const auto open = std::make_shared<const media::Track>(track);
  const auto filled = completed(open, **read);
  EXPECT_EQ(filled->video()->colour.primaries, 1);
  EXPECT_EQ(filled->video()->colour.transfer, 16);
  ASSERT_TRUE(filled->video()->mastering);
  EXPECT_EQ(filled->video()->mastering->primaries_x[0], 8500);   // green
  EXPECT_EQ(filled->video()->mastering->primaries_x[2], 35400);  // red
  EXPECT_EQ(filled->video()->mastering->max_luminance, 10'000'000u);
  EXPECT_EQ(filled->video()->mastering->min_luminance, 50u);
  EXPECT_EQ(filled->video()->light->max_frame_average, 400);
  EXPECT_EQ(completed(filled, **read), filled);
}

TEST(Av1Descriptor, MakesARecordFromTheFirstSequenceHeader) {
  const Bytes descriptor = from_hex("81050ccf").value();
  const Bytes frame = from_hex("12000a0301020332020000").value();
  const auto record = av1_record(descriptor, frame);
  ASSERT_TRUE(record);
  EXPECT_EQ(to_hex(*record), "81050c0f0a03010203");
  EXPECT_FALSE(av1_record(descriptor, from_hex("32020000").value()));
  EXPECT_EQ(to_hex(without_temporal_delimiter(frame)), "0a0301020332020000");
  EXPECT_EQ(to_hex(without_temporal_delimiter(from_hex("1205").value())), "1205");  // cut short
}

TEST(SampleClock, ExactTimesAreKept) {
  SampleClock clock;
  using enum SampleClock::Precision;
  EXPECT_EQ(clock.place({1000}, {1024}, 48000, exact).count, 1000);
  EXPECT_EQ(clock.place({2024}, {1024}, 48000, exact).count, 2024);
  EXPECT_EQ(clock.place({3049}, {1024}, 48000, exact).count, 3048);  // one sample of rounding
  EXPECT_EQ(clock.place({9000}, {1024}, 48000, exact).count, 9000);  // a gap
}

TEST(SampleClock, JitterOfTheSenderIsSmoothedAndAGapIsNot) {
  SampleClock clock;
  using enum SampleClock::Precision;
  std::int64_t last = clock.place({0}, {1024}, 48000, milliseconds).count;
  for (std::int64_t i = 1; i < 500; ++i) {
    const std::int64_t jitter = (i * 7919) % 11 - 5;  // -5..5 ms
    const std::int64_t ms = i * 1024 / 48 + jitter;
    const std::int64_t at = clock.place({ms * 48}, {1024}, 48000, milliseconds).count;
    EXPECT_NEAR(static_cast<double>(at - last), 1024, 8) << i;
    EXPECT_NEAR(static_cast<double>(at) / 48, static_cast<double>(i) * 1024 / 48, 2) << i;
    last = at;
  }
  EXPECT_EQ(clock.place({last + 48 * 100}, {1024}, 48000, milliseconds).count, last + 48 * 100);
}

}  // namespace
}  // namespace kapok::flv
