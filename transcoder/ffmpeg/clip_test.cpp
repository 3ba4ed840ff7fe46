#include "transcoder/ffmpeg/clip_test.hpp"

extern "C" {
#include <libavfilter/buffersink.h>
#include <libavfilter/buffersrc.h>
#include <libavutil/pixdesc.h>
}

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "transcoder/ffmpeg/video_encoder.hpp"

namespace kapok::ffmpeg {

namespace {

template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}
void must_av(int code, const std::string& what) {
  if (code < 0) throw std::runtime_error(av_error(code, what).message);
}

// A graph of `text`, read at its end; with `first`, fed at its beginning.
struct Graph {
  Graph(const std::string& text, const AVFrame* first) : graph(avfilter_graph_alloc()) {
    AVFilterInOut* open_in = nullptr;
    AVFilterInOut* open_out = nullptr;
    std::string whole = text + "[out];[out]buffersink@out";
    if (first != nullptr)
      whole = fmt::format("buffer@in=video_size={}x{}:pix_fmt={}:time_base=1/{}[in];[in]{}",
                          first->width, first->height, first->format, kClipTimescale, whole);
    must_av(avfilter_graph_parse2(graph.get(), whole.c_str(), &open_in, &open_out), whole);
    must_av(avfilter_graph_config(graph.get(), nullptr), whole);
    in = avfilter_graph_get_filter(graph.get(), "buffer@in");
    out = avfilter_graph_get_filter(graph.get(), "buffersink@out");
  }
  FramePtr next() const {
    FramePtr frame = make_frame();
    const int code = av_buffersink_get_frame(out, frame.get());
    return code < 0 ? nullptr : std::move(frame);
  }
  GraphPtr graph;
  AVFilterContext* in = nullptr;
  AVFilterContext* out = nullptr;
};

}  // namespace

void RecordingSink::track(std::string_view rung, std::shared_ptr<const media::Track> track) {
  const std::lock_guard lock(mutex_);
  rungs_[std::string(rung)].tracks.push_back(std::move(track));
}

void RecordingSink::packet(std::string_view rung, media::Packet packet) {
  const std::lock_guard lock(mutex_);
  Rung& to = rungs_[std::string(rung)];
  to.packets.push_back(std::move(packet));
  to.track_of.push_back(to.tracks.size() - 1);
}

void RecordingSink::image(media::Image image) {
  const std::lock_guard lock(mutex_);
  images_.push_back(std::move(image));
}

std::vector<media::Image> RecordingSink::images(media::ImageKind kind) const {
  const std::lock_guard lock(mutex_);
  std::vector<media::Image> found;
  for (const media::Image& image : images_)
    if (image.kind == kind) found.push_back(image);
  return found;
}

void RecordingSink::notice(LogLevel, std::string_view event, std::string_view text) {
  const std::lock_guard lock(mutex_);
  notices_.emplace_back(event, text);
}

void RecordingSink::anomaly(const media::AnomalyEvent& event) {
  const std::lock_guard lock(mutex_);
  anomalies_.push_back(event);
}

std::size_t RecordingSink::notices(std::string_view event) const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::size_t>(
      std::ranges::count_if(notices_, [&](const auto& n) { return n.first == event; }));
}

std::string RecordingSink::all_notices() const {
  const std::lock_guard lock(mutex_);
  std::string all;
  for (const auto& [event, text] : notices_) all += event + ": " + text + "\n";
  return all;
}

bool Clip::starts(const media::Packet& packet) const {
  return std::ranges::find(segment_starts, packet.pts.count) != segment_starts.end();
}

std::vector<FramePtr> make_pictures(const std::string& pictures, int count) {
  const Graph graph(pictures, nullptr);
  std::vector<FramePtr> made;
  while (static_cast<int>(made.size()) < count) {
    made.push_back(graph.next());
    if (!made.back()) throw std::runtime_error("no more pictures: " + pictures);
  }
  return made;
}

