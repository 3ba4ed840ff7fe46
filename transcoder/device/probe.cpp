#include "transcoder/device/probe.hpp"

extern "C" {
#include <libavutil/hwcontext.h>
#include <libavutil/imgutils.h>
}

#include <algorithm>
#include <boost/json.hpp>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <utility>

#include "transcoder/ffmpeg/av_log.hpp"
#include "transcoder/ffmpeg/picture_graph.hpp"
#include "transcoder/ffmpeg/video_decoder.hpp"
#include "transcoder/ffmpeg/video_encoder.hpp"
#include "transcoder/gstreamer/toolbox.hpp"

namespace kapok::device {

namespace {

namespace ff = kapok::ffmpeg;
using media::Codec;

constexpr Codec kCodecs[] = {Codec::avc, Codec::hevc, Codec::av1};
constexpr media::Timescale kTimescale = 90000;
constexpr std::int64_t kFrameTicks = 3600;
constexpr int kFrames = 5;
constexpr int kWidth = 256;
constexpr int kHeight = 144;

// Keeps what an encoder made, and the first thing that libav complains of.
class ProbeSink final : public ladder::RungSink {
 public:
  void track(std::string_view, std::shared_ptr<const media::Track> made) override {
    track_ = std::move(made);
  }
  void packet(std::string_view, media::Packet packet) override {
    packets_.push_back(std::move(packet));
  }
  void notice(LogLevel, std::string_view, std::string_view text) override {
    const std::lock_guard lock(mutex_);
    if (complaint_.empty()) complaint_ = text;
  }
  void anomaly(const media::AnomalyEvent&) override {}
  const std::shared_ptr<const media::Track>& track() const { return track_; }
  const std::vector<media::Packet>& packets() const { return packets_; }
  std::string complaint() const {
    const std::lock_guard lock(mutex_);
    return complaint_;
  }

