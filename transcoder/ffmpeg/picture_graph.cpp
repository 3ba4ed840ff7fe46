#include "transcoder/ffmpeg/picture_graph.hpp"

extern "C" {
#include <libavfilter/buffersink.h>
#include <libavfilter/buffersrc.h>
#include <libavutil/mem.h>
}

#include <utility>

namespace kapok::ffmpeg {

namespace {

struct InOutDeleter {
  void operator()(AVFilterInOut* ends) const { avfilter_inout_free(&ends); }
};
using InOutPtr = std::unique_ptr<AVFilterInOut, InOutDeleter>;

InOutPtr end(const char* name, AVFilterContext* filter) {
  InOutPtr made(avfilter_inout_alloc());
  if (!made) throw std::bad_alloc();
  made->name = av_strdup(name);
  made->filter_ctx = filter;
  return made;
}

// Frames on a device belong to a pool, which the graph must know before its filters are made.
int set_up(AVFilterContext* source, const AVFrame& first, media::Timescale timescale) {
  AVBufferSrcParameters* facts = av_buffersrc_parameters_alloc();
  if (facts == nullptr) throw std::bad_alloc();
  facts->format = first.format;
  facts->width = first.width;
  facts->height = first.height;
  facts->time_base = {1, static_cast<int>(timescale)};
  facts->sample_aspect_ratio = {first.sample_aspect_ratio.num,
                                std::max(1, first.sample_aspect_ratio.den)};
  facts->hw_frames_ctx = first.hw_frames_ctx;
  const int code = av_buffersrc_parameters_set(source, facts);
  av_free(facts);
  return code < 0 ? code : avfilter_init_str(source, nullptr);
}

}  // namespace

PictureGraph::PictureGraph(GraphSetup setup) : setup_(std::move(setup)) {}

PictureGraph::~PictureGraph() {
  const auto held = lock();
  graph_.reset();
}

std::unique_lock<std::mutex> PictureGraph::lock() const {
  return setup_.device ? setup_.device->lock() : std::unique_lock<std::mutex>();
}

Result<void> PictureGraph::build(const AVFrame& first) {
  graph_.reset(avfilter_graph_alloc());
  if (!graph_) throw std::bad_alloc();
  graph_->nb_threads = static_cast<int>(setup_.threads);
  source_ = avfilter_graph_alloc_filter(graph_.get(), avfilter_get_by_name("buffer"), "in");
  if (source_ == nullptr) throw std::bad_alloc();
  int code = set_up(source_, first, setup_.timescale);
  if (code >= 0)
    code = avfilter_graph_create_filter(&sink_, avfilter_get_by_name("buffersink"), "out", nullptr,
                                        nullptr, graph_.get());
  if (code < 0) return std::unexpected(av_error(code, "filter ends"));
  // avfilter_graph_parse_ptr() takes and gives the lists of what is still open.
  AVFilterInOut* outputs = end("in", source_).release();
  AVFilterInOut* inputs = end("out", sink_).release();
  code = avfilter_graph_parse_ptr(graph_.get(), setup_.text.c_str(), &inputs, &outputs, nullptr);
  const InOutPtr left_in(inputs);
  const InOutPtr left_out(outputs);
  if (code < 0) return std::unexpected(failed(code));
  for (unsigned i = 0; setup_.device && i < graph_->nb_filters; ++i) {
    AVFilterContext& filter = *graph_->filters[i];
    filter.hw_device_ctx = av_buffer_ref(setup_.device->context());
    filter.extra_hw_frames = extra_frames(bytes_of(first));
  }
  code = avfilter_graph_config(graph_.get(), nullptr);
  if (code < 0) return std::unexpected(failed(code));
  return {};
}

Result<void> PictureGraph::give(AVFrame* frame) {
  const auto held = lock();
  if (!graph_) KAPOK_TRY(build(*frame));
  if (const int code = av_buffersrc_add_frame(source_, frame); code < 0)
    return std::unexpected(failed(code));
  return {};
}

Result<FramePtr> PictureGraph::next() {
  const auto held = lock();
  FramePtr frame = make_frame();
  const int code = av_buffersink_get_frame(sink_, frame.get());
  if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) return FramePtr();
  if (code < 0) return std::unexpected(failed(code));
  return frame;
}

Result<void> PictureGraph::put(Picture picture, const OnPicture& out) {
  marks_.add(picture.mark);
  KAPOK_TRY(give(picture.frame.get()));
  return take(out);
}

Result<void> PictureGraph::finish(const OnPicture& out) {
  if (!graph_) return {};
  KAPOK_TRY(give(nullptr));
  return take(out);
}

Result<void> PictureGraph::take(const OnPicture& out) {
  const AVRational base = av_buffersink_get_time_base(sink_);
  while (true) {
    FramePtr frame = KAPOK_TRY(next());
    if (!frame) return {};
    // Deinterlacers count in half ticks.
    frame->pts = av_rescale_q(frame->pts, base, {1, static_cast<int>(setup_.timescale)});
    if (const auto mark = marks_.take({frame->pts})) out({std::move(frame), *mark});
  }
}

}  // namespace kapok::ffmpeg
