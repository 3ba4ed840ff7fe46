#include "transcoder/ffmpeg/audio_lane.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "server/media/describe.hpp"
#include "transcoder/ffmpeg/clip_test.hpp"

namespace kapok::ffmpeg {
namespace {

constexpr int kRate = 48000;
constexpr std::int64_t kFrame = 1024;

struct Sound {
  std::shared_ptr<const media::Track> track;
  std::vector<media::Packet> packets;
};

// A click (a short burst) every half second, on the half second, in silence: where it stands tells
// how far sound is from its time.
FramePtr click_frame(std::int64_t at, int samples) {
  FramePtr frame = make_frame();
  frame->format = AV_SAMPLE_FMT_FLTP;
  frame->nb_samples = samples;
  frame->sample_rate = kRate;
  frame->pts = at;
  av_channel_layout_default(&frame->ch_layout, 2);
  if (av_frame_get_buffer(frame.get(), 0) < 0) throw std::bad_alloc();
  for (int channel = 0; channel < 2; ++channel) {
    auto* out = reinterpret_cast<float*>(frame->extended_data[channel]);
    for (int i = 0; i < samples; ++i) {
      const std::int64_t phase = (at + i) % (kRate / 2);
      constexpr int kBurst = 480;
      out[i] = phase < kBurst ? static_cast<float>(0.8 * std::sin(static_cast<double>(phase) * 2 *
                                                                  std::numbers::pi * 1000 / kRate))
                              : 0.0F;
    }
  }
  return frame;
}

// `codec` by libavcodec's own encoder; pts in samples from `begin` on.
Sound make_sound(media::Codec codec, int count, std::int64_t begin = 0) {
  const AVCodec* encoder = avcodec_find_encoder(codec_id(codec));
  ContextPtr context(avcodec_alloc_context3(encoder));
  context->sample_rate = kRate;
  context->sample_fmt = encoder->sample_fmts[0];
  context->bit_rate = 192'000;
  context->time_base = {1, kRate};
  context->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  context->strict_std_compliance = FF_COMPLIANCE_EXPERIMENTAL;
  av_channel_layout_default(&context->ch_layout, 2);
  EXPECT_EQ(avcodec_open2(context.get(), encoder, nullptr), 0);
  EXPECT_EQ(context->sample_fmt, AV_SAMPLE_FMT_FLTP);
  const int samples = context->frame_size;
  Sound sound;
  const auto receive = [&] {
    while (true) {
      PacketPtr packet = make_packet();
      if (avcodec_receive_packet(context.get(), packet.get()) < 0) return;
      const auto bytes = as_bytes(packet->data, static_cast<std::size_t>(packet->size));
      media::Packet made;
      made.track = 2;
      made.pts = made.dts = {packet->pts};
      made.duration = {samples};
      made.sync = true;
      made.payload = Buffer::copy_of(bytes);
      sound.packets.push_back(std::move(made));
    }
  };
  for (int i = 0; i < count; ++i) {
    EXPECT_EQ(avcodec_send_frame(context.get(),
                                 click_frame(begin + std::int64_t{i} * samples, samples).get()),
              0);
    receive();
  }
  avcodec_send_frame(context.get(), nullptr);
  receive();
  media::TrackDraft draft{
      .id = 2, .codec = codec, .timescale = kRate, .config = {}, .language = {}};
  if (context->extradata_size > 0)
    draft.config = Buffer::copy_of(
        as_bytes(context->extradata, static_cast<std::size_t>(context->extradata_size)));
  sound.track = media::describe_track_from_frame(draft, sound.packets[0].payload.bytes()).value();
  return sound;
}

media::Ladder audio_ladder(std::uint8_t channels = 2) {
  media::Ladder ladder;
  ladder.name = "test";
  ladder.audio.push_back({"aac", media::Codec::aac, channels, 128'000});
  return ladder;
}

RecordingSink::Rung run(const Sound& sound, RecordingSink& sink) {
  const auto engine =
      make_engine(audio_ladder(), {.pace = ladder::Pace::file, .threads = 1}, sink).value();
  EXPECT_TRUE(engine->track(sound.track).has_value());
  for (const auto& packet : sound.packets)
    EXPECT_TRUE(engine->packet(packet, ladder::SegmentStart::no).has_value());
  engine->drain();
  return sink["aac"];
}

// Where the clicks of the rung begin, by its own times, as seconds off the half seconds.
std::vector<double> click_errors(const RecordingSink::Rung& rung) {
  std::vector<double> errors;
  std::int64_t quiet = kRate;
  for (const auto& frame : decode(*rung.tracks.at(0), rung.packets)) {
    const auto* left = reinterpret_cast<const float*>(frame->extended_data[0]);
    for (int i = 0; i < frame->nb_samples; ++i, ++quiet) {
      if (std::abs(left[i]) < 0.3F) continue;
      const double at = static_cast<double>(frame->pts + i) / kRate;
      if (quiet > kRate / 4) errors.push_back(at - std::round(at * 2) / 2);
      quiet = 0;
    }
  }
  return errors;
}

TEST(AudioLane, SoundOfEachCodecComesOutAsAacAtItsTime) {
  for (const auto codec : {media::Codec::aac, media::Codec::ac3, media::Codec::eac3}) {
    SCOPED_TRACE(name_of(codec));
    RecordingSink sink;
    const auto made = run(make_sound(codec, 150, std::int64_t{1'700'000'000} * kRate), sink);
    ASSERT_EQ(made.tracks.size(), 1U) << sink.all_notices();
    EXPECT_EQ(made.tracks[0]->codec_string, "mp4a.40.2");
    EXPECT_EQ(made.tracks[0]->timescale, 48000U);
    EXPECT_EQ(made.tracks[0]->audio()->channels, 2);
    for (std::size_t i = 1; i < made.packets.size(); ++i)
      ASSERT_EQ((made.packets[i].pts - made.packets[i - 1].pts).count, kFrame);
    const auto errors = click_errors(made);
    EXPECT_GE(errors.size(), 5U);
    for (const double error : errors) EXPECT_NEAR(error, 0, 0.010);
  }
}

TEST(AudioLane, AGapIsFilledWithSilenceSoThatSoundStaysInTime) {
  Sound sound = make_sound(media::Codec::aac, 250);
  sound.packets.erase(sound.packets.begin() + 60, sound.packets.begin() + 70);  // 213 ms
  sound.packets.erase(sound.packets.begin() + 150, sound.packets.begin() + 153);
  RecordingSink sink;
  const auto made = run(sound, sink);
  EXPECT_EQ(made.tracks.size(), 1U);
  for (std::size_t i = 1; i < made.packets.size(); ++i)
    ASSERT_EQ((made.packets[i].pts - made.packets[i - 1].pts).count, kFrame);
  for (const double error : click_errors(made)) EXPECT_NEAR(error, 0, 0.040);
}

TEST(AudioLane, AnOverlapIsCut) {
  Sound sound = make_sound(media::Codec::aac, 250);
  // The sender repeats 128 ms.
  std::vector<media::Packet> again(sound.packets.begin() + 94, sound.packets.begin() + 100);
  sound.packets.insert(sound.packets.begin() + 100, again.begin(), again.end());
  RecordingSink sink;
  const auto made = run(sound, sink);
  EXPECT_EQ(made.tracks.size(), 1U);
  const auto errors = click_errors(made);
  EXPECT_GE(errors.size(), 9U);
  EXPECT_NEAR(errors.back(), 0, 0.040);
  EXPECT_NEAR(static_cast<double>(made.packets.size()), 250, 3);
}

TEST(AudioLane, DriftIsResampledAway) {
  // The sender's clock of samples runs 300 ppm slow against its times.
  Sound sound = make_sound(media::Codec::aac, 2800);  // a minute
  for (auto& packet : sound.packets) {
    packet.pts.count += packet.pts.count * 300 / 1'000'000;
    packet.dts = packet.pts;
  }
  RecordingSink sink;
  const auto made = run(sound, sink);
  EXPECT_EQ(made.tracks.size(), 1U);
  const auto span = [](const std::vector<media::Packet>& packets) {
    return static_cast<double>((packets.back().pts - packets.front().pts).count) / kRate;
  };
  EXPECT_NEAR(span(made.packets), span(sound.packets), 0.040);
}

TEST(AudioLane, ALongJumpBeginsAnew) {
  Sound sound = make_sound(media::Codec::aac, 100);
  for (std::size_t i = 50; i < sound.packets.size(); ++i) {
    sound.packets[i].pts.count += 10 * kRate;
    sound.packets[i].dts = sound.packets[i].pts;
  }
  RecordingSink sink;
  const auto made = run(sound, sink);
  EXPECT_EQ(made.tracks.size(), 2U);
  EXPECT_LT(made.packets.size(), 110U);  // no ten seconds of silence
}

TEST(AudioLane, BrokenPacketsAreCounted) {
  Sound sound = make_sound(media::Codec::aac, 100);
  for (std::size_t i = 40; i < 45; ++i) sound.packets[i].payload = Buffer::copy_of("\xff\xff\xff");
  sound.packets[50].payload = Buffer();
  RecordingSink sink;
  const auto engine =
      make_engine(audio_ladder(), {.pace = ladder::Pace::file, .threads = 1}, sink).value();
  ASSERT_TRUE(engine->track(sound.track).has_value());
  for (const auto& packet : sound.packets)
    ASSERT_TRUE(engine->packet(packet, ladder::SegmentStart::no).has_value());
  engine->drain();
  EXPECT_GE(engine->stats().decode_errors, 6U);
  EXPECT_NEAR(static_cast<double>(sink["aac"].packets.size()), 101, 3);
}

TEST(AudioLane, ARungOfMoreChannelsThanTheSourceIsLeftOut) {
  const Sound sound = make_sound(media::Codec::aac, 10);
  RecordingSink sink;
  const auto engine =
      make_engine(audio_ladder(6), {.pace = ladder::Pace::file, .threads = 1}, sink).value();
  ASSERT_TRUE(engine->track(sound.track).has_value());
  for (const auto& packet : sound.packets)
    ASSERT_TRUE(engine->packet(packet, ladder::SegmentStart::no).has_value());
  engine->drain();
  EXPECT_FALSE(sink.has("aac"));
  EXPECT_EQ(sink.notices("rung.left_out"), 1U);
}

}  // namespace
}  // namespace kapok::ffmpeg
