#include "server/picture/vod/cutter.hpp"

#include <gtest/gtest.h>

namespace kapok::vod {
namespace {

constexpr media::Timescale kVideo = 90'000;
constexpr std::int64_t kFrame = 3'600;
constexpr media::Timescale kAudio = 48'000;

std::shared_ptr<const media::Track> track(media::TrackKind kind, media::Timescale timescale) {
  media::Track made;
  made.kind = kind;
  made.timescale = timescale;
  return std::make_shared<const media::Track>(std::move(made));
}

media::Packet packet(std::int64_t pts, std::int64_t duration, bool sync) {
  media::Packet made;
  made.pts = made.dts = {pts};
  made.duration = {duration};
  made.sync = sync;
  made.payload = Buffer::copy_of("x");
  return made;
}

Boundaries every_second(std::uint64_t first, int count) {
  Boundaries boundaries(first);
  for (int i = 0; i < count; ++i) EXPECT_TRUE(boundaries.add(seconds(10 + i)));
  return boundaries;
}

// 25 frames a second, a sync packet each second.
void feed(Cutter& cutter, int from_frame, int to_frame, std::vector<CutSegment>& out) {
  for (int i = from_frame; i < to_frame; ++i)
    ASSERT_TRUE(cutter.append(packet(10 * kVideo + i * kFrame, kFrame, i % 25 == 0), out));
}

TEST(Boundaries, KnowWhichSegmentBeginsAtATime) {
  const Boundaries boundaries = every_second(5, 3);
  EXPECT_EQ(boundaries.number_at(seconds(10)), 5U);
  EXPECT_EQ(boundaries.number_at(seconds(12) - microseconds(11)), 7U);
  for (const nanoseconds none : {nanoseconds(0), nanoseconds(milliseconds(10'500)),
                                 nanoseconds(milliseconds(11'990)), nanoseconds(seconds(13))})
    EXPECT_FALSE(boundaries.number_at(none)) << none.count();
}

TEST(Cutter, CutsPicturesAtTheSyncPacketOfEachBoundary) {
  const Boundaries boundaries = every_second(1, 3);
  Cutter cutter(track(media::TrackKind::video, kVideo), boundaries);
  std::vector<CutSegment> out;
  feed(cutter, 0, 75, out);
  EXPECT_EQ(out.size(), 2U) << "the last one is open";
  cutter.finish(out);
  ASSERT_EQ(out.size(), 3U);
  for (std::size_t i = 0; i < out.size(); ++i) {
    EXPECT_EQ(out[i].number, i + 1);
    EXPECT_EQ(out[i].start.count, static_cast<std::int64_t>(10 + i) * kVideo);
    EXPECT_EQ(out[i].duration.count, kVideo);
    EXPECT_EQ(out[i].samples.size(), 25U);
    EXPECT_TRUE(out[i].samples.front().sync);
  }
  EXPECT_EQ(cutter.next(), 4U);
}

TEST(Cutter, CutsSoundAtTheFrameThatIsMostlyBehindTheBoundary) {
  const Boundaries boundaries = every_second(1, 2);
  Cutter cutter(track(media::TrackKind::audio, kAudio), boundaries);
  std::vector<CutSegment> out;
  std::int64_t samples = 0;
  // Before the begin, too: the delay of an encoder.
  for (int i = -3; i < 93; ++i)
    ASSERT_TRUE(cutter.append(packet(10 * kAudio + i * 1024, 1024, true), out));
  cutter.finish(out);
  ASSERT_EQ(out.size(), 2U);
  EXPECT_EQ(out[0].start.count, 10 * kAudio);
  EXPECT_NEAR(static_cast<double>(out[1].start.count), 11.0 * kAudio, 512);
  EXPECT_EQ(out[1].start, out[0].start + out[0].duration);
  for (const CutSegment& segment : out)
    for (const cmaf::Sample& sample : segment.samples) samples += sample.duration.count;
  EXPECT_EQ(samples, 93 * 1024);
}

TEST(Cutter, GoesOnBehindWhatIsThereAndDropsWhatComesBefore) {
  Boundaries boundaries(2);
  ASSERT_TRUE(boundaries.add(seconds(11)));
  ASSERT_TRUE(boundaries.add(seconds(12)));
  Cutter cutter(track(media::TrackKind::video, kVideo), boundaries);
  std::vector<CutSegment> out;
  feed(cutter, 0, 75, out);
  cutter.finish(out);
  ASSERT_EQ(out.size(), 2U);
  EXPECT_EQ(out[0].number, 2U);
  EXPECT_EQ(out[0].samples.size(), 25U);
  EXPECT_EQ(out[1].number, 3U);
}

TEST(Cutter, MakesGapsOfSegmentsThatHaveNothing) {
  const Boundaries boundaries = every_second(1, 4);
  Cutter cutter(track(media::TrackKind::video, kVideo), boundaries);
  std::vector<CutSegment> out;
  feed(cutter, 0, 25, out);
  feed(cutter, 75, 100, out);
  cutter.finish(out);
  ASSERT_EQ(out.size(), 4U);
  for (const std::size_t gap : {1U, 2U}) {
    EXPECT_TRUE(out[gap].samples.empty());
    EXPECT_EQ(out[gap].start.count, static_cast<std::int64_t>(10 + gap) * kVideo);
    EXPECT_EQ(out[gap].duration.count, kVideo);
  }
  EXPECT_EQ(out[0].duration.count, kVideo) << "no longer than its pictures";
  EXPECT_EQ(out[3].samples.size(), 25U);
}

TEST(Cutter, OfNothingMakesGapsAlone) {
  const Boundaries boundaries = every_second(1, 2);
  Cutter cutter(track(media::TrackKind::audio, kAudio), boundaries);
  std::vector<CutSegment> out;
  cutter.finish(out);
  ASSERT_EQ(out.size(), 2U);
  EXPECT_TRUE(out[0].samples.empty());
  EXPECT_TRUE(out[1].samples.empty());
}

TEST(Cutter, KeepsDecodeTimesRising) {
  Boundaries boundaries(1);
  ASSERT_TRUE(boundaries.add(seconds(10)));
  EXPECT_FALSE(boundaries.add(seconds(10)));
  Cutter cutter(track(media::TrackKind::video, kVideo), boundaries);
  std::vector<CutSegment> out;
  ASSERT_TRUE(cutter.append(packet(10 * kVideo, kFrame, true), out));
  ASSERT_TRUE(cutter.append(packet(10 * kVideo, kFrame, true), out));
  media::Packet early = packet(10 * kVideo, kFrame, true);
  early.dts = {-1};
  EXPECT_FALSE(cutter.append(early, out));
  cutter.finish(out);
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(out[0].samples[1].dts.count, 10 * kVideo + 1);
}

}  // namespace
}  // namespace kapok::vod
