// Codecs of others that fail, which libavcodec then takes the place of. Those here are libavcodec's
// own with an end.
#include "transcoder/ffmpeg/codecs.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "transcoder/ffmpeg/clip_test.hpp"
#include "transcoder/ffmpeg/video_decoder.hpp"
#include "transcoder/ffmpeg/video_encoder.hpp"

namespace kapok::ffmpeg {
namespace {

class EndingDecoder final : public PictureDecoder {
 public:
  EndingDecoder(std::unique_ptr<PictureDecoder> decoder, int lasts)
      : decoder_(std::move(decoder)), left_(lasts) {}
  void decode(const media::Packet& packet, ladder::SegmentStart start) override {
    if (left_-- > 0)
      decoder_->decode(packet, start);
    else
      lost_ = Error{.code = Errc::internal, .message = "decoderx: unplugged"};
  }
  void flush() override { decoder_->flush(); }
  bool is_on_device() const override { return false; }
  const std::optional<Error>& lost() const override { return lost_; }

 private:
  std::unique_ptr<PictureDecoder> decoder_;
  int left_;
  std::optional<Error> lost_;
};

class EndingEncoder final : public PictureEncoder {
 public:
  EndingEncoder(std::unique_ptr<PictureEncoder> encoder, int lasts)
      : encoder_(std::move(encoder)), left_(lasts) {}
  Result<void> encode(Picture picture) override {
    if (left_-- > 0) return encoder_->encode(std::move(picture));
    return fail(Errc::internal, "encoderx: unplugged");
  }
  Result<void> finish() override { return encoder_->finish(); }

 private:
  std::unique_ptr<PictureEncoder> encoder_;
  int left_;
};

// So many packets and pictures; 0: there is none.
struct Lasts {
  int decoder = INT_MAX;
  int encoder = INT_MAX;
};
class EndingCodecs final : public Codecs {
 public:
  explicit EndingCodecs(Lasts lasts) : lasts_(lasts) {}
  std::string device() const override { return "x"; }
  Result<std::unique_ptr<PictureDecoder>> decoder(std::shared_ptr<const media::Track> track,
                                                  unsigned threads, Counters& counters,
                                                  OnPicture out) const override {
    if (lasts_.decoder == 0) return fail(Errc::unsupported, "decoderx: not there");
    return std::make_unique<EndingDecoder>(
        KAPOK_TRY(VideoDecoder::open(*track, threads, counters, std::move(out))), lasts_.decoder);
  }
  Result<std::unique_ptr<PictureEncoder>> encoder(const VideoRungSetup& setup, const AVFrame& first,
                                                  const media::VideoFacts& source,
                                                  ladder::RungSink& sink,
                                                  RungCounters& counters) const override {
    if (lasts_.encoder == 0) return fail(Errc::unsupported, "encoderx: not there");
    return std::make_unique<EndingEncoder>(
        KAPOK_TRY(VideoEncoder::open(setup, first, source, sink, counters)), lasts_.encoder);
  }
  bool leaves_out(const media::VideoRung&) const override { return false; }

 private:
  Lasts lasts_;
};

class CodecsOfOthers : public testing::Test {
 protected:
  // 60 pictures in segments of 20, whose encoders hold nothing back.
  void run(Lasts lasts) {
    clip = make_clip({});
    media::Ladder ladder;
    ladder.name = "test";
    ladder.video = {rung("r", media::Codec::avc, 180)};
    ladder.video[0].tune = "zerolatency";
    const auto engine = make_engine(ladder, {.pace = ladder::Pace::file, .threads = 1}, sink,
                                    {.codecs = std::make_unique<EndingCodecs>(lasts)})
                            .value();
    feed(*engine, clip);
    engine->drain();
    EXPECT_EQ(engine->stats().device, "x");
  }
  // Of one that ended with its 25th picture, in the second segment.
  void expect_another_from_the_third_segment_on() {
    auto expected = pts_of(clip.packets);
    expected.erase(expected.begin() + 25, expected.begin() + 40);
    EXPECT_EQ(pts_of(sink["r"].packets), expected);
    EXPECT_EQ(sync_pts_of(sink["r"].packets), clip.segment_starts);
    EXPECT_EQ(sink.notices("device.failed"), 1U);
    EXPECT_EQ(sink.notices("rung.failed"), 0U);
  }
  Clip clip;
  RecordingSink sink;
};

TEST_F(CodecsOfOthers, ThatAreNotThereAreReplacedAtOnceAndThisIsSaid) {
  run({.decoder = 0, .encoder = 0});
  EXPECT_EQ(pts_of(sink["r"].packets), pts_of(clip.packets));
  EXPECT_THAT(sink.all_notices(), testing::HasSubstr("decoderx: not there; libavcodec decodes"));
  EXPECT_THAT(sink.all_notices(),
              testing::HasSubstr("r: encoderx: not there; libavcodec encodes it"));
  EXPECT_EQ(sink.notices("codec.replaced"), 2U);
}

TEST_F(CodecsOfOthers, AnEncoderThatFailsIsReplacedAtTheNextSegment) {
  run({.encoder = 25});
  expect_another_from_the_third_segment_on();
  EXPECT_EQ(sink["r"].tracks.size(), 2U);
}

TEST_F(CodecsOfOthers, ADecoderThatFailsIsReplacedAtTheNextSegment) {
  run({.decoder = 25});
  expect_another_from_the_third_segment_on();
}

}  // namespace
}  // namespace kapok::ffmpeg
