// 4K and 8K as broadcasters send them, a few frames of each: sizes, depth, colour, light and GOPs
// of what comes out, read from the bitstreams.
#include <gtest/gtest.h>

#include "transcoder/ffmpeg/clip_test.hpp"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define KAPOK_SANITIZED
#endif
#endif

namespace kapok::ffmpeg {
namespace {

using media::Codec;

Clip main10_clip(const std::string& size, int frames, const media::VideoFacts& facts) {
  return make_clip({.codec = Codec::hevc,
                    .pictures = "testsrc2=s=" + size + ":r=50,format=yuv420p10le",
                    .frames = frames,
                    .segment = 2,
                    .facts = facts});
}

media::VideoRung hdr_rung(std::string name, std::uint32_t height) {
  media::VideoRung made = rung(std::move(name), Codec::hevc, height);
  made.range = media::RungRange::keep;
  made.bit_depth = 10;
  return made;
}

media::VideoFacts hlg_facts() {
  media::VideoFacts facts;
  facts.colour = {.primaries = 9, .transfer = 18, .matrix = 9};
  return facts;
}

struct Expected {
  std::uint32_t width;
  std::uint32_t height;
  media::VideoFacts facts;
};

void expect_rung(const Clip& clip, const RecordingSink::Rung& made, const Expected& expected) {
  ASSERT_EQ(made.tracks.size(), 1U);
  EXPECT_EQ(pts_of(made.packets), pts_of(clip.packets));
  EXPECT_EQ(sync_pts_of(made.packets), clip.segment_starts);
  const media::VideoFacts& facts = *made.tracks[0]->video();
  EXPECT_EQ(facts.width, expected.width);
  EXPECT_EQ(facts.height, expected.height);
  EXPECT_EQ(facts.bit_depth, expected.facts.bit_depth);
  EXPECT_EQ(facts.colour, expected.facts.colour);
  EXPECT_EQ(facts.mastering, expected.facts.mastering);
  EXPECT_EQ(facts.light, expected.facts.light);
  const auto pictures = decode(*made.tracks[0], made.packets);
  ASSERT_EQ(pictures.size(), clip.packets.size());
  for (const auto& picture : pictures) {
    EXPECT_EQ(picture->width, static_cast<int>(expected.width));
    EXPECT_EQ(picture->format,
              expected.facts.bit_depth == 10 ? AV_PIX_FMT_YUV420P10LE : AV_PIX_FMT_YUV420P);
    EXPECT_EQ(picture->color_trc, expected.facts.colour.transfer);
  }
}

TEST(Uhd, FourKOfEitherRangeGoesDownTheLadder) {
  for (media::VideoFacts facts : {hdr10_facts(), hlg_facts()}) {
    SCOPED_TRACE(static_cast<int>(facts.colour.transfer));
    const Clip clip = main10_clip("3840x2160", 4, facts);
    ASSERT_EQ(clip.track->video()->width, 3840U);
    ASSERT_EQ(clip.track->video()->bit_depth, 10);
    media::Ladder ladder;
    ladder.name = "test";
    ladder.video = {hdr_rung("1080p-hdr", 1080), rung("720p", Codec::avc, 720)};
    RecordingSink sink;
    const auto engine =
        make_engine(ladder, {.pace = ladder::Pace::file, .threads = 2}, sink).value();
    feed(*engine, clip);
    engine->drain();
    SCOPED_TRACE(sink.all_notices());
    facts.bit_depth = 10;
    expect_rung(clip, sink["1080p-hdr"], {1920, 1080, facts});
    media::VideoFacts sdr;
    sdr.colour = {1, 1, 1, false};
    expect_rung(clip, sink["720p"], {1280, 720, sdr});
    EXPECT_EQ(engine->stats().decode_errors, 0U);
  }
}

// Our code does in it what it does for 4K; what takes longer is inside the media libraries, which
// no sanitizer sees.
#if !defined(KAPOK_SANITIZED)
TEST(Uhd, EightKGoesDownTheLadder) {
  media::VideoFacts facts = hdr10_facts();
  const Clip clip = main10_clip("7680x4320", 2, facts);
  ASSERT_EQ(clip.track->video()->height, 4320U);
  media::Ladder ladder;
  ladder.name = "test";
  ladder.video = {hdr_rung("1080p-hdr", 1080)};
  RecordingSink sink;
  const auto engine = make_engine(ladder, {.pace = ladder::Pace::file, .threads = 2}, sink).value();
  feed(*engine, clip);
  engine->drain();
  SCOPED_TRACE(sink.all_notices());
  facts.bit_depth = 10;
  expect_rung(clip, sink["1080p-hdr"], {1920, 1080, facts});
}
#endif

}  // namespace
}  // namespace kapok::ffmpeg
