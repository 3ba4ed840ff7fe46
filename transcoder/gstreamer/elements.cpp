#include "transcoder/gstreamer/elements.hpp"

namespace kapok::gstreamer {

namespace {

using media::Codec;

constexpr Decoder kDecoders[] = {
    {"nvidia", Codec::avc, "nvh264dec", ""},
    {"nvidia", Codec::hevc, "nvh265dec", ""},
    {"nvidia", Codec::av1, "nvav1dec", ""},
    {"vaapi", Codec::avc, "vah264dec", ""},
    {"vaapi", Codec::hevc, "vah265dec", ""},
    {"vaapi", Codec::av1, "vaav1dec", ""},
    {"qsv", Codec::avc, "qsvh264dec", ""},
    {"qsv", Codec::hevc, "qsvh265dec", ""},
    {"software", Codec::avc, "avdec_h264", "max-threads={threads}"},
    {"software", Codec::hevc, "avdec_h265", "max-threads={threads}"},
    {"software", Codec::av1, "av1dec", ""},
};

// No key frames but those asked for, and closed GOPs. A hardware encoder's highest distance between
// key frames is what its element takes.
constexpr Encoder kEncoders[] = {
    {"nvidia", Codec::avc, "nvh264enc",
     "rc-mode=cbr bitrate={kbit} max-bitrate={kbit} vbv-buffer-size={vbv_kbit} gop-size=-1 "
     "bframes={b} aud=false i-adapt=false"},
    {"nvidia", Codec::hevc, "nvh265enc",
     "rc-mode=cbr bitrate={kbit} max-bitrate={kbit} vbv-buffer-size={vbv_kbit} gop-size=-1 "
     "bframes={b} aud=false i-adapt=false"},
    {"vaapi", Codec::avc, "vah264enc",
     "rate-control=cbr bitrate={kbit} cpb-size={vbv_kbit} b-frames={b} key-int-max=1024 aud=false"},
    {"vaapi", Codec::hevc, "vah265enc",
     "rate-control=cbr bitrate={kbit} cpb-size={vbv_kbit} b-frames={b} key-int-max=1024 aud=false"},
    {"qsv", Codec::avc, "qsvh264enc",
     "rate-control=cbr bitrate={kbit} max-bitrate={kbit} b-frames={b} gop-size=65535"},
    {"qsv", Codec::hevc, "qsvh265enc",
     "rate-control=cbr bitrate={kbit} max-bitrate={kbit} b-frames={b} gop-size=65535"},
    {"qsv", Codec::av1, "qsvav1enc",
     "rate-control=cbr bitrate={kbit} max-bitrate={kbit} gop-size=65535"},
    // 2^30 is x264's own word for infinite.
    {"software", Codec::avc, "x264enc",
     "speed-preset={preset} {tune} pass=cbr bitrate={kbit} vbv-buf-capacity={vbv_ms} bframes={b} "
     "key-int-max=1073741824 option-string=\"scenecut=0:open-gop=0\" aud=false threads={threads}"},
    {"software", Codec::hevc, "x265enc",
     "speed-preset={preset} {tune} bitrate={kbit} log-level=none "
     "option-string=\"keyint=-1:scenecut=0:open-gop=0:info=0:bframes={b}:vbv-maxrate={kbit}:"
     "vbv-bufsize={vbv_kbit}:pools={threads}{light}\""},
    // Until GStreamer 1.22 it encodes no key frame that it is asked for, and so is not used.
    {"software", Codec::av1, "av1enc",
     "usage-profile=realtime cpu-used={preset} end-usage=cbr target-bitrate={kbit} "
     "buf-sz={vbv_ms} buf-initial-sz={vbv_ms} buf-optimal-sz={vbv_ms} lag-in-frames=0 "
     "keyframe-mode=auto keyframe-max-dist=1073741824 threads={threads}"},
};

// [x265 docs, cli.rst: --master-display, --max-cll]
std::string x265_light(const media::VideoFacts& facts) {
  std::string text = ":hdr10=1";
  if (facts.mastering) {
    const auto& m = *facts.mastering;
    text +=
        fmt::format(":master-display=G({},{})B({},{})R({},{})WP({},{})L({},{})", m.primaries_x[0],
                    m.primaries_y[0], m.primaries_x[1], m.primaries_y[1], m.primaries_x[2],
                    m.primaries_y[2], m.white_x, m.white_y, m.max_luminance, m.min_luminance);
  }
  if (facts.light)
    text += fmt::format(":max-cll={},{}", facts.light->max_content, facts.light->max_frame_average);
  return text;
}

std::string preset_of(const media::VideoRung& rung) {
  if (!rung.preset.empty()) return rung.preset;
  if (rung.codec == Codec::avc) return "veryfast";
  return rung.codec == Codec::hevc ? "superfast" : "9";
}

// x264enc has two properties for x264's tunes; x265enc tunes for SSIM unless told not to.
std::string tune_of(const media::VideoRung& rung) {
  const std::string& tune = rung.tune;
  if (rung.codec == Codec::hevc) return "tune=" + (tune.empty() ? "0" : tune);
  if (tune.empty()) return {};
  const bool is_psychovisual =
      tune == "film" || tune == "animation" || tune == "grain" || tune == "psnr" || tune == "ssim";
  return (is_psychovisual ? "psy-tune=" : "tune=") + tune;
}

}  // namespace

std::span<const Decoder> decoders() {
  return kDecoders;
}
std::span<const Encoder> encoders() {
  return kEncoders;
}

std::string encoder_text(const Encoder& encoder, const EncoderSetup& setup) {
  constexpr std::uint32_t kKilo = 1000;
  const media::VideoRung& rung = setup.rung;
  const std::string settings = fmt::format(
      fmt::runtime(encoder.settings), fmt::arg("preset", preset_of(rung)),
      fmt::arg("tune", tune_of(rung)), fmt::arg("kbit", std::max(1U, rung.bit_rate / kKilo)),
      fmt::arg("vbv_ms", rung.vbv_ms),
      fmt::arg("vbv_kbit", std::uint64_t{rung.bit_rate} * rung.vbv_ms / kKilo / kKilo),
      fmt::arg("b", rung.b_frames), fmt::arg("threads", setup.threads),
      fmt::arg("light", setup.is_hdr ? x265_light(setup.light) : ""));
  // Hardware takes NV12 and P010.
  const std::string_view before = encoder.device == "software" ? "" : "videoconvert ! ";
  return fmt::format("{}{} {}", before, encoder.element, settings);
}

std::string decoder_text(const Decoder& decoder, unsigned threads) {
  const std::string_view parser = parser_of(decoder.codec);
  return fmt::format("{}{}{} {}", parser, parser.empty() ? "" : " ! ", decoder.element,
                     fmt::format(fmt::runtime(decoder.settings), fmt::arg("threads", threads)));
}

std::string_view parser_of(media::Codec codec) {
  switch (codec) {
    case Codec::avc:
      return "h264parse";
    case Codec::hevc:
      return "h265parse";
    case Codec::av1:
      return "av1parse";
    default:
      return "";
  }
}

std::string coded_caps(media::Codec codec) {
  switch (codec) {
    case Codec::avc:
      return "video/x-h264,stream-format=byte-stream,alignment=au";
    case Codec::hevc:
      return "video/x-h265,stream-format=byte-stream,alignment=au";
    case Codec::av1:
      return "video/x-av1,stream-format=obu-stream,alignment=tu";
    default:
      return "";
  }
}

}  // namespace kapok::gstreamer
