// libav's objects with owners, and its errors as ours. libav is C: everything it allocates is held
// by one of these.
#pragma once

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavfilter/avfilter.h>
#include <libavutil/buffer.h>
#include <libavutil/dict.h>
#include <libavutil/frame.h>
#include <libswresample/swresample.h>
}

#include <memory>
#include <string>
#include <string_view>

#include "server/base/result.hpp"
#include "server/media/track.hpp"

namespace kapok::ffmpeg {

struct Deleter {
  void operator()(AVFrame* frame) const { av_frame_free(&frame); }
  void operator()(AVPacket* packet) const { av_packet_free(&packet); }
  void operator()(AVCodecContext* context) const { avcodec_free_context(&context); }
  void operator()(AVFilterGraph* graph) const { avfilter_graph_free(&graph); }
  void operator()(SwrContext* context) const { swr_free(&context); }
  void operator()(AVCodecParserContext* parser) const { av_parser_close(parser); }
};
using FramePtr = std::unique_ptr<AVFrame, Deleter>;
using PacketPtr = std::unique_ptr<AVPacket, Deleter>;
using ContextPtr = std::unique_ptr<AVCodecContext, Deleter>;
using GraphPtr = std::unique_ptr<AVFilterGraph, Deleter>;
using ResamplerPtr = std::unique_ptr<SwrContext, Deleter>;
using ParserPtr = std::unique_ptr<AVCodecParserContext, Deleter>;

// Options for an avcodec_open2(); what it did not know stays inside.
class Options {
 public:
  Options() = default;
  ~Options() { av_dict_free(&held_); }
  Options(const Options&) = delete;
  Options& operator=(const Options&) = delete;
  void set(const char* key, const std::string& value) {
    av_dict_set(&held_, key, value.c_str(), 0);
  }
  AVDictionary** get() { return &held_; }

 private:
  AVDictionary* held_ = nullptr;
};

// libav allocates small objects without a way to go on when that fails; nor have we one.
FramePtr make_frame();
PacketPtr make_packet();
// A new reference to the same picture.
FramePtr share(const AVFrame& frame);

// "avcodec_open2: Invalid argument"
Error av_error(int code, std::string_view what);

AVCodecID codec_id(media::Codec codec);
// What decodes a track; null: nothing that we let loose on a stranger's bytes. A track of an
// unknown codec says in codec_string how libavcodec names it; of those, what studios and archives
// use.
const AVCodec* decoder_of(const media::Track& track);
// A decoder's or encoder's memory for `config`, padded as libav wants it.
Result<void> set_extradata(AVCodecContext& context, ByteSpan config);

// What the frame itself says, completed by what the track says of it: a track knows the alternative
// transfer characteristics, a frame that bitstream's own change.
media::VideoFacts facts_of(const AVFrame& frame, const media::VideoFacts& track);
// The track's facts have what a decoder's frame may not: SEI folded in, colour of the record.
void complete_colour(AVFrame& frame, const media::VideoFacts& track);
std::size_t bytes_of(const AVFrame& frame);

// Not in memory: its pixels cannot be looked at, see in_memory().
bool is_on_device(const AVFrame& frame);
// The format of the pixels, on a device too.
AVPixelFormat pixels_of(const AVFrame& frame);

// How many cores this process may use.
unsigned usable_cores();

}  // namespace kapok::ffmpeg
