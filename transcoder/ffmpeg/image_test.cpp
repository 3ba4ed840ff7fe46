#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <condition_variable>

#include "server/media/jpeg_sheet.hpp"
#include "transcoder/ffmpeg/clip_test.hpp"
#include "transcoder/ffmpeg/graph_text.hpp"
#include "transcoder/ffmpeg/image_maker.hpp"

namespace kapok::ffmpeg {
namespace {

using media::ImageKind;

media::Ladder ladder_of(std::vector<media::VideoRung> rungs) {
  media::Ladder ladder;
  ladder.name = "test";
  ladder.video = std::move(rungs);
  return ladder;
}

void run(const Clip& clip, const media::Ladder& ladder, RecordingSink& sink) {
  const auto engine = make_engine(ladder, {.pace = ladder::Pace::file, .threads = 2}, sink).value();
  feed(*engine, clip);
  engine->drain();
  EXPECT_EQ(sink.notices("images.failed"), 0U) << sink.all_notices();
}

// As any JPEG decoder has it.
FramePtr decoded(const media::Image& image) {
  ContextPtr context(avcodec_alloc_context3(avcodec_find_decoder(AV_CODEC_ID_MJPEG)));
  EXPECT_GE(avcodec_open2(context.get(), nullptr, nullptr), 0);
  const PacketPtr packet = make_packet();
  EXPECT_GE(av_new_packet(packet.get(), static_cast<int>(image.jpeg.size())), 0);
  std::ranges::copy(image.jpeg.bytes(), reinterpret_cast<std::byte*>(packet->data));
  FramePtr frame = make_frame();
  EXPECT_GE(avcodec_send_packet(context.get(), packet.get()), 0);
  EXPECT_GE(avcodec_receive_frame(context.get(), frame.get()), 0);
  EXPECT_EQ(frame->width, static_cast<int>(image.width));
  EXPECT_EQ(frame->height, static_cast<int>(image.height));
  return frame;
}

double likeness(const media::Image& image, const FramePtr& source, const std::string& filters) {
  std::vector<FramePtr> a;
  std::vector<FramePtr> b;
  a.push_back(decoded(image));
  std::vector<FramePtr> one;
  one.push_back(share(*source));
  b = filtered(one, filters);
  return psnr(a, b);
}

std::string to_jpeg(int width, int height) {
  return fmt::format(
      "scale={}:{}:flags=bicubic:out_color_matrix=bt601:out_range=pc,format=yuvj420p", width,
      height);
}

TEST(Images, EachSegmentHasAThumbnailOfItsFirstFrame) {
  const Clip clip = make_clip({.frames = 100, .segment = 20});
  RecordingSink sink;
  run(clip, ladder_of({rung("r", media::Codec::avc, 180)}), sink);
  const auto source = decode(*clip.track, clip.packets);
  const auto thumbnails = sink.images(ImageKind::thumbnail);
  ASSERT_EQ(thumbnails.size(), clip.segment_starts.size());
  for (std::size_t i = 0; i < thumbnails.size(); ++i) {
    EXPECT_EQ(thumbnails[i].pts.count, clip.segment_starts[i]);
    EXPECT_EQ(thumbnails[i].timescale, kClipTimescale);
    EXPECT_EQ(thumbnails[i].width, 312U);
    EXPECT_EQ(thumbnails[i].height, 176U);
    EXPECT_GT(likeness(thumbnails[i], source[20 * i], to_jpeg(312, 176)), 30);
    EXPECT_LT(likeness(thumbnails[i], source[(20 * i + 40) % 100], to_jpeg(312, 176)), 26);
  }
}

TEST(Images, APosterComesAtOnceAndThenWheneverItIsDue) {
  const Clip clip = make_clip({.frames = 100, .segment = 10});  // of 200 ms
  media::Ladder ladder = ladder_of({rung("r", media::Codec::avc, 180)});
  ladder.poster.interval = seconds(1);
  ladder.poster.side = 480;
  ladder.thumbnails.enabled = false;
  RecordingSink sink;
  run(clip, ladder, sink);
  const auto posters = sink.images(ImageKind::poster);
  ASSERT_EQ(posters.size(), 2U);
  EXPECT_EQ(posters[0].pts.count, kClipBegin);
  EXPECT_EQ(posters[1].pts.count, kClipBegin + kClipTimescale);
  EXPECT_EQ(posters[0].width, 480U);
  EXPECT_EQ(posters[0].height, 270U);
  EXPECT_TRUE(sink.images(ImageKind::thumbnail).empty());
}

// Each plane, sample for sample.
void expect_rows(const AVFrame& sheet, const AVFrame& row, int index) {
  for (int plane = 0; plane < 3; ++plane) {
    const int shift = plane == 0 ? 0 : 1;
    const int lines = row.height >> shift;
    const int samples = row.width >> shift;
    for (int line = 0; line < lines; ++line) {
      const std::uint8_t* a = sheet.data[plane] + sheet.linesize[plane] * (index * lines + line);
      const std::uint8_t* b = row.data[plane] + row.linesize[plane] * line;
      ASSERT_TRUE(std::equal(a, a + samples, b)) << "row " << index << ", plane " << plane;
    }
  }
}

TEST(Images, ThumbnailsJoinToASheetOfTheSamePictures) {
  // Each is another picture, flat and noisy ones among them: other tables would fit each better.
  const Clip clip = make_clip({.pictures = "testsrc2=s=640x360:r=50,noise=alls=60:allf=t:enable="
                                           "'between(n,40,90)',format=yuv420p",
                               .frames = 120,
                               .segment = 10});
  for (const std::uint32_t side : {320U, 256U, 100U}) {
    media::Ladder ladder = ladder_of({rung("r", media::Codec::avc, 90)});
    ladder.thumbnails.side = side;
    ladder.poster.enabled = false;
    RecordingSink sink;
    run(clip, ladder, sink);
    const auto thumbnails = sink.images(ImageKind::thumbnail);
    ASSERT_EQ(thumbnails.size(), 12U);
    std::vector<Buffer> jpegs;
    std::size_t bytes = 0;
    for (const auto& thumbnail : thumbnails) {
      EXPECT_EQ(thumbnail.height % media::kSheetRowStep, 0U);
      EXPECT_LE(thumbnail.width, side);
      jpegs.push_back(thumbnail.jpeg);
      bytes += thumbnail.jpeg.size();
    }
    const auto joined = media::join_jpegs(jpegs);
    ASSERT_TRUE(joined) << joined.error().message;
    EXPECT_LT(joined->size(), bytes);
    media::Image image = thumbnails[0];
    image.height *= 12;
    image.jpeg = *joined;
    const FramePtr sheet = decoded(image);
    for (int i = 0; i < 12; ++i)
      expect_rows(*sheet, *decoded(thumbnails[static_cast<std::size_t>(i)]), i);
  }
}

TEST(Images, ATileIsAsHighAsWholeRowsOfBlocks) {
  media::VideoFacts facts;
  facts.width = 3840;
  facts.height = 2160;
  EXPECT_EQ(tile_size(facts, 320), (ImageSize{312, 176}));
  EXPECT_EQ(tile_size(facts, 256), (ImageSize{256, 144}));
  facts.width = 2160;
  facts.height = 3840;
  EXPECT_EQ(tile_size(facts, 320), (ImageSize{180, 320}));
  facts.width = 720;
  facts.height = 576;
  facts.sample_aspect = {64, 45};
  EXPECT_EQ(tile_size(facts, 320), (ImageSize{312, 176}));
  facts.sample_aspect = {1, 1};
  facts.width = 100;
  facts.height = 60;
  EXPECT_EQ(tile_size(facts, 320), (ImageSize{80, 48})) << "not enlarged";
  facts.width = 8192;
  facts.height = 64;
  EXPECT_EQ(tile_size(facts, 320), (ImageSize{320, 16}));
}

TEST(Images, ASmallSourceIsNotEnlargedAndWidePixelsBecomeSquare) {
  media::VideoFacts facts;
  facts.width = 640;
  facts.height = 360;
  EXPECT_EQ(image_size(facts, 1280), (ImageSize{640, 360}));
  facts.width = 720;
  facts.height = 576;
  facts.sample_aspect = {64, 45};
  EXPECT_EQ(image_size(facts, 320), (ImageSize{320, 180}));
  facts.width = 1080;
  facts.height = 1920;
  facts.sample_aspect = {1, 1};
  EXPECT_EQ(image_size(facts, 320), (ImageSize{180, 320}));
  facts.width = 8192;
  facts.height = 64;
  EXPECT_EQ(image_size(facts, 320), (ImageSize{320, 16}));
}

// The colour as it was meant, out of the JPEG's own matrix and range.
std::array<int, 3> colour_of(const media::Image& image) {
  std::vector<FramePtr> one;
  one.push_back(decoded(image));
  const auto rgb = filtered(one, "scale=in_color_matrix=bt601:in_range=pc,format=rgb24");
  const AVFrame& frame = *rgb.at(0);
  const std::uint8_t* at =
      frame.data[0] + frame.linesize[0] * (frame.height / 2) + 3 * (frame.width / 2);
  return {at[0], at[1], at[2]};
}

TEST(Images, ColoursOfHdAreThoseOfThePicture) {
  const Clip clip =
      make_clip({.pictures = "color=c=0xC03020:s=1280x720:r=50,format=gbrp,"
                             "scale=out_color_matrix=bt709:out_range=tv,format=yuv420p",
                 .frames = 2});
  RecordingSink sink;
  run(clip, ladder_of({rung("r", media::Codec::avc, 180)}), sink);
  for (const auto& image :
       {sink.images(ImageKind::poster).at(0), sink.images(ImageKind::thumbnail).at(0)}) {
    const auto [red, green, blue] = colour_of(image);
    EXPECT_NEAR(red, 0xc0, 4);
    EXPECT_NEAR(green, 0x30, 4);
    EXPECT_NEAR(blue, 0x20, 4);
  }
}

TEST(Images, HdrIsToneMappedWhetherThereIsAnSdrRungOrNot) {
  const Clip clip = make_clip({.codec = media::Codec::hevc,
                               .pictures = "testsrc2=s=640x360:r=50,format=yuv420p10le",
                               .frames = 2,
                               .segment = 10,
                               .facts = hdr10_facts()});
  const auto source = decode(*clip.track, clip.packets);
  auto keep = rung("hdr", media::Codec::hevc, 180);
  keep.range = media::RungRange::keep;
  keep.bit_depth = 10;
  const std::string to_bt601 =
      ":in_color_matrix=bt709:out_color_matrix=bt601:out_range=pc,format=yuvj420p";
  const std::string small = "scale=312:176:flags=bicubic";
  const std::string tones = tone_text(hdr10_facts());
  struct Case {
    media::VideoRung rung;
    std::string filters;
  };
  // With an SDR rung its picture is the one that is scaled.
  for (const Case& made :
       {Case{keep, small + "," + tones + ",scale=312:176" + to_bt601},
        Case{rung("sdr", media::Codec::avc, 360), tones + ",format=yuv420p," + small + to_bt601}}) {
    RecordingSink sink;
    run(clip, ladder_of({made.rung}), sink);
    const auto thumbnails = sink.images(ImageKind::thumbnail);
    ASSERT_EQ(thumbnails.size(), 1U);
    EXPECT_GT(likeness(thumbnails[0], source[0], made.filters), 30) << made.rung.name;
    EXPECT_LT(likeness(thumbnails[0], source[0], to_jpeg(312, 176)), 22) << made.rung.name;
  }
}

// Takes no image until told to.
class NoImagesSink final : public ladder::RungSink {
 public:
  void track(std::string_view rung, std::shared_ptr<const media::Track> track) override {
    recorded.track(rung, std::move(track));
  }
  void packet(std::string_view rung, media::Packet packet) override {
    const std::lock_guard lock(mutex_);
    recorded.packet(rung, std::move(packet));
    ++packets_;
    changed_.notify_all();
  }
  void image(media::Image image) override {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return released_; });
    recorded.image(std::move(image));
  }
  void anomaly(const media::AnomalyEvent&) override {}
  void notice(LogLevel level, std::string_view event, std::string_view text) override {
    recorded.notice(level, event, text);
  }
  void release() {
    const std::lock_guard lock(mutex_);
    released_ = true;
    changed_.notify_all();
  }
  // A bound for broken code only.
  bool wait_for(std::size_t packets) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::minutes(2), [&] { return packets_ >= packets; });
  }
  RecordingSink recorded;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t packets_ = 0;
  bool released_ = false;
};

