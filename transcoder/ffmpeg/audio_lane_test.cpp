#include "transcoder/ffmpeg/audio_lane.hpp"

extern "C" {
#include <libavfilter/buffersink.h>
#include <libavfilter/buffersrc.h>
}

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <numbers>
#include <stdexcept>

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

// How loud the tone is at a sample.
using Loudness = double (*)(std::int64_t at);

// A click (a short burst) every half second, on the half second, in silence: where it stands tells
// how far sound is from its time.
double clicks(std::int64_t at) {
  constexpr int kBurst = 480;
  return at % (kRate / 2) < kBurst ? 0.8 : 0;
}

FramePtr click_frame(std::int64_t at, int samples, Loudness loudness = clicks) {
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
      out[i] = static_cast<float>(loudness(at + i) * std::sin(static_cast<double>(phase) * 2 *
                                                              std::numbers::pi * 1000 / kRate));
    }
  }
  return frame;
}

// The same as libavcodec's mp2 takes it.
FramePtr in_sixteen_bits(const AVFrame& from) {
  FramePtr frame = make_frame();
  frame->format = AV_SAMPLE_FMT_S16;
  frame->nb_samples = from.nb_samples;
  frame->sample_rate = from.sample_rate;
  frame->pts = from.pts;
  av_channel_layout_default(&frame->ch_layout, 2);
  if (av_frame_get_buffer(frame.get(), 0) < 0) throw std::bad_alloc();
  auto* out = reinterpret_cast<std::int16_t*>(frame->extended_data[0]);
  for (int i = 0; i < from.nb_samples; ++i)
    for (int channel = 0; channel < 2; ++channel)
      *out++ = static_cast<std::int16_t>(
          reinterpret_cast<const float*>(from.extended_data[channel])[i] * 32767);
  return frame;
}

