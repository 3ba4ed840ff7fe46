#include "transcoder/gstreamer/video_decoder.hpp"

#include <algorithm>
#include <utility>

namespace kapok::gstreamer {

namespace {

// Small beside pictures; the lane's queue before it is the one that is bounded in time.
constexpr std::size_t kQueuedPackets = 4;

bool is_oversized(const media::VideoFacts& facts) {
  return std::max(facts.width, facts.height) > ladder::kMaxLongSide ||
         std::min(facts.width, facts.height) > ladder::kMaxShortSide;
}

std::string_view coded_name(media::Codec codec) {
  switch (codec) {
    case media::Codec::avc:
      return "video/x-h264,stream-format=avc,alignment=au";
    case media::Codec::hevc:
      return "video/x-h265,stream-format=hvc1,alignment=au";
    case media::Codec::av1:
      return "video/x-av1,stream-format=obu-stream,alignment=tu";
    case media::Codec::aac:
      return "audio/mpeg,mpegversion=4,stream-format=raw,framed=true";
    case media::Codec::ac3:
      return "audio/x-ac3,framed=true";
    case media::Codec::eac3:
      return "audio/x-eac3,framed=true";
    case media::Codec::opus:
      return "audio/x-opus,channel-mapping-family=0";
    default:
      return "";
  }
}

}  // namespace

Result<CapsPtr> coded_caps_of(const media::Track& track) {
  const std::string_view name = coded_name(track.codec);
  if (name.empty())
    return fail(Errc::unsupported, "{} cannot be decoded here", name_of(track.codec));
  CapsPtr caps = caps_of(std::string(name));
  // What these begin with says the rest.
  const bool has_record = track.video() != nullptr || track.codec == media::Codec::aac;
  if (has_record && !track.config.empty()) {
    const BufferPtr config(gst_buffer_new_memdup(track.config.data(), track.config.size()));
    gst_caps_set_simple(caps.get(), "codec_data", GST_TYPE_BUFFER, config.get(), nullptr);
  }
  if (const auto* facts = track.video())
    gst_caps_set_simple(caps.get(), "width", G_TYPE_INT, static_cast<int>(facts->width), "height",
                        G_TYPE_INT, static_cast<int>(facts->height), nullptr);
  if (const auto* facts = track.audio())
    gst_caps_set_simple(caps.get(), "rate", G_TYPE_INT, static_cast<int>(facts->sample_rate),
                        "channels", G_TYPE_INT, static_cast<int>(facts->channels), nullptr);
  return caps;
}

VideoDecoder::VideoDecoder(std::shared_ptr<const media::Track> track, std::string text,
                           Counters& counters, OnDecoded out)
    : track_(std::move(track)), text_(std::move(text)), counters_(counters), out_(std::move(out)) {}

Result<void> VideoDecoder::open() {
  // Frames in memory that every element reads: a decoder on a device copies them down.
  Pipe::Setup setup{.text = text_,
                    .after = {},
                    .in = KAPOK_TRY(coded_caps_of(*track_)),
                    .out = caps_of("video/x-raw"),
                    .queued = kQueuedPackets};
  pipe_ = KAPOK_TRY(Pipe::open(std::move(setup), [this](GstSample& sample) { give(sample); }));
  return {};
}

Result<void> VideoDecoder::decode(const media::Packet& packet, ladder::SegmentStart start,
                                  const Times& times) {
  const bool starts_segment = start == ladder::SegmentStart::yes;
  const bool is_dropped = waits_for_sync_ && !packet.sync;
  if (is_dropped || packet.payload.empty()) {
    ++(is_dropped ? counters_.dropped : counters_.decode_errors);
    waits_for_sync_ = true;
    // Pictures of before are still to come out: the one behind this packet starts the segment.
    if (starts_segment) add_mark(packet, starts_segment);
    return {};
  }
  if (!pipe_) {
    times_ = times;
    KAPOK_TRY(open());
  }
  waits_for_sync_ = false;
  add_mark(packet, starts_segment);
  BufferPtr buffer = wrap(packet.payload.bytes(), std::make_shared<const Buffer>(packet.payload));
  GST_BUFFER_PTS(buffer.get()) = static_cast<GstClockTime>(times.at(packet.pts).count());
  GST_BUFFER_DTS(buffer.get()) = static_cast<GstClockTime>(times.at(packet.dts).count());
  if (!packet.sync) GST_BUFFER_FLAG_SET(buffer.get(), GST_BUFFER_FLAG_DELTA_UNIT);
  if (!pipe_->push(std::move(buffer))) failed();
  return {};
}

void VideoDecoder::add_mark(const media::Packet& packet, bool starts_segment) {
  const std::lock_guard lock(mutex_);
  marks_.add({.pts = packet.pts,
              .duration = packet.duration,
              .arrival = packet.arrival,
              .starts_segment = starts_segment});
}

// A decoder that gave up: a new one takes its place where decoding can start.
void VideoDecoder::failed() {
  pipe_.reset();
  const std::lock_guard lock(mutex_);
  ++counters_.decode_errors;
  start_lost_ = marks_.forget_before({INT64_MAX}) || start_lost_;
  waits_for_sync_ = true;
}

void VideoDecoder::flush() {
  if (!pipe_) return;
  if (!pipe_->finish()) return failed();
  pipe_.reset();
  const std::lock_guard lock(mutex_);
  counters_.decode_errors += marks_.size();
  start_lost_ = marks_.forget_before({INT64_MAX}) || start_lost_;
  waits_for_sync_ = true;
}

void VideoDecoder::give(GstSample& sample) {
  GstBuffer* buffer = gst_sample_get_buffer(&sample);
  const GstCaps* caps = gst_sample_get_caps(&sample);
  const auto at = running_time(sample, GST_BUFFER_PTS(buffer));
  std::optional<Mark> mark;
  {
    const std::lock_guard lock(mutex_);
    if (at) mark = marks_.take(times_.ticks(*at));
    if (!mark || caps == nullptr || is_oversized(facts_of(*caps, *track_->video()))) {
      ++counters_.decode_errors;  // a picture out of order, twice, or one that lied about its size
      return;
    }
    if (GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_CORRUPTED)) ++counters_.decode_errors;
    ++counters_.decoded;
    const std::size_t waiting = marks_.size();
    start_lost_ = marks_.forget_before(mark->pts) || start_lost_;
    counters_.decode_errors += waiting - marks_.size();  // they never gave a picture
    mark->starts_segment = std::exchange(start_lost_, false) || mark->starts_segment;
    number_ = mark->starts_segment ? 0 : number_ + 1;
    mark->number = number_;
  }
  Picture picture{BufferPtr(gst_buffer_ref(buffer)), *mark};
  out_(std::move(picture), *caps);
}

}  // namespace kapok::gstreamer