 private:
  mutable std::mutex mutex_;  // codecs complain from their own threads
  std::shared_ptr<const media::Track> track_;
  std::vector<media::Packet> packets_;
  std::string complaint_;
};

ff::FramePtr grey_picture(AVPixelFormat format) {
  ff::FramePtr frame = ff::make_frame();
  frame->format = format;
  frame->width = kWidth;
  frame->height = kHeight;
  frame->sample_aspect_ratio = {1, 1};
  frame->color_range = AVCOL_RANGE_MPEG;
  if (av_frame_get_buffer(frame.get(), 0) < 0) throw std::bad_alloc();
  constexpr int kGrey = 0x20;
  for (int plane = 0; plane < 3; ++plane)
    std::fill_n(frame->data[plane], frame->linesize[plane] * (plane == 0 ? kHeight : kHeight / 2),
                kGrey);
  return frame;
}

ff::Picture picture(int number, AVPixelFormat format) {
  const media::Ticks pts{number * kFrameTicks};
  ff::Picture made{
      grey_picture(format),
      {.pts = pts, .duration = {kFrameTicks}, .arrival = {}, .starts_segment = number == 0}};
  made.frame->pts = pts.count;
  return made;
}

Result<void> encode(Codec codec, ProbeSink& sink) {
  media::VideoRung rung;
  rung.name = "probe";
  rung.codec = codec;
  constexpr std::uint32_t kBitRate = 500'000;
  rung.bit_rate = kBitRate;
  ff::RungCounters counters;
  auto first = grey_picture(AV_PIX_FMT_YUV420P);
  const auto encoder = KAPOK_TRY(ff::VideoEncoder::open(
      {.rung = rung, .id = 1, .timescale = kTimescale, .frame_rate = {25, 1}, .threads = 1}, *first,
      {}, sink, counters));
  for (int i = 0; i < kFrames; ++i) KAPOK_TRY(encoder->encode(picture(i, AV_PIX_FMT_YUV420P)));
  KAPOK_TRY(encoder->finish());
  if (sink.packets().size() != kFrames)
    return fail(Errc::internal, "{} of {} frames came out", sink.packets().size(), kFrames);
  return {};
}

Result<void> decode(const ProbeSink& encoded) {
  if (!encoded.track()) return fail(Errc::unsupported, "nothing to decode: encoding failed");
  ff::Counters counters;
  const auto decoder = KAPOK_TRY(ff::VideoDecoder::open(*encoded.track(), 1, counters));
  int frames = 0;
  const auto count = [&](const ff::Picture&) { ++frames; };
  for (const auto& packet : encoded.packets())
    decoder->decode(packet, ladder::SegmentStart::no, count);
  decoder->flush(count);
  if (frames != kFrames) return fail(Errc::internal, "{} of {} frames came out", frames, kFrames);
  return {};
}

Result<void> filter(ladder::Tones tones) {
  media::VideoFacts source;
  source.width = kWidth;
  source.height = kHeight;
  source.colour = {.primaries = 9, .transfer = 16, .matrix = 9};
  ff::PictureGraph graph(
      {.width = kWidth / 2, .height = kHeight / 2, .bit_depth = 8, .tones = tones, .from = {}},
      source, kTimescale, 1);
  int frames = 0;
  const auto count = [&](const ff::Picture&) { ++frames; };
  auto input = picture(0, AV_PIX_FMT_YUV420P10);
  input.frame->color_primaries = AVCOL_PRI_BT2020;
  input.frame->color_trc = AVCOL_TRC_SMPTE2084;
  input.frame->colorspace = AVCOL_SPC_BT2020_NCL;
  KAPOK_TRY(graph.put(std::move(input), count));
  KAPOK_TRY(graph.finish(count));
  if (frames != 1) return fail(Errc::internal, "no picture came out");
  return {};
}

ProbeRow row(std::string_view device, std::string_view task, std::string_view codec,
             const Result<void>& done) {
  return {.engine = "ffmpeg",
          .device = std::string(device),
          .task = std::string(task),
          .codec = std::string(codec),
          .works = done.has_value(),
          .reason = done ? std::string() : done.error().message};
}

// The engine has no path on a device yet: what opens says so, in place of a promise.
Result<void> open_device(AVHWDeviceType type) {
  ProbeSink sink;
  const ff::AvLog log(sink);
  AVBufferRef* opened = nullptr;
  const int code = av_hwdevice_ctx_create(&opened, type, nullptr, nullptr, 0);
  av_buffer_unref(&opened);
  if (code >= 0) return fail(Errc::unsupported, "it opens, but this build has no path on it");
  if (!sink.complaint().empty()) return fail(Errc::unsupported, sink.complaint());
  // VAAPI and QSV say only in their debug log what they looked for.
  constexpr const char* kRenderNode = "/dev/dri/renderD128";
  if (!std::filesystem::exists(kRenderNode))
    return fail(Errc::unsupported, "{} not found", kRenderNode);
  return std::unexpected(ff::av_error(code, "it does not open"));
}

struct Kind {
  std::string_view device;
  AVHWDeviceType type;
  bool codes;  // has decoders and encoders
  bool maps_tones;
};
constexpr Kind kKinds[] = {{"nvidia", AV_HWDEVICE_TYPE_CUDA, true, false},
                           {"vaapi", AV_HWDEVICE_TYPE_VAAPI, true, true},
                           {"qsv", AV_HWDEVICE_TYPE_QSV, true, true},
                           {"vulkan", AV_HWDEVICE_TYPE_VULKAN, false, true}};

void probe_device(const Kind& kind, std::vector<ProbeRow>& rows) {
  const auto opened = open_device(kind.type);
  const auto each_codec = [&](std::string_view task) {
    for (const Codec codec : kCodecs)
      rows.push_back(row(kind.device, task, name_of(codec), opened));
  };
  if (kind.codes) each_codec("decode");
  rows.push_back(row(kind.device, "scale", "", opened));
  if (kind.maps_tones) rows.push_back(row(kind.device, "tone-map", "", opened));
  if (kind.codes) each_codec("encode");
}

void probe_gstreamer(std::vector<ProbeRow>& rows) {
  const gstreamer::Toolbox toolbox("auto");
  for (const gstreamer::Tried& one : toolbox.tried()) {
    std::string codec;
    if (one.codec != Codec::unknown) codec = name_of(one.codec);
    if (one.bit_depth != 8) codec += fmt::format("-{}", one.bit_depth);
    rows.push_back({.engine = "gstreamer",
                    .device = one.device,
                    .task = one.task,
                    .codec = std::move(codec),
                    .works = one.reason.empty(),
                    .reason = one.reason.empty() ? "" : one.element + ": " + one.reason});
  }
}

}  // namespace

std::vector<ProbeRow> probe_software() {
  ::setenv("SVT_LOG", "1", 0);  // NOLINT(concurrency-mt-unsafe): see ffmpeg::make_engine()
  std::vector<ProbeRow> rows;
  std::vector<ProbeRow> encoders;
  for (const Codec codec : kCodecs) {
    ProbeSink sink;
    const ff::AvLog log(sink);
    auto encoded = encode(codec, sink);
    if (!encoded && !sink.complaint().empty()) encoded.error().message += ": " + sink.complaint();
    rows.push_back(row("software", "decode", name_of(codec), decode(sink)));
    encoders.push_back(row("software", "encode", name_of(codec), encoded));
  }
  rows.push_back(row("software", "scale", "", filter(ladder::Tones::as_source)));
  rows.push_back(row("software", "tone-map", "", filter(ladder::Tones::bt709)));
  rows.insert(rows.end(), encoders.begin(), encoders.end());
  return rows;
}

std::vector<ProbeRow> probe() {
  std::vector<ProbeRow> rows = probe_software();
  for (const Kind& kind : kKinds) probe_device(kind, rows);
  probe_gstreamer(rows);
  return rows;
}

std::string as_table(const std::vector<ProbeRow>& rows) {
  constexpr const char* kLine = "{:<11}{:<10}{:<10}{:<9}{}\n";
  std::string text = fmt::format(fmt::runtime(kLine), "engine", "device", "task", "codec", "works");
  for (const auto& row : rows)
    text += fmt::format(fmt::runtime(kLine), row.engine, row.device, row.task, row.codec,
                        row.works ? "yes" : "no: " + row.reason);
  return text;
}

std::string as_json(const std::vector<ProbeRow>& rows) {
  boost::json::array all;
  for (const auto& row : rows) {
    boost::json::object one{
        {"engine", row.engine}, {"device", row.device}, {"task", row.task}, {"works", row.works}};
    if (!row.codec.empty()) one["codec"] = row.codec;
    if (!row.works) one["reason"] = row.reason;
    all.push_back(std::move(one));
  }
  return boost::json::serialize(all) + "\n";
}

}  // namespace kapok::device
