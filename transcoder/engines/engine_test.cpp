// What every engine does alike.
#include <gmock/gmock.h>

#include <algorithm>

#include "server/media/describe.hpp"
#include "transcoder/engines/engines_test.hpp"

namespace kapok::engines {
namespace {

using ffmpeg::Clip;
using ffmpeg::decode;
using ffmpeg::feed;
using ffmpeg::filtered;
using ffmpeg::hdr10_facts;
using ffmpeg::kClipBegin;
using ffmpeg::kClipFrame;
using ffmpeg::kClipTimescale;
using ffmpeg::make_clip;
using ffmpeg::psnr;
using ffmpeg::pts_of;
using ffmpeg::RecordingSink;
using ffmpeg::sync_pts_of;
using testing::ElementsAre;

TEST_P(EngineTest, EveryRungHasTheSourcesFramesAndBeginsAGopExactlyWhereASegmentStarts) {
  const Clip clip = make_clip({.b_frames = 2});
  RecordingSink sink;
  auto with_b = rung("b", Codec::avc, 240);
  with_b.b_frames = 2;
  std::vector<media::VideoRung> rungs{rung("avc", Codec::avc, 360), with_b};
  rungs.push_back(rung("av1", Codec::av1, 180));
  rungs.push_back(rung("hevc", Codec::hevc, 240));
  const auto engine = make_engine(ladder_of(rungs), sink);
  feed(*engine, clip);
  engine->drain();
  for (const auto& each : rungs) {
    const std::string& name = each.name;
    SCOPED_TRACE(name + "\n" + sink.all_notices());
    const auto& made = sink[name];
    ASSERT_EQ(made.tracks.size(), 1U);
    EXPECT_EQ(pts_of(made.packets), pts_of(clip.packets));
    EXPECT_EQ(sync_pts_of(made.packets), clip.segment_starts);
    EXPECT_EQ(made.tracks[0]->timescale, clip.track->timescale);
    EXPECT_EQ(made.tracks[0]->video()->frame_rate, (media::Rational{50, 1}));
    std::int64_t last = 0;
    for (const auto& packet : made.packets) {
      // The bitstream itself says so too.
      EXPECT_EQ(media::is_sync(*made.tracks[0], packet.payload.bytes()), packet.sync);
      EXPECT_LE(packet.dts, packet.pts);
      EXPECT_GT(packet.dts.count, last);
      EXPECT_EQ(packet.duration.count, kClipFrame);
      last = packet.dts.count;
    }
    EXPECT_EQ(decode(*made.tracks[0], made.packets).size(), clip.packets.size());
  }
  EXPECT_EQ(sink["b"].tracks[0]->video()->height, 240U);
  EXPECT_EQ(sink["hevc"].tracks[0]->video()->width, 426U);
  EXPECT_EQ(engine->stats().decoded, clip.packets.size());
  EXPECT_EQ(engine->stats().decode_errors, 0U);
}

TEST_P(EngineTest, PicturesLookLikeTheSources) {
  const Clip clip = make_clip({});
  for (const Codec codec : {Codec::avc, Codec::hevc, Codec::av1}) {
    const auto made = run(clip, rung("r", codec, 180));
    const auto source = decode(*clip.track, clip.packets);
    const double quality = psnr(decode(*made.tracks.at(0), made.packets),
                                filtered(source, "scale=320:180:flags=bicubic"));
    EXPECT_GT(quality, 28) << media::name_of(codec);
  }
}

TEST_P(EngineTest, SourcesOfEachCodecAreRead) {
  for (const Codec codec : {Codec::hevc, Codec::av1}) {
    const Clip clip = make_clip({.codec = codec, .frames = 30, .b_frames = 2});
    const auto made = run(clip, rung("r", Codec::avc, 180));
    EXPECT_EQ(pts_of(made.packets), pts_of(clip.packets)) << media::name_of(codec);
    EXPECT_EQ(sync_pts_of(made.packets), clip.segment_starts) << media::name_of(codec);
  }
}

TEST_P(EngineTest, AnSdrRungOfHdrIsToneMappedAsFfmpegsOwnFiltersDoIt) {
  const Clip clip = make_clip(hdr10_clip());
  const auto made = run(clip, rung("sdr", Codec::avc, 180));
  const media::VideoFacts& facts = *made.tracks.at(0)->video();
  EXPECT_EQ(facts.colour, (media::Colour{1, 1, 1, false}));
  EXPECT_EQ(facts.bit_depth, 8);
  EXPECT_FALSE(facts.mastering.has_value());
  const auto source = decode(*clip.track, clip.packets);
  const auto pictures = decode(*made.tracks[0], made.packets);
  const auto mapped = filtered(source,
                               "zscale=w=320:h=180:f=bicubic,zscale=t=linear:npl=100,"
                               "format=gbrpf32le,zscale=p=bt709,tonemap=hable:desat=0,"
                               "zscale=t=bt709:m=bt709:r=tv,format=yuv420p");
  const auto relabelled = filtered(source, "scale=320:180:flags=bicubic,format=yuv420p");
  EXPECT_GT(psnr(pictures, mapped), 28);
  EXPECT_LT(psnr(pictures, relabelled), 22);
}

TEST_P(EngineTest, AnHdrRungKeepsDepthColourMasteringDisplayAndLight) {
  const Clip clip = make_clip(hdr10_clip());
  for (const Codec codec : {Codec::hevc, Codec::av1}) {
    SCOPED_TRACE(media::name_of(codec));
    auto hdr = rung("hdr", codec, 180);
    hdr.range = media::RungRange::keep;
    hdr.bit_depth = 10;
    const auto made = run(clip, hdr);
    const media::VideoFacts& facts = *made.tracks.at(0)->video();
    const media::VideoFacts source = hdr10_facts();
    EXPECT_EQ(facts.bit_depth, 10);
    EXPECT_EQ(facts.colour, source.colour);
    EXPECT_EQ(facts.light, source.light);
    ASSERT_TRUE(facts.mastering.has_value());
    // AV1 counts in other fractions.
    for (int i = 0; i < 3; ++i) {
      EXPECT_NEAR(facts.mastering->primaries_x[i], source.mastering->primaries_x[i], 1);
      EXPECT_NEAR(facts.mastering->primaries_y[i], source.mastering->primaries_y[i], 1);
    }
    EXPECT_NEAR(facts.mastering->max_luminance, source.mastering->max_luminance, 100);
    EXPECT_NEAR(facts.mastering->min_luminance, source.mastering->min_luminance, 1);
    // Each place where a player may start says so again.
    const auto bare = media::describe_track({.id = 1,
                                             .codec = codec,
                                             .timescale = kClipTimescale,
                                             .config = made.tracks[0]->config,
                                             .language = {}})
                          .value();
    for (const auto& packet : made.packets)
      if (packet.sync)
        EXPECT_TRUE(media::enriched(bare, packet.payload.bytes())->video()->light.has_value());
  }
}

TEST_P(EngineTest, AHalfRateRungHasEverySecondFrameFromEachSegmentStartOn) {
  const Clip clip = make_clip({.frames = 60, .segment = 25});
  auto half = rung("half", Codec::avc, 180);
  half.rate = media::RungRate::half;
  const auto made = run(clip, half);
  std::vector<std::int64_t> expected;
  for (int i = 0; i < 60; ++i)
    if (i % 25 % 2 == 0) expected.push_back(kClipBegin + i * kClipFrame);
  EXPECT_EQ(pts_of(made.packets), expected);
  EXPECT_EQ(sync_pts_of(made.packets), clip.segment_starts);
  EXPECT_EQ(made.packets[0].duration.count, 2 * kClipFrame);
  EXPECT_EQ(made.tracks[0]->video()->frame_rate, (media::Rational{25, 1}));
}

TEST_P(EngineTest, VariableFrameRatesAndMissingFramesComeThroughAsTheyAre) {
  Clip clip = make_clip({.frames = 60, .segment = 25});
  // Film at 24, a screen that shows 50, and a pause; nothing of it is a multiple of anything.
  std::int64_t pts = kClipBegin;
  std::vector<std::int64_t> starts;
  for (std::size_t i = 0; i < clip.packets.size(); ++i) {
    media::Packet& packet = clip.packets[i];
    if (clip.starts(packet)) starts.push_back(pts);
    packet.pts = packet.dts = {pts};
    const std::int64_t lasts = i == 40 ? 90'000 : i % 3 == 0 ? 3753 : 1801;
    packet.duration = {lasts};
    pts += lasts;
  }
  clip.segment_starts = starts;
  for (const Codec codec : {Codec::avc, Codec::hevc}) {
    const auto made = run(clip, rung("vfr", codec, 180));
    EXPECT_EQ(pts_of(made.packets), pts_of(clip.packets));
    EXPECT_EQ(sync_pts_of(made.packets), starts);
    EXPECT_EQ(made.tracks.size(), 1U);
    EXPECT_EQ(made.packets[40].duration.count, 90'000);
  }
  // A sender that loses every tenth frame, in a file: what is there is at its time.
  Clip holes = make_clip({.frames = 60, .segment = 20});
  std::erase_if(holes.packets, [&](const media::Packet& packet) {
    return (packet.pts.count - kClipBegin) / kClipFrame % 20 == 19;  // nothing refers to it
  });
  const auto made = run(holes, rung("holes", Codec::avc, 180));
  EXPECT_EQ(pts_of(made.packets), pts_of(holes.packets));
  EXPECT_EQ(sync_pts_of(made.packets), holes.segment_starts);
}

TEST_P(EngineTest, BrokenPacketsAreCountedAndTheNextSyncPacketGoesOn) {
  Clip clip = make_clip({.frames = 100});
  for (std::size_t i = 25; i < 35; ++i) {  // in the second segment
    Bytes bytes(clip.packets[i].payload.bytes().begin(), clip.packets[i].payload.bytes().end());
    for (std::size_t at = 0; at < bytes.size(); at += 3) bytes[at] ^= std::byte{0xa5};
    clip.packets[i].payload = Buffer(std::move(bytes));
  }
  clip.packets[65].payload = Buffer();
  RecordingSink sink;
  const auto engine = make_engine(ladder_of({rung("r", Codec::avc, 180)}), sink);
  feed(*engine, clip);
  engine->drain();
  EXPECT_GT(engine->stats().decode_errors, 0U);
  const auto pts = pts_of(sink["r"].packets);
  for (const int i : {0, 19, 20, 40, 59, 60, 64, 80, 99})
    EXPECT_TRUE(std::ranges::binary_search(pts, kClipBegin + i * kClipFrame)) << i;
  EXPECT_EQ(sync_pts_of(sink["r"].packets), clip.segment_starts);
}

TEST_P(EngineTest, ALostSegmentStartIsMadeUpForByTheNextPicture) {
  Clip clip = make_clip({.frames = 60});
  clip.packets[20].payload = Buffer();
  RecordingSink sink;
  const auto engine = make_engine(ladder_of({rung("r", Codec::avc, 180)}), sink);
  feed(*engine, clip);
  engine->drain();
  EXPECT_THAT(sync_pts_of(sink["r"].packets),
              ElementsAre(kClipBegin, kClipBegin + 40 * kClipFrame));
}

TEST_P(EngineTest, AnotherPictureSizeRebuildsTheRungsAndGoesOn) {
  const Clip large = make_clip({.frames = 40});
  const Clip small = make_clip({.pictures = "testsrc2=s=480x270:r=50,format=yuv420p",
                                .frames = 40,
                                .begin = kClipBegin + 40 * kClipFrame});
  RecordingSink sink;
  const auto engine =
      make_engine(ladder_of({rung("360p", Codec::avc, 360), rung("180p", Codec::avc, 180)}), sink);
  feed(*engine, large);
  feed(*engine, small);
  engine->drain();
  EXPECT_EQ(sink["180p"].packets.size(), 80U);
  EXPECT_EQ(sink["180p"].tracks.size(), 2U);
  EXPECT_EQ(sync_pts_of(sink["180p"].packets).size(), 4U);
  // The rung above the new source is left out, and said to be.
  EXPECT_EQ(sink["360p"].packets.size(), 40U);
  EXPECT_EQ(sink.notices("rung.left_out"), 1U);
}

TEST_P(EngineTest, ATrackThatOnlyTellsMoreRestartsNothing) {
  const Clip clip = make_clip({.frames = 40});
  RecordingSink sink;
  const auto engine = make_engine(ladder_of({rung("r", Codec::avc, 180)}), sink);
  ASSERT_TRUE(engine->track(clip.track).has_value());
  for (const auto& packet : clip.packets) {
    if (packet.pts.count == clip.segment_starts[1]) {
      ASSERT_TRUE(engine->track(std::make_shared<media::Track>(*clip.track)).has_value());
    }
    ASSERT_TRUE(engine->packet(packet, ladder::SegmentStart::no).has_value());
  }
  engine->drain();
  EXPECT_EQ(sink["r"].tracks.size(), 1U);
  EXPECT_THAT(sync_pts_of(sink["r"].packets), ElementsAre(kClipBegin));
}

TEST_P(EngineTest, ADiscontinuityBringsEverythingOutAndBeginsAnew) {
  const Clip clip = make_clip({.frames = 20});
  Clip later = make_clip({.frames = 20, .begin = kClipBegin + 1'000'000});
  auto moved = *later.track;
  moved.id = 7;  // another feed
  later.track = std::make_shared<media::Track>(moved);
  for (auto& packet : later.packets) packet.track = 7;
  RecordingSink sink;
  const auto engine = make_engine(ladder_of({rung("r", Codec::avc, 180)}), sink);
  feed(*engine, clip);
  engine->discontinuity();
  feed(*engine, later);
  engine->drain();
  EXPECT_EQ(sink["r"].packets.size(), 40U);
  EXPECT_EQ(sink["r"].tracks.size(), 2U);
}

TEST_P(EngineTest, DecodingBeginsAtASyncPacket) {
  Clip clip = make_clip({.frames = 40});
  clip.packets.erase(clip.packets.begin());
  RecordingSink sink;
  const auto engine = make_engine(ladder_of({rung("r", Codec::avc, 180)}), sink);
  feed(*engine, clip);
  engine->drain();
  EXPECT_EQ(sink["r"].packets.size(), 20U);
  EXPECT_EQ(engine->stats().dropped, 19U);
}

TEST_P(EngineTest, OversizedPicturesAndUnknownCodecsAreRefused) {
  const Clip clip = make_clip({.frames = 1});
  RecordingSink sink;
  const auto engine = make_engine(ladder_of({rung("r", Codec::avc, 180)}), sink);
  auto track = *clip.track;
  std::get<media::VideoFacts>(track.facts).width = 8194;
  auto refused = engine->track(std::make_shared<media::Track>(track));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Errc::limit);
  track = *clip.track;
  track.codec = Codec::avs3;
  refused = engine->track(std::make_shared<media::Track>(track));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Errc::unsupported);
}

TEST_P(EngineTest, ADeviceThatCannotBeHadIsNotReplacedInSilence) {
  RecordingSink sink;
  auto ladder = ladder_of({rung("r", Codec::avc, 180)});
  ladder.device = "nvidia:63";
  const auto engine = make(GetParam(), ladder, {}, sink);
  ASSERT_FALSE(engine.has_value());
}

TEST_P(EngineTest, ARungWhoseEncoderRefusesFailsAloneAndSaysSo) {
  const Clip clip = make_clip({.frames = 20});
  RecordingSink sink;
  auto bad = rung("bad", Codec::avc, 360);
  bad.preset = "nonsense";
  const auto engine = make_engine(ladder_of({bad, rung("good", Codec::avc, 180)}), sink);
  feed(*engine, clip);
  engine->drain();
  EXPECT_EQ(sink["good"].packets.size(), 20U);
  EXPECT_FALSE(sink.has("bad"));
  EXPECT_EQ(sink.notices("rung.failed"), 1U);
}

INSTANTIATE_TEST_SUITE_P(Each, EngineTest, testing::Values(Engine::ffmpeg, Engine::gstreamer),
                         [](const auto& row) { return name_of(row.param); });

}  // namespace
}  // namespace kapok::engines