std::vector<FramePtr> filtered(const std::vector<FramePtr>& from, const std::string& filters) {
  const Graph graph(filters, from.front().get());
  std::vector<FramePtr> made;
  for (const auto& frame : from) {
    must_av(av_buffersrc_add_frame(graph.in, share(*frame).get()), filters);
    while (auto next = graph.next()) made.push_back(std::move(next));
  }
  return made;
}

Clip make_clip(const ClipSpec& spec) {
  auto pictures = make_pictures(spec.pictures, spec.frames);
  for (auto& picture : pictures) {
    const auto& colour = spec.facts.colour;
    picture->color_primaries = static_cast<AVColorPrimaries>(colour.primaries);
    picture->color_trc = static_cast<AVColorTransferCharacteristic>(colour.transfer);
    picture->colorspace = static_cast<AVColorSpace>(colour.matrix);
    picture->color_range = AVCOL_RANGE_MPEG;
  }
  media::VideoRung as;
  as.name = "clip";
  as.codec = spec.codec;
  as.bit_rate = 8'000'000;
  as.b_frames = spec.b_frames;
  as.preset = spec.codec == media::Codec::av1 ? "12" : "ultrafast";
  RecordingSink sink;
  RungCounters counters;
  auto encoder = must(VideoEncoder::open(
      {.rung = as, .id = 1, .timescale = kClipTimescale, .frame_rate = {50, 1}, .threads = 2},
      *pictures.front(), spec.facts, sink, counters));
  Clip clip;
  for (int i = 0; i < spec.frames; ++i) {
    const media::Ticks pts{spec.begin + i * kClipFrame};
    const bool starts = i % spec.segment == 0;
    if (starts) clip.segment_starts.push_back(pts.count);
    must(encoder->encode({std::move(pictures[static_cast<std::size_t>(i)]),
                          {.pts = pts,
                           .duration = {kClipFrame},
                           .arrival = MonoTime(std::chrono::milliseconds(i)),
                           .starts_segment = starts}}));
  }
  must(encoder->finish());
  clip.track = sink["clip"].tracks.at(0);
  clip.packets = std::move(sink["clip"].packets);
  return clip;
}

std::vector<FramePtr> decode(const media::Track& track, const std::vector<media::Packet>& packets) {
  const AVCodec* codec = avcodec_find_decoder(codec_id(track.codec));
  ContextPtr context(avcodec_alloc_context3(codec));
  must(set_extradata(*context, track.config.bytes()));
  must_av(avcodec_open2(context.get(), codec, nullptr), "decoder");
  std::vector<FramePtr> frames;
  const auto receive = [&] {
    while (true) {
      FramePtr frame = make_frame();
      if (avcodec_receive_frame(context.get(), frame.get()) < 0) return;
      frames.push_back(std::move(frame));
    }
  };
  for (const auto& packet : packets) {
    const PacketPtr input = make_packet();
    input->data = const_cast<std::uint8_t*>(as_u8(packet.payload.bytes()));
    input->size = static_cast<int>(packet.payload.size());
    input->pts = packet.pts.count;
    input->dts = packet.dts.count;
    must_av(avcodec_send_packet(context.get(), input.get()), "decode");
    receive();
  }
  avcodec_send_packet(context.get(), nullptr);
  receive();
  return frames;
}

double psnr(const std::vector<FramePtr>& a, const std::vector<FramePtr>& b) {
  if (a.size() != b.size() || a.empty() || a[0]->format != b[0]->format ||
      a[0]->width != b[0]->width || a[0]->height != b[0]->height)
    throw std::runtime_error("pictures that cannot be compared");
  const int depth = av_pix_fmt_desc_get(static_cast<AVPixelFormat>(a[0]->format))->comp[0].depth;
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (int y = 0; y < a[i]->height; ++y) {
      const auto* row_a = a[i]->data[0] + y * a[i]->linesize[0];
      const auto* row_b = b[i]->data[0] + y * b[i]->linesize[0];
      for (int x = 0; x < a[i]->width; ++x) {
        const auto at = [&](const std::uint8_t* row) {
          return depth == 8 ? int{row[x]} : row[2 * x] | row[2 * x + 1] << 8;
        };
        const double difference = at(row_a) - at(row_b);
        sum += difference * difference;
      }
    }
  }
  const double pixels = static_cast<double>(a.size()) * a[0]->width * a[0]->height;
  const double peak = (1 << depth) - 1;
  return 10 * std::log10(peak * peak / std::max(sum / pixels, 1e-9));
}

