#include "transcoder/gstreamer/audio_encoder.hpp"

#include <utility>

#include "server/media/describe.hpp"

namespace kapok::gstreamer {

namespace {

constexpr std::int64_t kAacFrame = 1024;

// What players take without another resampling.
media::Timescale rung_rate(int source) {
  return source == 44100 || source == 32000 ? static_cast<media::Timescale>(source) : 48000;
}

int number_in(const GstCaps& caps, const char* field) {
  int value = 0;
  gst_structure_get_int(gst_caps_get_structure(&caps, 0), field, &value);
  return value;
}

}  // namespace

Result<std::unique_ptr<AudioEncoder>> AudioEncoder::open(Setup setup, ladder::RungSink& sink,
                                                         ladder::RungCounters& counters) {
  const int rate = number_in(*setup.samples, "rate");
  const int channels = number_in(*setup.samples, "channels");
  if (rate <= 0 || channels <= 0) return fail(Errc::internal, "sound without rate or channels");
  Pipe::Setup pipe{
      .text = fmt::format("audioconvert ! audioresample ! audio/x-raw,rate={},channels={} ! {} "
                          "bitrate={}",
                          rung_rate(rate), setup.rung.channels, setup.element->element,
                          setup.rung.bit_rate),
      .after = std::string(parser_of(setup.rung.codec)),
      .in = CapsPtr(gst_caps_ref(setup.samples.get())),
      .out = caps_of(coded_caps(setup.rung.codec)),
      .queued = 8};
  std::unique_ptr<AudioEncoder> made(new AudioEncoder(
      std::move(setup),
      SoundTimeline(static_cast<std::uint32_t>(rate), static_cast<std::size_t>(channels)), sink,
      counters));
  made->pipe_ = KAPOK_TRY(
      Pipe::open(std::move(pipe), [self = made.get()](GstSample& sample) { self->take(sample); }));
  return made;
}

AudioEncoder::AudioEncoder(Setup setup, SoundTimeline timeline, ladder::RungSink& sink,
                           ladder::RungCounters& counters)
    : setup_(std::move(setup)),
      timeline_(timeline),
      rate_(rung_rate(static_cast<int>(timeline.rate()))),
      sink_(sink),
      counters_(counters) {}

bool AudioEncoder::continues(const GstCaps& caps, std::chrono::nanoseconds pts) const {
  return gst_caps_is_equal(&caps, setup_.samples.get()) && timeline_.continues(pts);
}

Result<void> AudioEncoder::failure() const {
  const std::lock_guard lock(mutex_);
  if (error_) return std::unexpected(*error_);
  return {};
}

Result<void> AudioEncoder::encode(std::span<const float> samples, std::chrono::nanoseconds pts,
                                  MonoTime arrival) {
  KAPOK_TRY(failure());
  arrival_ = arrival;
  const std::int64_t at = timeline_.written();
  const std::vector<float> placed = timeline_.place(samples, pts);
  if (placed.empty()) return {};
  BufferPtr buffer(gst_buffer_new_memdup(placed.data(), placed.size() * sizeof(float)));
  const Times times{.base = {0}, .timescale = timeline_.rate()};
  GST_BUFFER_PTS(buffer.get()) = static_cast<GstClockTime>(times.at({at}).count());
  GST_BUFFER_DURATION(buffer.get()) =
      static_cast<GstClockTime>((times.at({timeline_.written()}) - times.at({at})).count());
  return pipe_->push(std::move(buffer));
}

Result<void> AudioEncoder::finish() {
  KAPOK_TRY(pipe_->finish());
  return failure();
}

void AudioEncoder::take(GstSample& sample) {
  if (!failure()) return;
  auto given = give(sample);
  if (given) return;
  const std::lock_guard lock(mutex_);
  error_ = std::move(given).error();
}

Result<void> AudioEncoder::give(GstSample& sample) {
  if (!next_) {
    KAPOK_TRY(announce(*gst_sample_get_caps(&sample)));
    // The encoder's first frames tell of the time before the first sample.
    next_ = media::from_nanoseconds(timeline_.begin(), rate_) - media::Ticks{setup_.element->delay};
  }
  GstBuffer* buffer = gst_sample_get_buffer(&sample);
  Bytes payload(gst_buffer_get_size(buffer));
  gst_buffer_extract(buffer, 0, payload.data(), payload.size());
  media::Packet packet;
  packet.track = setup_.id;
  packet.pts = packet.dts = *next_;
  packet.duration = {kAacFrame};
  packet.sync = true;
  packet.arrival = arrival_;
  packet.payload = Buffer(std::move(payload));
  *next_ += packet.duration;
  ++counters_.encoded;
  sink_.packet(setup_.rung.name, std::move(packet));
  return {};
}

Result<void> AudioEncoder::announce(const GstCaps& caps) {
  const GValue* record = gst_structure_get_value(gst_caps_get_structure(&caps, 0), "codec_data");
  if (record == nullptr) return fail(Errc::internal, "the encoder says nothing of its stream");
  GstBuffer* buffer = gst_value_get_buffer(record);
  Bytes config(gst_buffer_get_size(buffer));
  gst_buffer_extract(buffer, 0, config.data(), config.size());
  sink_.track(setup_.rung.name,
              KAPOK_TRY(media::describe_track({.id = setup_.id,
                                               .codec = setup_.rung.codec,
                                               .timescale = rate_,
                                               .config = Buffer(std::move(config)),
                                               .language = setup_.language})));
  return {};
}

}  // namespace kapok::gstreamer
