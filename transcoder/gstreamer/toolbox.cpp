#include "transcoder/gstreamer/toolbox.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "transcoder/gstreamer/frame.hpp"
#include "transcoder/gstreamer/video_decoder.hpp"
#include "transcoder/gstreamer/video_encoder.hpp"

namespace kapok::gstreamer {

namespace {

using media::Codec;

constexpr int kFrames = 6;
constexpr int kSecondKey = 3;
constexpr std::int64_t kFrameTicks = 3600;
constexpr media::Timescale kTimescale = 90000;

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

Result<ffmpeg::Picture> grey_picture(int number, const media::VideoFacts& facts) {
  ffmpeg::FramePtr frame = ffmpeg::make_frame();
  frame->format = facts.bit_depth > 8 ? AV_PIX_FMT_YUV420P10LE : AV_PIX_FMT_YUV420P;
  frame->width = static_cast<int>(facts.width);
  frame->height = static_cast<int>(facts.height);
  ffmpeg::complete_colour(*frame, facts);
  if (const int code = av_frame_get_buffer(frame.get(), 0); code < 0)
    return std::unexpected(ffmpeg::av_error(code, "av_frame_get_buffer"));
  constexpr int kGrey = 2;  // as a byte and as a high byte of 10 bits it is dark
  for (const AVBufferRef* plane : frame->buf)
    if (plane != nullptr) std::memset(plane->data, kGrey, plane->size);
  return ffmpeg::Picture{std::move(frame),
                         {.pts = {number * kFrameTicks},
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
  std::vector<ffmpeg::Picture> pictures;
  for (int i = 0; i < kFrames; ++i) pictures.push_back(KAPOK_TRY(grey_picture(i, facts)));
  ffmpeg::RungCounters counters;
  CapsPtr caps =
      KAPOK_TRY(raw_caps(*pictures.front().frame, facts.frame_rate, Fields::progressive));
  const auto made = KAPOK_TRY(VideoEncoder::open({.rung = setup.rung,
                                                  .id = 1,
                                                  .timescale = kTimescale,
                                                  .frame_rate = facts.frame_rate,
                                                  .text = encoder_text(encoder, setup),
                                                  .pictures = std::move(caps)},
                                                 sink, counters));
  for (auto& picture : pictures) KAPOK_TRY(made->encode(std::move(picture)));
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
  ffmpeg::Counters counters;
  int frames = 0;
  const auto made = KAPOK_TRY(VideoDecoder::open(coded.track(), decoder_text(decoder, 1), counters,
                                                 [&](const ffmpeg::Picture&) { ++frames; }));
  for (const auto& packet : coded.packets()) made->decode(packet, ladder::SegmentStart::no);
  made->flush();
  if (frames != kFrames) return fail(Errc::internal, "{} of {} frames came out", frames, kFrames);
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

bool Toolbox::uses_gpu() const {
  return std::ranges::any_of(
      tried_, [](const Tried& one) { return one.device != "software" && one.reason.empty(); });
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
  return fail(Errc::unsupported, "no GStreamer element here encodes {} with {} bits ({})",
              name_of(codec), bit_depth, reasons("encode", codec, bit_depth));
}

Result<const Decoder*> Toolbox::decoder(Codec codec) const {
  for (const Decoder& decoder : decoders()) {
    const Tried* one = decoder.codec == codec ? find("decode", decoder.element, codec, 8) : nullptr;
    if (one != nullptr && one->reason.empty()) return &decoder;
  }
  const std::string reason = reasons("decode", codec, 8);
  return fail(Errc::unsupported, "no GStreamer element here decodes {} ({})", name_of(codec),
              reason.empty() ? "none is known" : reason);
}

}  // namespace kapok::gstreamer
