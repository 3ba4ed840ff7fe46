#include "transcoder/device/probe.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <cstdlib>
#include <utility>

#include "transcoder/device/probe_sink.hpp"
#include "transcoder/ffmpeg/av_log.hpp"
#include "transcoder/ffmpeg/graph_text.hpp"
#include "transcoder/ffmpeg/picture_graph.hpp"
#include "transcoder/ffmpeg/video_decoder.hpp"
#include "transcoder/ffmpeg/video_encoder.hpp"
#include "transcoder/gstreamer/toolbox.hpp"

namespace kapok::device {

namespace {

namespace ff = kapok::ffmpeg;
using ff::Coding;
using media::Codec;

constexpr Coding kCodings[] = {
    {Codec::avc, 8}, {Codec::hevc, 8}, {Codec::hevc, 10}, {Codec::av1, 8}, {Codec::av1, 10}};
constexpr media::Timescale kTimescale = 90000;
constexpr std::int64_t kFrameTicks = 3600;
constexpr int kFrames = 5;
// The smallest that every device's coders take.
constexpr std::uint32_t kWidth = 256;
constexpr std::uint32_t kHeight = 144;

constexpr AVPixelFormat format_of(unsigned bit_depth) {
  return bit_depth > 8 ? AV_PIX_FMT_YUV420P10LE : AV_PIX_FMT_YUV420P;
}

ff::FramePtr grey_picture(unsigned bit_depth) {
  ff::FramePtr frame = ff::make_frame();
  frame->format = format_of(bit_depth);
  frame->width = static_cast<int>(kWidth);
  frame->height = static_cast<int>(kHeight);
  frame->sample_aspect_ratio = {1, 1};
  frame->color_range = AVCOL_RANGE_MPEG;
  if (av_frame_get_buffer(frame.get(), 0) < 0) throw std::bad_alloc();
  constexpr int kGrey = 0x20;
  constexpr int kLines = static_cast<int>(kHeight);
  for (int plane = 0; plane < 3; ++plane)
    for (int line = 0; line < (plane == 0 ? kLines : kLines / 2); ++line) {
      std::uint8_t* row = frame->data[plane] + line * frame->linesize[plane];
      // In 10 bits the upper byte may hold two of them.
      for (int i = 0; i < frame->linesize[plane]; ++i)
        row[i] = bit_depth > 8 && i % 2 != 0 ? 1 : kGrey;
    }
  return frame;
}

ff::Picture picture(int number, unsigned bit_depth) {
  const media::Ticks pts{number * kFrameTicks};
  ff::Picture made{
      grey_picture(bit_depth),
      {.pts = pts, .duration = {kFrameTicks}, .arrival = {}, .starts_segment = number == 0}};
  made.frame->pts = pts.count;
  return made;
}

Result<void> count_is(std::size_t found, int expected) {
  if (found == static_cast<std::size_t>(expected)) return {};
  return fail(Errc::unsupported, "{} of {} frames came out", found, expected);
}

ff::Step step(ff::Place work, ff::Place out) {
  return {.from = {},
          .picture = 0,
          .in = ff::Place::memory,
          .scales_on = work,
          .maps_on = work,
          .out = out};
}

// A few pictures from memory through one step.
Result<std::vector<ff::Picture>> filter(const std::shared_ptr<ff::HwDevice>& device,
                                        const ff::StepWork& work, bool hdr) {
  ff::PictureGraph graph(
      {.text = ff::graph_text(work), .device = device, .timescale = kTimescale, .threads = 1});
  std::vector<ff::Picture> made;
  const auto keep = [&](ff::Picture out) { made.push_back(std::move(out)); };
  for (int i = 0; i < kFrames; ++i) {
    auto input = picture(i, work.from.bit_depth);
    if (hdr) {
      input.frame->color_primaries = AVCOL_PRI_BT2020;
      input.frame->color_trc = AVCOL_TRC_SMPTE2084;
      input.frame->colorspace = AVCOL_SPC_BT2020_NCL;
    }
    KAPOK_TRY(graph.put(std::move(input), keep));
  }
  KAPOK_TRY(graph.finish(keep));
  KAPOK_TRY(count_is(made.size(), kFrames));
  return made;
}

Result<void> try_filter(const std::shared_ptr<ff::HwDevice>& device, ladder::Tones tones) {
  const bool maps = tones == ladder::Tones::bt709;
  ff::StepWork work;
  work.to = {
      .width = kWidth / 2, .height = kHeight / 2, .bit_depth = 8, .tones = tones, .from = {}};
  work.from.width = kWidth;
  work.from.height = kHeight;
  work.from.bit_depth = maps ? 10 : 8;
  if (maps) work.from.colour = {.primaries = 9, .transfer = 16, .matrix = 9};
  if (device) {
    work.row = &device->row();
    if (std::string_view(maps ? work.row->map : work.row->scale).empty())
      return fail(Errc::unsupported, "this build knows no filter of its for it");
  }
  work.step = step(device ? ff::Place::device : ff::Place::memory, ff::Place::memory);
  KAPOK_TRY(filter(device, work, maps));
  return {};
}

// What the encoder gets: in memory, or moved to the device.
Result<std::vector<ff::Picture>> pictures_for(const std::shared_ptr<ff::HwDevice>& device,
                                              std::uint8_t bit_depth) {
  std::vector<ff::Picture> made;
  for (int i = 0; !device && i < kFrames; ++i) made.push_back(picture(i, bit_depth));
  if (!device) return made;
  ff::StepWork work;
  work.step = step(ff::Place::memory, ff::Place::device);
  work.step.picture.reset();
  work.from.bit_depth = bit_depth;
  work.row = &device->row();
  return filter(device, work, false);
}

Result<void> try_encoder(const std::shared_ptr<ff::HwDevice>& device, Coding coding,
                         ProbeSink& sink) {
  if (device && std::string_view(encoder_name(device->row(), coding.codec)).empty())
    return fail(Errc::unsupported, "this build knows no encoder of its for it");
  auto pictures = KAPOK_TRY(pictures_for(device, coding.bit_depth));
  media::VideoRung rung;
  rung.name = "probe";
  rung.codec = coding.codec;
  rung.bit_depth = coding.bit_depth;
  constexpr std::uint32_t kBitRate = 500'000;
  rung.bit_rate = kBitRate;
  ff::RungCounters counters;
  const auto encoder =
      KAPOK_TRY(ff::VideoEncoder::open({.rung = rung,
                                        .id = 1,
                                        .timescale = kTimescale,
                                        .frame_rate = {25, 1},
                                        .threads = 1,
                                        .device = device},
                                       *pictures.front().frame, {}, sink, counters));
  for (auto& each : pictures) KAPOK_TRY(encoder->encode(std::move(each)));
  KAPOK_TRY(encoder->finish());
  return count_is(sink.packets().size(), kFrames);
}

Result<void> try_decoder(const std::shared_ptr<ff::HwDevice>& device,
                         const Samples::Sample& sample) {
  if (!sample.encoded)
    return fail(Errc::unsupported, "nothing to decode: {}", sample.encoded.error().message);
  ff::Counters counters;
  int frames = 0;
  int on_device = 0;
  const auto count = [&](const ff::Picture& made) {
    ++frames;
    on_device += ff::is_on_device(*made.frame) ? 1 : 0;
  };
  const auto decoder = KAPOK_TRY(ff::VideoDecoder::open(*sample.track, 1, counters, count, device));
  for (const auto& packet : sample.packets) decoder->decode(packet, ladder::SegmentStart::no);
  decoder->flush();
  KAPOK_TRY(count_is(static_cast<std::size_t>(frames), kFrames));
  if (device && on_device != frames)
    return fail(Errc::unsupported, "its decoder does not take this");
  return {};
}

// "hevc-10"
std::string word_for(Coding coding) {
  std::string word(name_of(coding.codec));
  if (coding.bit_depth > 8) word += fmt::format("-{}", coding.bit_depth);
  return word;
}

class DeviceProbe {
 public:
  explicit DeviceProbe(const Found& found) {
    probed_.path.device = found.id;
    probed_.path.name = found.name;
    probed_.path.is_processor = found.is_processor;
    if (const auto* row = ff::row_of(found.id.kind)) {
      opened_ = attempt([&](ProbeSink&) -> Result<void> {
        probed_.path.opened = KAPOK_TRY(ff::HwDevice::open(*row, found.address));
        return {};
      });
    }
  }