// `codec` by libavcodec's own encoder; pts in samples from `begin` on.
Sound make_sound(media::Codec codec, int count, std::int64_t begin = 0,
                 Loudness loudness = clicks) {
  const AVCodec* encoder = avcodec_find_encoder(codec_id(codec));
  ContextPtr context(avcodec_alloc_context3(encoder));
  context->sample_rate = kRate;
  context->sample_fmt = encoder->sample_fmts[0];
  const bool planar = context->sample_fmt == AV_SAMPLE_FMT_FLTP;
  context->bit_rate = 192'000;
  context->time_base = {1, kRate};
  context->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  context->strict_std_compliance = FF_COMPLIANCE_EXPERIMENTAL;
  av_channel_layout_default(&context->ch_layout, 2);
  EXPECT_EQ(avcodec_open2(context.get(), encoder, nullptr), 0);
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
    FramePtr frame = click_frame(begin + std::int64_t{i} * samples, samples, loudness);
    if (!planar) frame = in_sixteen_bits(*frame);
    EXPECT_EQ(avcodec_send_frame(context.get(), frame.get()), 0);
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

// Where the clicks of the rung begin, by its own times, as seconds off those that they should have.
std::vector<double> click_errors(const RecordingSink::Rung& rung, float loud = 0.3F,
                                 double apart = 0.5) {
  std::vector<double> errors;
  std::int64_t quiet = kRate;
  for (const auto& frame : decode(*rung.tracks.at(0), rung.packets)) {
    const auto* left = reinterpret_cast<const float*>(frame->extended_data[0]);
    for (int i = 0; i < frame->nb_samples; ++i, ++quiet) {
      if (std::abs(left[i]) < loud) continue;
      const double at = static_cast<double>(frame->pts + i) / kRate;
      if (quiet > kRate / 4) errors.push_back(at - std::round(at / apart) * apart);
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

// As MPEG-TS has it: what a PES packet held, several frames and the pieces of others.
TEST(AudioLane, MpegAudioComesInWhateverPiecesItsSenderMakes) {
  Sound sound = make_sound(media::Codec::mp2, 150, std::int64_t{1'700'000'000} * kRate);
  constexpr std::size_t kTogether = 5;
  constexpr std::size_t kOver = 100;  // bytes of the next frame, which its own packet lacks
  std::vector<media::Packet> packets;
  for (std::size_t i = 0; i < sound.packets.size(); i += kTogether) {
    Bytes bytes;
    const auto add = [&](const media::Packet& from, std::size_t skip, std::size_t most) {
      const auto part = from.payload.bytes().subspan(skip);
      const auto taken = part.first(std::min(most, part.size()));
      bytes.insert(bytes.end(), taken.begin(), taken.end());
    };
    const std::size_t end = std::min(i + kTogether, sound.packets.size());
    // [ISO/IEC 13818-1 2.4.3.7] the time of a PES packet is that of the first frame that begins in
    // it.
    media::Packet packet = sound.packets[i == 0 ? 0 : i + 1 < end ? i + 1 : i];
    for (std::size_t k = i; k < end; ++k) add(sound.packets[k], k == i && i > 0 ? kOver : 0, 9999);
    if (end < sound.packets.size()) add(sound.packets[end], 0, kOver);
    packet.payload = Buffer(std::move(bytes));
    packets.push_back(std::move(packet));
  }
  sound.packets = std::move(packets);
  RecordingSink sink;
  const auto made = run(sound, sink);
  ASSERT_EQ(made.tracks.size(), 1U) << sink.all_notices();
  EXPECT_EQ(made.tracks[0]->codec_string, "mp4a.40.2");
  const auto errors = click_errors(made);
  EXPECT_GE(errors.size(), 6U);
  for (const double error : errors) EXPECT_NEAR(error, 0, 0.010);
}

TEST(AudioLane, OpusIsAnotherCodecOfARung) {
  media::Ladder ladder;
  ladder.name = "test";
  ladder.audio.push_back({"opus", media::Codec::opus, 2, 96'000});
  const Sound sound = make_sound(media::Codec::aac, 150, std::int64_t{1'700'000'000} * kRate);
  RecordingSink sink;
  const auto engine = make_engine(ladder, {.pace = ladder::Pace::file, .threads = 1}, sink).value();
  ASSERT_TRUE(engine->track(sound.track).has_value());
  for (const auto& packet : sound.packets)
    ASSERT_TRUE(engine->packet(packet, ladder::SegmentStart::no).has_value());
  engine->drain();
  const auto& made = sink["opus"];
  ASSERT_EQ(made.tracks.size(), 1U) << sink.all_notices();
  EXPECT_EQ(made.tracks[0]->codec_string, "opus");
  EXPECT_EQ(made.tracks[0]->timescale, 48000U);
  for (std::size_t i = 1; i < made.packets.size(); ++i)
    ASSERT_EQ((made.packets[i].pts - made.packets[i - 1].pts).count, 960);
  const auto errors = click_errors(made);
  EXPECT_GE(errors.size(), 5U);
  for (const double error : errors) EXPECT_NEAR(error, 0, 0.010);
}

TEST(AudioLane, RungsAreOfTheSoundThatTheyName) {
  media::Ladder ladder = audio_ladder();
  ladder.audio.push_back({"aac-en", media::Codec::aac, 2, 128'000});
  ladder.audio.back().source = 1;
  const Sound chinese = make_sound(media::Codec::aac, 100);
  Sound english = make_sound(media::Codec::ac3, 60);
  auto track = std::make_shared<media::Track>(*english.track);
  track->id = 7;
  track->language = "en";
  english.track = track;
  for (auto& packet : english.packets) packet.track = 7;
  RecordingSink sink;
  const auto engine = make_engine(ladder, {.pace = ladder::Pace::file, .threads = 1}, sink).value();
  // Behind a discontinuity another feed may have other tracks: they are counted anew.
  for (const std::int64_t jump : {0, 1000}) {
    ASSERT_TRUE(engine->track(chinese.track).has_value());
    ASSERT_TRUE(engine->track(english.track).has_value());
    for (const Sound* sound : {&chinese, static_cast<const Sound*>(&english)})
      for (media::Packet packet : sound->packets) {
        packet.pts += media::Ticks{jump * kRate};
        packet.dts = packet.pts;
        ASSERT_TRUE(engine->packet(packet, ladder::SegmentStart::no).has_value());
      }
    engine->discontinuity();
  }
  engine->drain();
  EXPECT_EQ(sink["aac"].tracks.size(), 2U) << sink.all_notices();
  ASSERT_EQ(sink["aac-en"].tracks.size(), 2U);
  EXPECT_EQ(sink["aac"].tracks[0]->language, "");
  EXPECT_EQ(sink["aac-en"].tracks[0]->language, "en");
  EXPECT_EQ(sink["aac-en"].tracks[0]->id, 2U);
  EXPECT_NEAR(static_cast<double>(sink["aac"].packets.size()), 202, 6);
  EXPECT_NEAR(static_cast<double>(sink["aac-en"].packets.size()), 2 * 60 * 1.5 + 2, 6);
}

// What a rung of that target sounds like, by libavfilter's meter: integrated loudness in LUFS and
// true peak in dBTP.
struct Heard {
  double loudness = 0;
  double peak = 0;
};
Heard hear(const RecordingSink::Rung& rung) {
  GraphPtr graph(avfilter_graph_alloc());
  AVFilterContext* in = nullptr;
  AVFilterContext* meter = nullptr;
  AVFilterContext* out = nullptr;
  const auto add = [&](AVFilterContext** filter, const char* type, const char* options) {
    if (avfilter_graph_create_filter(filter, avfilter_get_by_name(type), type, options, nullptr,
                                     graph.get()) < 0)
      throw std::runtime_error(type);
  };
  add(&in, "abuffer", "time_base=1/48000:sample_rate=48000:sample_fmt=fltp:channel_layout=stereo");
  add(&meter, "ebur128", "peak=true:metadata=1");
  add(&out, "abuffersink", nullptr);
  if (avfilter_link(in, 0, meter, 0) < 0 || avfilter_link(meter, 0, out, 0) < 0 ||
      avfilter_graph_config(graph.get(), nullptr) < 0)
    throw std::runtime_error("meter");
  Heard heard;
  const auto take = [&] {
    while (true) {
      const FramePtr frame = make_frame();
      if (av_buffersink_get_frame(out, frame.get()) < 0) return;
      const auto read = [&](const char* key) {
        const auto* entry = av_dict_get(frame->metadata, key, nullptr, 0);
        return entry != nullptr ? std::strtod(entry->value, nullptr) : 0;
      };
      heard.loudness = read("lavfi.r128.I");
      heard.peak = std::max(read("lavfi.r128.true_peaks_ch0"), read("lavfi.r128.true_peaks_ch1"));
    }
  };
  for (const auto& frame : decode(*rung.tracks.at(0), rung.packets)) {
    if (av_buffersrc_add_frame(in, frame.get()) < 0) throw std::runtime_error("meter in");
    take();
  }
  heard.peak = 20 * std::log10(heard.peak);
  return heard;
}

// Half a minute of a voice's loudness going up and down over noise, with peaks 12 dB above it.
FramePtr programme_frame(std::int64_t at, int samples, double level) {
  FramePtr frame = click_frame(at, samples);
  std::uint32_t noise = static_cast<std::uint32_t>(at) * 2654435761U + 1;
  for (int i = 0; i < samples; ++i) {
    noise = noise * 1664525U + 1013904223U;
    const double time = static_cast<double>(at + i) / kRate;
    const double swell = 0.6 + 0.4 * std::sin(2 * std::numbers::pi * time / 4);
    double value = level * swell *
                   (std::sin(2 * std::numbers::pi * 440 * time) +
                    0.3 * (static_cast<double>(noise >> 8) / (1U << 23) - 1));
    if ((at + i) % kRate < 200) value *= 4;
    for (int channel = 0; channel < 2; ++channel)
      reinterpret_cast<float*>(frame->extended_data[channel])[i] =
          static_cast<float>(std::clamp(value, -1.0, 1.0));
  }
  return frame;
}

TEST(AudioLane, LoudnessIsBroughtToTheTarget) {
  struct Case {
    double level;
    std::int32_t target;
  };
  for (const Case& given : {Case{0.02, -23}, Case{0.9, -23}, Case{0.05, -16}}) {
    SCOPED_TRACE(given.level);
    RecordingSink sink;
    RungCounters counters;
    media::AudioRung rung{"aac", media::Codec::aac, 2, 192'000};
    rung.loudness = given.target;
    std::unique_ptr<AudioEncoder> encoder;
    constexpr int kSamples = 1024;
    for (std::int64_t at = 0; at < 30 * kRate; at += kSamples) {
      const FramePtr frame = programme_frame(at, kSamples, given.level);
      if (!encoder)
        encoder =
            AudioEncoder::open({.rung = rung, .id = 1, .language = {}}, *frame, sink, counters)
                .value();
      ASSERT_TRUE(encoder->encode(*frame, media::to_nanoseconds({at}, kRate), {}));
    }
    ASSERT_TRUE(encoder->finish());
    const Heard heard = hear(sink["aac"]);
    EXPECT_NEAR(heard.loudness, given.target, 1);
    EXPECT_LE(heard.peak, -1);
    EXPECT_NEAR(static_cast<double>(sink["aac"].packets.size()), 30.0 * kRate / kSamples, 3);
  }
}

TEST(AudioLane, RidingLoudnessMovesNothing) {
  RecordingSink sink;
  media::Ladder ladder = audio_ladder();
  ladder.audio[0].loudness = -23;
  const Sound sound = make_sound(media::Codec::aac, 250);
  const auto engine = make_engine(ladder, {.pace = ladder::Pace::file, .threads = 1}, sink).value();
  ASSERT_TRUE(engine->track(sound.track).has_value());
  for (const auto& packet : sound.packets)
    ASSERT_TRUE(engine->packet(packet, ladder::SegmentStart::no).has_value());
  engine->drain();
  const auto errors = click_errors(sink["aac"], 0.1F);
  EXPECT_GE(errors.size(), 8U);
  for (const double error : errors) EXPECT_NEAR(error, 0, 0.010);
}

// An hour of a clock that is 100 ppm off is 360 ms; so are 400 s of one that is 900 ppm off.
TEST(AudioLane, NoDriftPutsSoundFurtherThanFortyMillisecondsOff) {
  for (const double ppm : {900.0, -900.0}) {
    SCOPED_TRACE(ppm);
    RecordingSink sink;
    RungCounters counters;
    std::unique_ptr<AudioEncoder> encoder;
    constexpr int kSamples = 4096;
    for (std::int64_t at = 0; at < 400 * kRate; at += kSamples) {
      const FramePtr frame = click_frame(at, kSamples);
      if (!encoder)
        encoder = AudioEncoder::open({.rung = audio_ladder(1).audio[0], .id = 1, .language = {}},
                                     *frame, sink, counters)
                      .value();
      const auto exact = static_cast<double>(at) / kRate * (1 + ppm / 1e6);
      ASSERT_TRUE(encoder->encode(
          *frame, std::chrono::nanoseconds(static_cast<std::int64_t>(exact * 1e9)), {}));
    }
    ASSERT_TRUE(encoder->finish());
    EXPECT_EQ(sink["aac"].tracks.size(), 1U);
    // By its own clock the sender's clicks are half a second apart.
    const auto errors = click_errors(sink["aac"], 0.3F, 0.5 * (1 + ppm / 1e6));
    EXPECT_NEAR(static_cast<double>(errors.size()), 800, 3);
    for (const double error : errors) ASSERT_NEAR(error, 0, 0.040);
  }
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

TEST(AudioLane, SilenceIsToldAlsoWhereNoRungIsMadeOfTheSound) {
  // A tone for 2 s, 3 s of nothing, the tone again.
  const auto sound = make_sound(media::Codec::aac, 330, 0, [](std::int64_t at) {
    return at < 2 * kRate || at >= 5 * kRate ? 0.3 : 0.0;
  });
  media::Ladder ladder = audio_ladder();
  ladder.audio.clear();
  ladder.video = {rung("rung", media::Codec::avc, 90)};
  ladder.detect.silence = std::chrono::seconds(2);
  RecordingSink sink;
  const auto engine = make_engine(ladder, {.pace = ladder::Pace::file, .threads = 1}, sink).value();
  EXPECT_TRUE(engine->track(sound.track).has_value());
  for (const auto& packet : sound.packets)
    EXPECT_TRUE(engine->packet(packet, ladder::SegmentStart::no).has_value());
  engine->drain();
  ASSERT_EQ(sink.anomalies().size(), 2U);
  const media::AnomalyEvent& ended = sink.anomalies()[1];
  EXPECT_EQ(ended.kind, media::Anomaly::silence);
  EXPECT_EQ(ended.state, media::AnomalyState::ended);
  // An encoder's block wide.
  EXPECT_NEAR(static_cast<double>(ended.from.count()) / 1e6, 2.0, 0.05);
  EXPECT_NEAR(static_cast<double>(ended.to.count()) / 1e6, 5.0, 0.05);
}

}  // namespace
}  // namespace kapok::ffmpeg