double ssim(const std::vector<FramePtr>& a, const std::vector<FramePtr>& b) {
  if (a.size() != b.size() || a.empty() || a[0]->width != b[0]->width)
    throw std::runtime_error("pictures that cannot be compared");
  constexpr int kBlock = 8;
  constexpr double kPixels = kBlock * kBlock;
  constexpr double kC1 = 0.01 * 255 * 0.01 * 255;  // [Wang et al. 2004]
  constexpr double kC2 = 0.03 * 255 * 0.03 * 255;
  double sum = 0;
  std::size_t blocks = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    for (int y = 0; y + kBlock <= a[i]->height; y += kBlock)
      for (int x = 0; x + kBlock <= a[i]->width; x += kBlock) {
        double s_a = 0;
        double s_b = 0;
        double s_aa = 0;
        double s_bb = 0;
        double s_ab = 0;
        for (int row = 0; row < kBlock; ++row)
          for (int column = 0; column < kBlock; ++column) {
            const double p = a[i]->data[0][(y + row) * a[i]->linesize[0] + x + column];
            const double q = b[i]->data[0][(y + row) * b[i]->linesize[0] + x + column];
            s_a += p;
            s_b += q;
            s_aa += p * p;
            s_bb += q * q;
            s_ab += p * q;
          }
        const double m_a = s_a / kPixels;
        const double m_b = s_b / kPixels;
        const double variance = (s_aa + s_bb) / kPixels - m_a * m_a - m_b * m_b;
        const double covariance = s_ab / kPixels - m_a * m_b;
        sum += (2 * m_a * m_b + kC1) * (2 * covariance + kC2) /
               ((m_a * m_a + m_b * m_b + kC1) * (variance + kC2));
        ++blocks;
      }
  return sum / static_cast<double>(blocks);
}

void feed(ladder::Engine& engine, const Clip& clip) {
  must(engine.track(clip.track));
  for (const auto& packet : clip.packets)
    must(engine.packet(packet,
                       clip.starts(packet) ? ladder::SegmentStart::yes : ladder::SegmentStart::no));
}

std::vector<std::int64_t> pts_of(const std::vector<media::Packet>& packets) {
  std::vector<std::int64_t> pts;
  for (const auto& packet : packets) pts.push_back(packet.pts.count);
  std::ranges::sort(pts);
  return pts;
}

std::vector<std::int64_t> sync_pts_of(const std::vector<media::Packet>& packets) {
  std::vector<std::int64_t> pts;
  for (const auto& packet : packets)
    if (packet.sync) pts.push_back(packet.pts.count);
  return pts;
}

media::VideoRung rung(std::string name, media::Codec codec, std::uint32_t height) {
  media::VideoRung made;
  made.name = std::move(name);
  made.codec = codec;
  made.height = height;
  made.bit_rate = 2'000'000;
  made.preset = codec == media::Codec::av1 ? "12" : "ultrafast";
  return made;
}

media::VideoFacts hdr10_facts() {
  media::VideoFacts facts;
  facts.colour = {.primaries = 9, .transfer = 16, .matrix = 9};
  facts.mastering = media::MasteringDisplay{.primaries_x = {8500, 6550, 35400},
                                            .primaries_y = {39850, 2300, 14600},
                                            .white_x = 15635,
                                            .white_y = 16450,
                                            .max_luminance = 10'000'000,
                                            .min_luminance = 50};
  facts.light = media::ContentLight{1000, 400};
  return facts;
}

}  // namespace kapok::ffmpeg