  Probed run(const Samples& samples) {
    ff::Abilities& can = probed_.path.can;
    const auto& device = probed_.path.opened;
    for (const auto& sample : samples.all())
      if (row("decode", sample.coding, [&](ProbeSink&) { return try_decoder(device, sample); }))
        can.decodes.push_back(sample.coding);
    can.scales =
        row("scale", {}, [&](ProbeSink&) { return try_filter(device, ladder::Tones::as_source); });
    can.maps =
        row("tone-map", {}, [&](ProbeSink&) { return try_filter(device, ladder::Tones::bt709); });
    for (const Coding coding : kCodings)
      if (row("encode", coding, [&](ProbeSink& sink) { return try_encoder(device, coding, sink); }))
        can.encodes.push_back(coding);
    return std::move(probed_);
  }

 private:
  // With what libav said of it.
  template <class Task>
  static Result<void> attempt(Task task) {
    ProbeSink sink;
    const ff::AvLog log(sink);
    Result<void> done = task(sink);
    if (!done && !sink.complaint().empty()) done.error().message += " (" + sink.complaint() + ")";
    return done;
  }
  template <class Task>
  bool row(std::string_view task, std::optional<Coding> coding, Task attempted) {
    const Result<void> done = opened_ ? attempt(attempted) : opened_;
    probed_.rows.push_back({.engine = "ffmpeg",
                            .device = word_of(probed_.path.device),
                            .name = probed_.path.name,
                            .task = std::string(task),
                            .codec = coding ? word_for(*coding) : "",
                            .works = done.has_value(),
                            .reason = done ? std::string() : done.error().message});
    return done.has_value();
  }

