#include "transcoder/ffmpeg/encoder_options.hpp"

namespace kapok::ffmpeg {

namespace {

const std::string& or_default(const std::string& word, const std::string& otherwise) {
  return word.empty() ? otherwise : word;
}

// Where timing is unknown: only the choice of a level and rate control's first guess hang on it.
constexpr AVRational kAssumedFrameRate{50, 1};

// annexb=0: NAL units behind 4-byte lengths, as samples have them.
void configure_x264(Options& options, const VideoRungSetup& setup) {
  options.set("preset", or_default(setup.rung.preset, "veryfast"));
  if (!setup.rung.tune.empty()) options.set("tune", setup.rung.tune);
  options.set("forced-idr", "1");
  options.set("x264-params", "annexb=0:keyint=infinite:scenecut=0:open-gop=0");
}

// [x265 docs, cli.rst: --master-display, --max-cll]
std::string x265_light(const media::VideoFacts& facts) {
  // Of a source that says nothing of its light x265 would claim a maximum of 0.
  std::string text = facts.mastering || facts.light ? ":hdr10=1" : "";
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

void configure_x265(Options& options, const VideoRungSetup& setup, const media::VideoFacts* light) {
  options.set("preset", or_default(setup.rung.preset, "superfast"));
  if (!setup.rung.tune.empty()) options.set("tune", setup.rung.tune);
  options.set("forced-idr", "1");
  std::string params = fmt::format(
      "annexb=0:keyint=-1:scenecut=0:open-gop=0:repeat-headers=0:info=0:log-level=none:pools={}",
      setup.threads);
  if (light != nullptr) params += x265_light(*light);
  options.set("x265-params", params);
}

// [SVT-AV1 1.4.1 Docs/Parameters.md] chromaticities from 0 to 1, luminance in cd/m2.
std::string svt_light(const media::VideoFacts& facts) {
  std::string text;
  if (facts.mastering) {
    const auto& m = *facts.mastering;
    const auto xy = [](std::uint16_t value) { return value * 0.00002; };
    const auto nits = [](std::uint32_t value) { return value * 0.0001; };
    text += fmt::format(
        ":mastering-display=G({:.5f},{:.5f})B({:.5f},{:.5f})R({:.5f},{:.5f})WP({:.5f},{:.5f})"
        "L({:.4f},{:.4f})",
        xy(m.primaries_x[0]), xy(m.primaries_y[0]), xy(m.primaries_x[1]), xy(m.primaries_y[1]),
        xy(m.primaries_x[2]), xy(m.primaries_y[2]), xy(m.white_x), xy(m.white_y),
        nits(m.max_luminance), nits(m.min_luminance));
  }
  if (facts.light)
    text += fmt::format(":content-light={},{}", facts.light->max_content,
                        facts.light->max_frame_average);
  return text;
}

// SVT-AV1 1.4 takes key frames where they are asked for only at a constant quality [its message:
// "Force key frame is only supported with RA CRF/CQP mode"], so the bit rate is a ceiling.
// Less lookahead than a mini-GOP (8 pictures at 3 levels) starves its picture pools: on a busy
// machine every seventh start ended with all of its threads waiting for each other.
void configure_svt(Options& options, const VideoRungSetup& setup, const media::VideoFacts* light) {
  options.set("preset", or_default(setup.rung.preset, "11"));
  options.set("crf", "30");
  constexpr unsigned kKilo = 1000;
  std::string params = fmt::format(
      "enable-force-key-frames=1:pred-struct=2:hierarchical-levels=3:lookahead=8:scd=0:mbr={}:lp={"
      "}",
      setup.rung.bit_rate / kKilo, setup.threads);
  if (light != nullptr) params += svt_light(*light);
  options.set("svtav1-params", params);
}

// A rung's preset and tune are words of the software encoders: devices encode by their own balance.
// [nvenc.c, vaapi_encode.c, qsvenc.c] What asks for an IDR is an I picture, as everywhere here.
void configure_on_device(AVCodecContext& context, Options& options, const VideoRungSetup& setup) {
  switch (setup.device->row().kind) {
    case media::DeviceKind::nvidia:
      options.set("rc", "vbr");
      options.set("forced-idr", "1");
      options.set("no-scenecut", "1");
      options.set("delay", "0");
      break;
    case media::DeviceKind::qsv: {
      // Its GOP has 16 bits, all set for one without an end.
      constexpr int kEndless = 0xffff;
      context.gop_size = kEndless;
      options.set("forced_idr", "1");
      break;
    }
    default:
      options.set("rc_mode", "VBR");
      break;
  }
}

}  // namespace

const char* encoder_name(media::Codec codec) {
  switch (codec) {
    case media::Codec::avc:
      return "libx264";
    case media::Codec::hevc:
      return "libx265";
    case media::Codec::av1:
      return "libsvtav1";
    default:
      return "";
  }
}

void configure(AVCodecContext& context, Options& options, const VideoRungSetup& setup,
               const media::VideoFacts* light) {
  const media::VideoRung& rung = setup.rung;
  context.time_base = {1, static_cast<int>(setup.timescale)};
  context.framerate = kAssumedFrameRate;
  if (setup.frame_rate.numerator != 0)
    context.framerate = {static_cast<int>(setup.frame_rate.numerator),
                         static_cast<int>(setup.frame_rate.denominator)};
  context.thread_count = static_cast<int>(setup.threads);
  context.max_b_frames = rung.b_frames;
  context.flags |= AV_CODEC_FLAG_GLOBAL_HEADER | AV_CODEC_FLAG_CLOSED_GOP;
  // No key frames but ours, within what its arithmetic takes: 12 days at 50 frames a second.
  constexpr int kEndless = 50'000'000;
  if (setup.device || rung.codec == media::Codec::av1) context.gop_size = kEndless;
  if (!setup.device && rung.codec == media::Codec::av1) return configure_svt(options, setup, light);
  context.bit_rate = rung.bit_rate;
  context.rc_max_rate = rung.bit_rate;
  constexpr std::uint64_t kMsPerSecond = 1000;
  context.rc_buffer_size =
      static_cast<int>(std::uint64_t{rung.bit_rate} * rung.vbv_ms / kMsPerSecond);
  if (setup.device) return configure_on_device(context, options, setup);
  if (rung.codec == media::Codec::avc)
    configure_x264(options, setup);
  else
    configure_x265(options, setup, light);
}

}  // namespace kapok::ffmpeg
