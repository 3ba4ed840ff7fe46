// What is made beside the rungs, of the pictures that either engine decodes.
#include <gmock/gmock.h>

#include "server/media/describe.hpp"
#include "transcoder/engines/engines_test.hpp"
#include "transcoder/ladder/encoder_header.hpp"
#include "transcoder/ladder/sample_nals.hpp"

namespace kapok::engines {
namespace {

using testing::ElementsAre;

class Services : public EngineTest {
 protected:
  void run(const ffmpeg::Clip& clip, const media::Ladder& ladder) {
    const auto engine = make_engine(ladder, sink);
    ffmpeg::feed(*engine, clip);
    engine->drain();
    for (const auto* event : {"images.failed", "overlay.failed", "picture.failed", "rung.failed"})
      EXPECT_EQ(sink.notices(event), 0U) << sink.all_notices();
  }
  ffmpeg::RecordingSink sink;
};

TEST_P(Services, EachSegmentHasAThumbnailAndTheFirstAPoster) {
  const auto clip = ffmpeg::make_clip({.frames = 40});
  run(clip, ladder_of({rung("r", Codec::avc, 180)}));
  std::vector<std::int64_t> pts;
  for (const auto& image : sink.images(media::ImageKind::thumbnail)) pts.push_back(image.pts.count);
  EXPECT_EQ(pts, clip.segment_starts);
  ASSERT_EQ(sink.images(media::ImageKind::poster).size(), 1U);
  EXPECT_EQ(sink.images(media::ImageKind::poster)[0].pts.count, clip.segment_starts[0]);
}

TEST_P(Services, AClockIsDrawnIntoRungsAndNotIntoWhatAnOperatorsGraphGets) {
  const auto clip = ffmpeg::make_clip({.frames = 20});
  auto ladder = ladder_of({rung("r", Codec::avc, 360)});
  ladder.clock = true;
  if (GetParam() == Engine::gstreamer) {
    auto own = rung("own", Codec::avc, 360);
    own.bin = "x264enc speed-preset=ultrafast bitrate=4000 key-int-max=1073741824";
    ladder.video.push_back(own);
  }
  run(clip, ladder);
  const auto corner = [](const std::vector<ffmpeg::FramePtr>& pictures) {
    return ffmpeg::filtered(pictures, "crop=200:32:0:320");
  };
  const auto source = corner(ffmpeg::decode(*clip.track, clip.packets));
  const auto drawn = corner(ffmpeg::decode(*sink["r"].tracks.at(0), sink["r"].packets));
  EXPECT_LT(ffmpeg::psnr(drawn, source), 15);
  if (GetParam() == Engine::ffmpeg) return;
  ASSERT_TRUE(sink.has("own")) << sink.all_notices();
  const auto plain = corner(ffmpeg::decode(*sink["own"].tracks.at(0), sink["own"].packets));
  EXPECT_GT(ffmpeg::psnr(plain, source), 25);
}

TEST_P(Services, ABlackStretchIsFoundWithItsTimes) {
  const auto clip = ffmpeg::make_clip(
      {.pictures = "testsrc2=s=320x180:r=50:d=1[a];color=black:s=320x180:r=50:d=2[b];"
                   "testsrc2=s=320x180:r=50:d=1[c];[a][b][c]concat=n=3,format=yuv420p",
       .frames = 200,
       .segment = 50});
  auto ladder = ladder_of({rung("r", Codec::avc, 90)});
  ladder.detect.black = std::chrono::seconds(1);
  run(clip, ladder);
  std::vector<media::AnomalyEvent> ended;
  std::ranges::copy_if(sink.anomalies(), std::back_inserter(ended),
                       [](const auto& event) { return event.state == media::AnomalyState::ended; });
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended[0].kind, media::Anomaly::black);
  const auto begin = media::to_microseconds({ffmpeg::kClipBegin}, ffmpeg::kClipTimescale);
  EXPECT_NEAR(std::chrono::duration<double>(ended[0].from - begin).count(), 1, 0.15);
  EXPECT_NEAR(std::chrono::duration<double>(ended[0].to - begin).count(), 3, 0.15);
}

// 25 frames of two fields a second, as a camera gives them.
ffmpeg::Clip interlaced_clip(int frames) {
  const auto pictures = ffmpeg::make_pictures(
      "testsrc2=s=640x360:r=50,interlace=lowpass=0:scan=tff,format=yuv420p", frames);
  const AVCodec* codec = avcodec_find_encoder_by_name("libx264");
  const ffmpeg::ContextPtr context(avcodec_alloc_context3(codec));
  context->width = pictures[0]->width;
  context->height = pictures[0]->height;
  context->pix_fmt = AV_PIX_FMT_YUV420P;
  context->time_base = {1, 25};
  context->max_b_frames = 0;
  context->flags |=
      AV_CODEC_FLAG_INTERLACED_DCT | AV_CODEC_FLAG_INTERLACED_ME | AV_CODEC_FLAG_GLOBAL_HEADER;
  EXPECT_EQ(avcodec_open2(context.get(), codec, nullptr), 0);
  const auto extradata =
      as_bytes(context->extradata, static_cast<std::size_t>(context->extradata_size));
  const auto header = ladder::read_header(
      Codec::avc, ladder::length_prefixed(Codec::avc, extradata, ladder::ParameterSetsIn::keep));
  ffmpeg::Clip clip;
  clip.track = media::describe_track({.id = 1,
                                      .codec = Codec::avc,
                                      .timescale = ffmpeg::kClipTimescale,
                                      .config = header.value().config,
                                      .language = {}})
                   .value();
  clip.segment_starts = {ffmpeg::kClipBegin};
  const auto receive = [&] {
    while (true) {
      const auto packet = ffmpeg::make_packet();
      if (avcodec_receive_packet(context.get(), packet.get()) < 0) return;
      const auto bytes = as_bytes(packet->data, static_cast<std::size_t>(packet->size));
      media::Packet made;
      made.track = 1;
      made.duration = {2 * ffmpeg::kClipFrame};
      made.pts = made.dts = {ffmpeg::kClipBegin + packet->pts * made.duration.count};
      made.sync = (packet->flags & AV_PKT_FLAG_KEY) != 0;
      made.payload =
          Buffer(ladder::length_prefixed(Codec::avc, bytes, ladder::ParameterSetsIn::leave_out));
      clip.packets.push_back(std::move(made));
    }
  };
  for (int i = 0; i < frames; ++i) {
    AVFrame& frame = *pictures[static_cast<std::size_t>(i)];
    frame.pts = i;
    frame.interlaced_frame = 1;
    frame.top_field_first = 1;
    EXPECT_EQ(avcodec_send_frame(context.get(), &frame), 0);
    receive();
  }
  avcodec_send_frame(context.get(), nullptr);
  receive();
  return clip;
}

TEST_P(Services, InterlacedPicturesBecomeProgressiveOnes) {
  const auto clip = interlaced_clip(30);
  ASSERT_TRUE(clip.track->video()->interlaced);
  run(clip, ladder_of({rung("r", Codec::avc, 360)}));
  EXPECT_EQ(ffmpeg::pts_of(sink["r"].packets), ffmpeg::pts_of(clip.packets));
  EXPECT_FALSE(sink["r"].tracks.at(0)->video()->interlaced);
  auto made = ffmpeg::decode(*sink["r"].tracks[0], sink["r"].packets);
  auto woven = ffmpeg::decode(*clip.track, clip.packets);
  const auto expected = ffmpeg::filtered(woven, "bwdif=mode=send_frame");
  made.resize(expected.size());  // the filter keeps the last one
  woven.resize(expected.size());
  EXPECT_GT(ffmpeg::psnr(made, expected), 35);
  EXPECT_LT(ffmpeg::psnr(made, woven), 33);
}

INSTANTIATE_TEST_SUITE_P(Each, Services, testing::Values(Engine::ffmpeg, Engine::gstreamer),
                         [](const auto& row) { return name_of(row.param); });

}  // namespace
}  // namespace kapok::engines
