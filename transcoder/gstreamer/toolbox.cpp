#include "transcoder/gstreamer/toolbox.hpp"

#include <algorithm>
#include <utility>

#include "transcoder/gstreamer/video_decoder.hpp"
#include "transcoder/gstreamer/video_encoder.hpp"

namespace kapok::gstreamer {

namespace {

using media::Codec;

constexpr int kFrames = 6;
constexpr int kSecondKey = 3;
constexpr std::int64_t kFrameTicks = 3600;
constexpr Times kTimes{.base = {0}, .timescale = 90000};

class KeepingSink final : public ladder::RungSink {
 public:
  void track(std::string_view, std::shared_ptr<const media::Track> made) override {
    track_ = std::move(made);
  }
  void packet(std::string_view, media::Packet packet) override {
    packets_.push_back(std::move(packet));
  }
  void image(media::Image) override {}
  void notice(LogLevel, std::string_view, std::string_view) override {}
  void anomaly(const media::AnomalyEvent&) override {}
  const std::shared_ptr<const media::Track>& track() const { return track_; }
  const std::vector<media::Packet>& packets() const { return packets_; }

 private:
  std::shared_ptr<const media::Track> track_;
  std::vector<media::Packet> packets_;
};

media::VideoFacts small_facts(std::uint8_t bit_depth) {
  media::VideoFacts facts;
  facts.width = 256;
  facts.height = 144;
  facts.bit_depth = bit_depth;
  facts.frame_rate = {25, 1};
  facts.colour = {.primaries = 1, .transfer = 1, .matrix = 1};
  return facts;
}

Picture grey_picture(int number, const media::VideoFacts& facts) {
  const std::size_t samples = std::size_t{facts.width} * facts.height * 3 / 2;
  constexpr std::uint8_t kGrey = 2;  // as a byte and as a high byte of 10 bits it is dark
  BufferPtr buffer(
      gst_buffer_new_allocate(nullptr, facts.bit_depth > 8 ? 2 * samples : samples, nullptr));
  gst_buffer_memset(buffer.get(), 0, kGrey, gst_buffer_get_size(buffer.get()));
  const media::Ticks pts{number * kFrameTicks};
  GST_BUFFER_PTS(buffer.get()) = static_cast<GstClockTime>(kTimes.at(pts).count());
  return {std::move(buffer),
          {.pts = pts,
           .duration = {kFrameTicks},
           .arrival = {},
           .starts_segment = number == 0 || number == kSecondKey}};
}

Result<void> check_element(std::string_view name) {
  if (has_element(std::string(name))) return {};
  return fail(Errc::unsupported, "not there: no plugin for it, or no device");
}

Result<void> try_encoder(const Encoder& encoder, std::uint8_t bit_depth, KeepingSink& sink) {
  KAPOK_TRY(check_element(encoder.element));
  const media::VideoFacts facts = small_facts(bit_depth);
  EncoderSetup setup;
  setup.rung.name = "probe";
  setup.rung.codec = encoder.codec;
  setup.rung.height = facts.height;
  setup.rung.bit_depth = bit_depth;
  constexpr std::uint32_t kBitRate = 500'000;
  setup.rung.bit_rate = kBitRate;
  RungCounters counters;
  const auto made =
      KAPOK_TRY(VideoEncoder::open({.rung = setup.rung,
                                    .id = 1,
                                    .times = kTimes,
                                    .frame_rate = facts.frame_rate,
                                    .text = encoder_text(encoder, setup),
                                    .pictures = raw_caps(facts, format_of(bit_depth))},
                                   sink, counters));
  for (int i = 0; i < kFrames; ++i) KAPOK_TRY(made->encode(grey_picture(i, facts)));
  KAPOK_TRY(made->finish());
  if (sink.packets().size() != kFrames)
    return fail(Errc::internal, "{} of {} frames came out", sink.packets().size(), kFrames);
  for (std::size_t i = 0; i < kFrames; ++i)
    if (sink.packets()[i].sync != (i == 0 || i == kSecondKey))
      return fail(Errc::unsupported, "its key frames are not where they were asked for");
  return {};
}

Result<void> try_decoder(const Decoder& decoder, const KeepingSink& coded) {
  KAPOK_TRY(check_element(decoder.element));
  if (!coded.track()) return fail(Errc::unsupported, "there is no encoder to try it with");
  Counters counters;
  int frames = 0;
  VideoDecoder made(coded.track(), decoder_text(decoder, 1), counters,
                    [&](const Picture&, const GstCaps&) { ++frames; });
  for (const auto& packet : coded.packets())
    KAPOK_TRY(made.decode(packet, ladder::SegmentStart::no, kTimes));
  made.flush();
  if (frames != kFrames) return fail(Errc::internal, "{} of {} frames came out", frames, kFrames);
  return {};
}

// Of rows about sound, which has none that a choice hangs on.
constexpr std::uint8_t kSoundDepth = 8;

// What makes something for a decoder to be tried with.
std::string_view sound_maker(Codec codec, std::string_view aac) {
  if (codec == Codec::aac) return aac;
  if (codec == Codec::opus) return "opusenc";
  return codec == Codec::ac3 ? "avenc_ac3" : "avenc_eac3";
}

// A second of silence through `text`.
Result<void> try_sound(const std::string& text, std::string_view element, const char* out) {
  KAPOK_TRY(check_element(element));
  constexpr std::size_t kFrame = 1024;
  constexpr int kBuffers = 47;
  int made = 0;
  const auto pipe = KAPOK_TRY(Pipe::open(
      {.text = "audioconvert ! audioresample ! " + text,
       .after = {},
       .in = caps_of("audio/x-raw,format=F32LE,layout=interleaved,rate=48000,channels=2"),
       .out = caps_of(out)},
      [&](GstSample&) { ++made; }));
  for (int i = 0; i < kBuffers; ++i) {
    BufferPtr buffer(gst_buffer_new_allocate(nullptr, kFrame * 2 * sizeof(float), nullptr));
    gst_buffer_memset(buffer.get(), 0, 0, kFrame * 2 * sizeof(float));
    GST_BUFFER_PTS(buffer.get()) =
        static_cast<GstClockTime>(kTimes.at({i * std::int64_t{1920}}).count());
    KAPOK_TRY(pipe->push(std::move(buffer)));
  }
  KAPOK_TRY(pipe->finish());
  if (made == 0) return fail(Errc::internal, "nothing came out");
  return {};
}

Result<void> try_scaler() {
  constexpr std::string_view kScaler = "videoconvertscale";
  KAPOK_TRY(check_element(kScaler));
  const media::VideoFacts facts = small_facts(8);
  media::VideoFacts half = facts;
  half.width /= 2;
  half.height /= 2;
  int made = 0;
  const auto pipe = KAPOK_TRY(Pipe::open({.text = std::string(kScaler) + " add-borders=false",
                                          .after = {},
                                          .in = raw_caps(facts, format_of(8)),
                                          .out = raw_caps(half, format_of(8))},
                                         [&](GstSample&) { ++made; }));
  KAPOK_TRY(pipe->push(grey_picture(0, facts).buffer));
  KAPOK_TRY(pipe->finish());
  if (made != 1) return fail(Errc::internal, "no picture came out");
  return {};
}

bool is_wanted(std::string_view of, const std::string& device) {
  return device == "auto" || of == device || of == "software";
}

std::string reason_of(const Result<void>& done) {
  return done ? std::string() : done.error().message;
}

}  // namespace

Toolbox::Toolbox(const std::string& device) {
  initialise();
  for (const Codec codec : {Codec::avc, Codec::hevc, Codec::av1}) try_video(codec, device);
  try_audio();
  try_scaling();
}

void Toolbox::try_video(Codec codec, const std::string& device) {
  constexpr std::uint8_t kDepths[] = {8, 10};
  // What the last encoder made, the one in software, is what decoders are tried with.
  KeepingSink coded;
  for (const Encoder& encoder : encoders()) {
    if (encoder.codec != codec || !is_wanted(encoder.device, device)) continue;
    for (const std::uint8_t depth : kDepths) {
      if (depth == 10 && codec == Codec::avc) continue;
      KeepingSink sink;
      const auto done = try_encoder(encoder, depth, sink);
      tried_.push_back({std::string(encoder.device), "encode", codec, depth,
                        std::string(encoder.element), reason_of(done)});
      if (depth == 8 && sink.packets().size() == kFrames) coded = std::move(sink);
    }
  }
  for (const Decoder& decoder : decoders())
    if (decoder.codec == codec && is_wanted(decoder.device, device))
      tried_.push_back({std::string(decoder.device), "decode", codec, 8,
                        std::string(decoder.element), reason_of(try_decoder(decoder, coded))});
}

void Toolbox::try_audio() {
  std::string_view works;
  for (const AudioEncoderElement& encoder : audio_encoders()) {
    const auto done =
        try_sound(fmt::format("{} ! aacparse", encoder.element), encoder.element, "audio/mpeg");
    tried_.push_back({"software", "encode", encoder.codec, kSoundDepth,
                      std::string(encoder.element), reason_of(done)});
    if (done && works.empty()) works = encoder.element;
  }
  for (const Decoder& decoder : decoders()) {
    if (media::kind_of(decoder.codec) != media::TrackKind::audio) continue;
    const std::string_view encoder = sound_maker(decoder.codec, works);
    const auto done = try_sound(fmt::format("{} ! {}", encoder, decoder_text(decoder, 1)),
                                decoder.element, "audio/x-raw");
    tried_.push_back({"software", "decode", decoder.codec, kSoundDepth,
                      std::string(decoder.element), reason_of(done)});
  }
}

void Toolbox::try_scaling() {
  tried_.push_back(
      {"software", "scale", Codec::unknown, 8, "videoconvertscale", reason_of(try_scaler())});
  tried_.push_back({"software", "tone-map", Codec::unknown, 8, "videoconvert",
                    "it has no curve from HDR to SDR; engine = \"ffmpeg\" has"});
}

const Tried* Toolbox::find(std::string_view task, std::string_view element, Codec codec,
                           std::uint8_t bit_depth) const {
  const auto place = std::ranges::find_if(tried_, [&](const Tried& one) {
    return one.task == task && one.element == element && one.codec == codec &&
           one.bit_depth == bit_depth;
  });
  return place == tried_.end() ? nullptr : &*place;
}

std::string Toolbox::reasons(std::string_view task, Codec codec, std::uint8_t bit_depth) const {
  std::string text;
  for (const Tried& one : tried_)
    if (one.task == task && one.codec == codec && one.bit_depth == bit_depth)
      text += fmt::format("{}{}: {}", text.empty() ? "" : "; ", one.element, one.reason);
  return text;
}

Result<const Encoder*> Toolbox::encoder(Codec codec, std::uint8_t bit_depth) const {
  for (const Encoder& encoder : encoders()) {
    const Tried* one =
        encoder.codec == codec ? find("encode", encoder.element, codec, bit_depth) : nullptr;
    if (one != nullptr && one->reason.empty()) return &encoder;
  }
  return fail(Errc::unsupported,
              "no GStreamer element here encodes {} with {} bits ({}); "
              "engine = \"ffmpeg\" may",
              name_of(codec), bit_depth, reasons("encode", codec, bit_depth));
}

Result<const AudioEncoderElement*> Toolbox::audio_encoder(const media::AudioRung& rung) const {
  if (rung.loudness != 0)
    return fail(
        Errc::unsupported,
        "GStreamer brings no live sound to a loudness: say engine = \"ffmpeg\", or loudness = 0");
  if (rung.codec != Codec::aac)
    return fail(Errc::unsupported, "GStreamer makes sound in AAC alone: say engine = \"ffmpeg\"");
  for (const AudioEncoderElement& encoder : audio_encoders()) {
    if (encoder.codec != rung.codec || encoder.max_channels < rung.channels) continue;
    const Tried* one = find("encode", encoder.element, rung.codec, kSoundDepth);
    if (one != nullptr && one->reason.empty()) return &encoder;
  }
  return fail(Errc::unsupported, "no GStreamer element here encodes {} with {} channels ({})",
              name_of(rung.codec), rung.channels, reasons("encode", rung.codec, kSoundDepth));
}

Result<const Decoder*> Toolbox::decoder(Codec codec) const {
  for (const Decoder& decoder : decoders()) {
    const Tried* one = decoder.codec == codec ? find("decode", decoder.element, codec, 8) : nullptr;
    if (one != nullptr && one->reason.empty()) return &decoder;
  }
  return fail(Errc::unsupported, "{} cannot be decoded here ({})", name_of(codec),
              reasons("decode", codec, 8));
}

}  // namespace kapok::gstreamer