  Probed probed_;
  Result<void> opened_;
};

void probe_gstreamer(std::vector<ProbeRow>& rows) {
  const gstreamer::Toolbox toolbox("auto");
  for (const gstreamer::Tried& one : toolbox.tried()) {
    std::string codec;
    if (one.codec != Codec::unknown) codec = name_of(one.codec);
    if (one.bit_depth != 8) codec += fmt::format("-{}", one.bit_depth);
    rows.push_back({.engine = "gstreamer",
                    .device = one.device,
                    .name = "",
                    .task = one.task,
                    .codec = std::move(codec),
                    .works = one.reason.empty(),
                    .reason = one.reason.empty() ? "" : one.element + ": " + one.reason});
  }
}

}  // namespace

Samples::Samples() {
  ::setenv("SVT_LOG", "1", 0);  // NOLINT(concurrency-mt-unsafe): see ffmpeg::make_engine()
  for (const Coding coding : kCodings) {
    ProbeSink sink;
    const ff::AvLog log(sink);
    auto encoded = try_encoder(nullptr, coding, sink);
    if (!encoded && !sink.complaint().empty()) encoded.error().message += ": " + sink.complaint();
    all_.push_back({coding, std::move(encoded), sink.track(), sink.packets()});
  }
}

Probed probe_device(const Found& found, const Samples& samples) {
  return DeviceProbe(found).run(samples);
}

std::vector<ProbeRow> probe() {
  const Samples samples;
  std::vector<ProbeRow> rows;
  for (const media::DeviceKind kind : media::kDeviceKinds) {
    const auto found = list_devices(kind);
    if (!found) {
      rows.push_back({.engine = "ffmpeg",
                      .device = std::string(name_of(kind)),
                      .name = "",
                      .task = "find",
                      .codec = "",
                      .works = false,
                      .reason = found.error().message});
      continue;
    }
    for (const Found& each : *found) {
      auto probed = probe_device(each, samples);
      std::ranges::move(probed.rows, std::back_inserter(rows));
    }
  }
  probe_gstreamer(rows);
  return rows;
}

std::string as_table(const std::vector<ProbeRow>& rows) {
  constexpr const char* kLine = "{:<11}{:<12}{:<10}{:<9}{}\n";
  std::string text = fmt::format(fmt::runtime(kLine), "engine", "device", "task", "codec", "works");
  std::string_view device;
  for (const auto& row : rows) {
    if (row.device != device && !row.name.empty())
      text += fmt::format("{:<11}{:<12}is {}\n", "", row.device, row.name);
    device = row.device;
    text += fmt::format(fmt::runtime(kLine), row.engine, row.device, row.task, row.codec,
                        row.works ? "yes" : "no: " + row.reason);
  }
  return text;
}

std::string as_json(const std::vector<ProbeRow>& rows) {
  boost::json::array all;
  for (const auto& row : rows) {
    boost::json::object one{
        {"engine", row.engine}, {"device", row.device}, {"task", row.task}, {"works", row.works}};
    if (!row.name.empty()) one["name"] = row.name;
    if (!row.codec.empty()) one["codec"] = row.codec;
    if (!row.works) one["reason"] = row.reason;
    all.push_back(std::move(one));
  }
  return boost::json::serialize(all) + "\n";
}

}  // namespace kapok::device