TEST(Images, LateOnesAreLeftOutAndHoldNoRungBack) {
  const Clip clip = make_clip(
      {.pictures = "testsrc2=s=320x180:r=50,format=yuv420p", .frames = 400, .segment = 10});
  NoImagesSink sink;
  const auto engine = make_engine(ladder_of({rung("r", media::Codec::avc, 90)}),
                                  {.pace = ladder::Pace::live, .threads = 1}, sink)
                          .value();
  ASSERT_TRUE(engine->track(clip.track));
  std::size_t given = 0;
  for (const auto& packet : clip.packets) {
    const auto start = clip.starts(packet) ? ladder::SegmentStart::yes : ladder::SegmentStart::no;
    ASSERT_TRUE(engine->packet(packet, start));
    // As a live source would: no faster than the rung keeps up. Encoders hold some back.
    constexpr std::size_t kInside = 30;
    if (++given > kInside) ASSERT_TRUE(sink.wait_for(given - kInside));
  }
  sink.release();
  engine->drain();
  EXPECT_EQ(pts_of(sink.recorded["r"].packets), pts_of(clip.packets));
  EXPECT_EQ(engine->stats().rungs[0].shed, 0U);
  // The one that was held and the one that waited, and the last ones.
  const auto thumbnails = sink.recorded.images(ImageKind::thumbnail);
  EXPECT_GE(thumbnails.size(), 2U);
  EXPECT_LE(thumbnails.size(), 6U);
  EXPECT_EQ(thumbnails[0].pts.count, clip.segment_starts[0]);
}

}  // namespace
}  // namespace kapok::ffmpeg
