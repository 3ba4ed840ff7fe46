#include "transcoder/gstreamer/video_encoder.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "server/media/av1.hpp"
#include "server/media/describe.hpp"
#include "transcoder/gstreamer/frame.hpp"
#include "transcoder/ladder/encoder_header.hpp"
#include "transcoder/ladder/sample_nals.hpp"

namespace kapok::gstreamer {

std::size_t before_parameter_sets(ByteSpan coded) {
  constexpr std::array kVps{std::byte{0}, std::byte{0}, std::byte{1}, std::byte{0x40},
                            std::byte{1}};
  const auto last = std::ranges::find_end(coded, kVps);
  if (last.empty()) return 0;
  const auto at = static_cast<std::size_t>(last.begin() - coded.begin());
  return at > 0 && coded[at - 1] == std::byte{0} ? at - 1 : at;
}

Result<std::unique_ptr<VideoEncoder>> VideoEncoder::open(VideoEncoderSetup setup,
                                                         ladder::RungSink& sink,
                                                         ffmpeg::RungCounters& counters) {
  const media::Codec codec = setup.rung.codec;
  Pipe::Setup pipe{.text = setup.text,
                   .after = std::string(parser_of(codec)),
                   .in = CapsPtr(gst_caps_ref(setup.pictures.get())),
                   .out = caps_of(coded_caps(codec)),
                   .skip = codec == media::Codec::hevc ? before_parameter_sets : nullptr};
  std::unique_ptr<VideoEncoder> made(new VideoEncoder(std::move(setup), sink, counters));
  made->pipe_ = KAPOK_TRY(
      Pipe::open(std::move(pipe), [self = made.get()](GstSample& sample) { self->take(sample); }));
  return made;
}

VideoEncoder::VideoEncoder(VideoEncoderSetup setup, ladder::RungSink& sink,
                           ffmpeg::RungCounters& counters)
    : setup_(std::move(setup)), sink_(sink), counters_(counters) {}

Result<void> VideoEncoder::failure() const {
  const std::lock_guard lock(mutex_);
  if (error_) return std::unexpected(*error_);
  return {};
}

Result<void> VideoEncoder::encode(ffmpeg::Picture picture) {
  KAPOK_TRY(failure());
  const ffmpeg::Mark& mark = picture.mark;
  if (!times_) times_ = Times{.base = mark.pts, .timescale = setup_.timescale};
  BufferPtr buffer = KAPOK_TRY(buffer_of(*picture.frame));
  const auto at = times_->at(mark.pts);
  GST_BUFFER_PTS(buffer.get()) = static_cast<GstClockTime>(at.count());
  {
    const std::lock_guard lock(mutex_);
    marks_.add(mark);
  }
  if (mark.starts_segment) pipe_->force_key_unit(at);
  return pipe_->push(std::move(buffer));
}

Result<void> VideoEncoder::finish() {
  KAPOK_TRY(pipe_->finish());
  return failure();
}

void VideoEncoder::take(GstSample& sample) {
  if (!failure()) return;
  auto given = give(sample);
  if (given) return;
  const std::lock_guard lock(mutex_);
  error_ = std::move(given).error();
}

Result<void> VideoEncoder::give(GstSample& sample) {
  media::Packet packet = KAPOK_TRY(read(sample));
  GstBuffer* buffer = gst_sample_get_buffer(&sample);
  GstMapInfo map;
  if (!gst_buffer_map(buffer, &map, GST_MAP_READ))
    return fail(Errc::internal, "the encoder's packet cannot be read");
  const ByteSpan coded = as_bytes(map.data, map.size);
  const Result<void> announced = track_ ? Result<void>() : announce(packet, coded);
  if (announced) packet.payload = payload_of(coded);
  gst_buffer_unmap(buffer, &map);
  KAPOK_TRY(announced);
  // An encoder's flag may lie; here it stands in the bitstream.
  packet.sync = media::is_sync(*track_, packet.payload.bytes());
  if (packet.sync) packet.payload = ladder::with_sei(std::move(packet.payload), sei_);
  ++counters_.encoded;
  sink_.packet(setup_.rung.name, std::move(packet));
  return {};
}

Result<media::Packet> VideoEncoder::read(GstSample& sample) {
  GstBuffer* buffer = gst_sample_get_buffer(&sample);
  const auto pts = running_time(sample, GST_BUFFER_PTS(buffer));
  if (!pts) return fail(Errc::internal, "the encoder made a packet without a time");
  media::Packet packet;
  packet.track = setup_.id;
  packet.pts = times_->ticks(*pts);
  packet.dts = packet.pts;
  // A temporal unit of AV1 shows one frame, so both orders are one.
  const auto dts = running_time(sample, GST_BUFFER_DTS(buffer));
  if (dts && setup_.rung.codec != media::Codec::av1)
    packet.dts = std::min(packet.pts, times_->ticks(*dts));
  const std::lock_guard lock(mutex_);
  const auto mark = marks_.take(packet.pts);
  if (!mark) return fail(Errc::internal, "the encoder made a packet of no frame");
  packet.duration = mark->duration;
  packet.arrival = mark->arrival;
  return packet;
}

Result<void> VideoEncoder::announce(const media::Packet& first, ByteSpan coded) {
  const media::VideoRung& rung = setup_.rung;
  const Bytes units =
      rung.codec == media::Codec::av1
          ? Bytes(coded.begin(), coded.end())
          : ladder::length_prefixed(rung.codec, coded, ladder::ParameterSetsIn::keep);
  auto header = KAPOK_TRY(ladder::read_header(rung.codec, units));
  const auto track = KAPOK_TRY(media::describe_track({.id = first.track,
                                                      .codec = rung.codec,
                                                      .timescale = setup_.timescale,
                                                      .config = std::move(header.config),
                                                      .language = {}}));
  media::Track described = *media::enriched(track, units);
  auto& facts = std::get<media::VideoFacts>(described.facts);
  // Encoders that take each frame's own time write no rate, or an invented one.
  facts.frame_rate = setup_.frame_rate;
  const bool is_sdr = dynamic_range_of(facts.colour) == media::DynamicRange::sdr;
  if (facts.height != rung.height || facts.bit_depth != rung.bit_depth ||
      (rung.range == media::RungRange::sdr && !is_sdr))
    return fail(Errc::config,
                "{} lines of {} bits{} came out, which is not what the rung says it is",
                facts.height, facts.bit_depth, is_sdr ? "" : " in HDR");
  sei_ = std::move(header.sei);
  track_ = std::make_shared<const media::Track>(std::move(described));
  sink_.track(rung.name, track_);
  return {};
}

Buffer VideoEncoder::payload_of(ByteSpan coded) const {
  if (setup_.rung.codec == media::Codec::av1)
    return media::av1::without_delimiters(Buffer::copy_of(coded));
  return Buffer(
      ladder::length_prefixed(setup_.rung.codec, coded, ladder::ParameterSetsIn::leave_out));
}

}  // namespace kapok::gstreamer
