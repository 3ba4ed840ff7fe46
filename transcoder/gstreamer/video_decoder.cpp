#include "transcoder/gstreamer/video_decoder.hpp"

#include <algorithm>
#include <utility>

#include "transcoder/gstreamer/frame.hpp"

namespace kapok::gstreamer {

namespace {

// Small beside pictures; the lane's queue before it is the one that is bounded in time.
constexpr std::size_t kQueuedPackets = 4;

std::string_view coded_name(media::Codec codec) {
  switch (codec) {
    case media::Codec::avc:
      return "video/x-h264,stream-format=avc,alignment=au";
    case media::Codec::hevc:
      return "video/x-h265,stream-format=hvc1,alignment=au";
    case media::Codec::av1:
      return "video/x-av1,stream-format=obu-stream,alignment=tu";
    default:
      return "";
  }
}

// What a decoder is told of a track.
Result<CapsPtr> coded_caps_of(const media::Track& track) {
  const std::string_view name = coded_name(track.codec);
  const media::VideoFacts* facts = track.video();
  if (name.empty() || facts == nullptr)
    return fail(Errc::unsupported, "GStreamer gets no {} from us", name_of(track.codec));
  CapsPtr caps = caps_of(std::string(name));
  if (!track.config.empty()) {
    const BufferPtr config(gst_buffer_new_memdup(track.config.data(), track.config.size()));
    gst_caps_set_simple(caps.get(), "codec_data", GST_TYPE_BUFFER, config.get(), nullptr);
  }
  gst_caps_set_simple(caps.get(), "width", G_TYPE_INT, static_cast<int>(facts->width), "height",
                      G_TYPE_INT, static_cast<int>(facts->height), nullptr);
  return caps;
}

}  // namespace

VideoDecoder::VideoDecoder(std::shared_ptr<const media::Track> track, std::string text,
                           ffmpeg::Counters& counters, ffmpeg::OnPicture out)
    : track_(std::move(track)), text_(std::move(text)), counters_(counters), out_(std::move(out)) {}

Result<std::unique_ptr<VideoDecoder>> VideoDecoder::open(std::shared_ptr<const media::Track> track,
                                                         std::string text,
                                                         ffmpeg::Counters& counters,
                                                         ffmpeg::OnPicture out) {
  std::unique_ptr<VideoDecoder> made(
      new VideoDecoder(std::move(track), std::move(text), counters, std::move(out)));
  KAPOK_TRY(made->open_pipe());
  return made;
}

Result<void> VideoDecoder::open_pipe() {
  // Frames in memory that every element reads: a decoder on a device copies them down.
  Pipe::Setup setup{.text = text_,
                    .after = {},
                    .in = KAPOK_TRY(coded_caps_of(*track_)),
                    .out = caps_of("video/x-raw"),
                    .queued = kQueuedPackets};
  pipe_ = KAPOK_TRY(Pipe::open(std::move(setup), [this](GstSample& sample) { give(sample); }));
  times_.reset();
  return {};
}

void VideoDecoder::decode(const media::Packet& packet, ladder::SegmentStart start) {
  const bool starts_segment = start == ladder::SegmentStart::yes;
  const bool is_dropped = waits_for_sync_ && !packet.sync;
  if (is_dropped || packet.payload.empty()) {
    ++(is_dropped ? counters_.dropped : counters_.decode_errors);
    waits_for_sync_ = true;
    // Pictures of before are still to come out: the one behind this packet starts the segment.
    if (starts_segment) add_mark(packet, starts_segment);
    return;
  }
  // A clock that ran backwards without a word: what was before is finished.
  if (times_ && times_->at(std::min(packet.pts, packet.dts)).count() < 0) flush();
  if (!pipe_) {
    if (const auto opened = open_pipe(); !opened) return failed(opened.error());
  }
  waits_for_sync_ = false;
  add_mark(packet, starts_segment);
  if (const auto pushed = push(packet); !pushed) return failed(pushed.error());
  const std::lock_guard lock(mutex_);
  if (unreadable_) lost_ = unreadable_;
}

Result<void> VideoDecoder::push(const media::Packet& packet) {
  if (!times_) times_ = Times{.base = packet.pts, .timescale = track_->timescale};
  BufferPtr buffer = wrap(packet.payload.bytes(), std::make_shared<const Buffer>(packet.payload));
  GST_BUFFER_PTS(buffer.get()) = static_cast<GstClockTime>(times_->at(packet.pts).count());
  GST_BUFFER_DTS(buffer.get()) = static_cast<GstClockTime>(times_->at(packet.dts).count());
  if (!packet.sync) GST_BUFFER_FLAG_SET(buffer.get(), GST_BUFFER_FLAG_DELTA_UNIT);
  return pipe_->push(std::move(buffer));
}

void VideoDecoder::add_mark(const media::Packet& packet, bool starts_segment) {
  const std::lock_guard lock(mutex_);
  marks_.add({.pts = packet.pts,
              .duration = packet.duration,
              .arrival = packet.arrival,
              .starts_segment = starts_segment});
}

// A pipeline that gave up: a new one takes its place where decoding can start.
void VideoDecoder::failed(const Error& error) {
  pipe_.reset();
  ++counters_.decode_errors;
  forget_marks();
  if (++failures_ == kMaxFailures) lost_ = error;
}

std::size_t VideoDecoder::forget_marks() {
  const std::lock_guard lock(mutex_);
  waits_for_sync_ = true;
  return marks_.forget();
}

void VideoDecoder::flush() {
  if (!pipe_) return;
  if (const auto done = pipe_->finish(); !done) return failed(done.error());
  pipe_.reset();
  counters_.decode_errors += forget_marks();
}

// Of a picture that is to go on.
std::optional<ffmpeg::Mark> VideoDecoder::mark_of(GstSample& sample, const AVFrame* frame) {
  const std::lock_guard lock(mutex_);
  const auto at = running_time(sample, GST_BUFFER_PTS(gst_sample_get_buffer(&sample)));
  std::optional<ffmpeg::Mark> mark;
  if (at) mark = marks_.take(times_->ticks(*at));
  if (!mark || frame == nullptr || ladder::is_oversized(frame->width, frame->height)) {
    ++counters_.decode_errors;  // a picture out of order, twice, or one that lied about its size
    if (mark && mark->starts_segment) marks_.lose_start();
    return std::nullopt;
  }
  ++counters_.decoded;
  failures_ = 0;
  counters_.decode_errors += marks_.pass(*mark);  // they never gave a picture
  return mark;
}

void VideoDecoder::give(GstSample& sample) {
  GstBuffer* buffer = gst_sample_get_buffer(&sample);
  const GstCaps* caps = gst_sample_get_caps(&sample);
  auto frame =
      caps == nullptr ? Result<ffmpeg::FramePtr>(ffmpeg::FramePtr()) : frame_of(*buffer, *caps);
  if (!frame) {
    const std::lock_guard lock(mutex_);
    unreadable_ = frame.error();
  }
  const auto mark = mark_of(sample, frame ? frame->get() : nullptr);
  if (!mark) return;
  if (GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_CORRUPTED)) ++counters_.decode_errors;
  (*frame)->pts = mark->pts.count;
  ffmpeg::complete_colour(**frame, *track_->video());
  out_({std::move(*frame), *mark});
}

}  // namespace kapok::gstreamer
