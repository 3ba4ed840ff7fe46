#include "transcoder/ffmpeg/picture_graph.hpp"

extern "C" {
#include <libavfilter/buffersink.h>
#include <libavfilter/buffersrc.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
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

// To SDR in BT.709. PQ's 100 cd/m2 becomes 1.0 of linear light, what `tonemap` takes for SDR's
// white; its peak is the mastering display's.
std::string tone_text(const media::VideoFacts& from) {
  std::string text = "format=yuv420p10le,";
  const bool hdr = dynamic_range_of(from.colour) != media::DynamicRange::sdr;
  // HDR without primaries or matrix is BT.2020: there is no other [BT.2100].
  if (hdr && (from.colour.primaries == 2 || from.colour.matrix == 2))
    text += "setparams=color_primaries=bt2020:colorspace=bt2020nc,";
  if (hdr)
    return text +
           "zscale=t=linear:npl=100,format=gbrpf32le,zscale=p=bt709,tonemap=hable:desat=0,"
           "zscale=t=bt709:m=bt709:r=tv";
  return text + "zscale=p=bt709:t=bt709:m=bt709:r=tv";
}

}  // namespace

std::string graph_text(const ladder::PlannedPicture& to, const media::VideoFacts& from) {
  std::string text;
  if (from.interlaced) text = "bwdif=mode=send_frame:deint=interlaced,";
  text += fmt::format("scale=w={}:h={}:flags=bicubic:out_range=tv", to.width, to.height);
  if (to.tones == ladder::Tones::bt709) text += "," + tone_text(from);
  // The rounding of the width to even does not show in the shape of pixels.
  return text + fmt::format(",setsar={}/{},format={}", from.sample_aspect.numerator,
                            from.sample_aspect.denominator,
                            to.bit_depth == 10 ? "yuv420p10le" : "yuv420p");
}

PictureGraph::PictureGraph(const ladder::PlannedPicture& to, const media::VideoFacts& from,
                           media::Timescale timescale, unsigned threads)
    : text_(graph_text(to, from)), timescale_(timescale), threads_(threads) {}

Result<void> PictureGraph::build(const AVFrame& first) {
  graph_.reset(avfilter_graph_alloc());
  if (!graph_) throw std::bad_alloc();
  graph_->nb_threads = static_cast<int>(threads_);
  const std::string source =
      fmt::format("video_size={}x{}:pix_fmt={}:time_base=1/{}:pixel_aspect={}/{}", first.width,
                  first.height, first.format, timescale_, first.sample_aspect_ratio.num,
                  std::max(1, first.sample_aspect_ratio.den));
  int code = avfilter_graph_create_filter(&source_, avfilter_get_by_name("buffer"), "in",
                                          source.c_str(), nullptr, graph_.get());
  if (code >= 0)
    code = avfilter_graph_create_filter(&sink_, avfilter_get_by_name("buffersink"), "out", nullptr,
                                        nullptr, graph_.get());
  if (code < 0) return std::unexpected(av_error(code, "filter ends"));
  // avfilter_graph_parse_ptr() takes and gives the lists of what is still open.
  AVFilterInOut* outputs = end("in", source_).release();
  AVFilterInOut* inputs = end("out", sink_).release();
  code = avfilter_graph_parse_ptr(graph_.get(), text_.c_str(), &inputs, &outputs, nullptr);
  const InOutPtr left_in(inputs);
  const InOutPtr left_out(outputs);
  if (code >= 0) code = avfilter_graph_config(graph_.get(), nullptr);
  if (code < 0) return std::unexpected(av_error(code, text_));
  return {};
}

Result<void> PictureGraph::put(Picture picture, const OnPicture& out) {
  if (!graph_) KAPOK_TRY(build(*picture.frame));
  marks_.add(picture.mark);
  const int code = av_buffersrc_add_frame(source_, picture.frame.get());
  if (code < 0) return std::unexpected(av_error(code, text_));
  return take(out);
}

Result<void> PictureGraph::finish(const OnPicture& out) {
  if (!graph_) return {};
  if (const int code = av_buffersrc_add_frame(source_, nullptr); code < 0)
    return std::unexpected(av_error(code, text_));
  return take(out);
}

Result<void> PictureGraph::take(const OnPicture& out) {
  const AVRational base = av_buffersink_get_time_base(sink_);
  while (true) {
    FramePtr frame = make_frame();
    const int code = av_buffersink_get_frame(sink_, frame.get());
    if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) return {};
    if (code < 0) return std::unexpected(av_error(code, text_));
    // Deinterlacers count in half ticks.
    frame->pts = av_rescale_q(frame->pts, base, {1, static_cast<int>(timescale_)});
    if (const auto mark = marks_.take({frame->pts})) out({std::move(frame), *mark});
  }
}

}  // namespace kapok::ffmpeg
