#include "transcoder/ffmpeg/video_lane.hpp"

#include <algorithm>
#include <utility>

#include "transcoder/ffmpeg/video_decoder.hpp"

namespace kapok::ffmpeg {

namespace {

// What the stages are built for; the rest may change from picture to picture.
bool needs_same_pipeline(const media::VideoFacts& a, const media::VideoFacts& b) {
  return a.width == b.width && a.height == b.height && a.bit_depth == b.bit_depth &&
         a.chroma_format == b.chroma_format && a.sample_aspect == b.sample_aspect &&
         a.colour == b.colour && a.interlaced == b.interlaced;
}

// Facts that came later (mastering display in SEI) change nothing: the pictures have them too.
bool is_same_stream(const media::Track& a, const media::Track& b) {
  return a.codec == b.codec && a.timescale == b.timescale &&
         std::ranges::equal(a.config.bytes(), b.config.bytes()) &&
         a.video()->colour == b.video()->colour;
}

}  // namespace

VideoLane::VideoLane(Setup setup, ladder::RungSink& sink, Counters& counters,
                     std::span<RungCounters> rungs)
    : ladder_(setup.ladder),
      options_(setup.options),
      sink_(sink),
      counters_(counters),
      rungs_(rungs),
      decoders_(setup.codecs),
      encoders_(setup.codecs),
      paths_(std::move(setup.paths)),
      device_watch_(std::make_unique<DeviceWatch>(paths_.front().fails_after)),
      watch_(ladder_.detect, sink),
      device_(paths_.front().device),
      thread_([this] { run(); }) {}

VideoLane::~VideoLane() {
  queue_.close();
  thread_.join();
}

void VideoLane::packet(const media::Packet& packet, media::Timescale timescale,
                       ladder::SegmentStart start) {
  const MonoTime now = options_.clock != nullptr ? options_.clock->mono() : SystemClock().mono();
  if (options_.pace == ladder::Pace::live) shed_if_late(now);
  const bool taken = queue_.push({packet, start}, timescale, options_.pace, now);
  if (!taken) {
    ++counters_.dropped;
    if (!std::exchange(dropping_, true))
      sink_.notice(LogLevel::warn, "source.dropped",
                   "decoding does not keep up: packets are dropped up to a next sync packet");
  } else if (std::exchange(dropping_, false)) {
    sink_.notice(LogLevel::info, "source.resumed", "decoding goes on at a sync packet");
  }
}

void VideoLane::shed_if_late(MonoTime now) {
  if (queue_.span() < kShedAbove) {
    shed_at_.reset();
    return;
  }
  if (queue_.age(now) < kShedAbove) return;
  if (shed_at_ && now - *shed_at_ < kShedAgainAfter) return;
  const std::lock_guard lock(mutex_);
  if (pipeline_ && pipeline_->shed()) shed_at_ = now;
}

void VideoLane::run() {
  while (auto item = queue_.pop()) {
    if (device_watch_->has_failed()) leave_failed_device();
    if (auto* track = std::get_if<std::shared_ptr<const media::Track>>(&*item)) {
      change_track(std::move(*track));
    } else if (auto* source = std::get_if<ladder::SourcePacket>(&*item)) {
      decode(*source);
    } else {
      finish();
      if (const auto& done = std::get<ladder::Flush>(*item).done) done->set_value();
    }
  }
  finish();
}

void VideoLane::decode(const ladder::SourcePacket& source) {
  const media::Packet& packet = source.packet;
  if (!decoder_) {
    ++counters_.dropped;
    return;
  }
  if (packet.duration.count > 0) {
    const std::lock_guard lock(mutex_);
    if (source_.frame_rate.numerator == 0)
      source_.frame_rate = {source_.track->timescale,
                            static_cast<std::uint32_t>(packet.duration.count)};
  }
  decoder_->decode(packet, source.start);
  if (!decoder_->lost()) return;
  if (decoder_->is_on_device())
    device_watch_->failed(*decoder_->lost());
  else
    leave_failed_codecs(*decoder_->lost());
}

VideoLane::Source VideoLane::source() const {
  const std::lock_guard lock(mutex_);
  return source_;
}

void VideoLane::change_track(std::shared_ptr<const media::Track> track) {
  if (decoder_ && is_same_stream(*track, *source().track)) {
    const std::lock_guard lock(mutex_);
    source_.track = std::move(track);
    return;
  }
  finish();
  decoder_.reset();
  {
    const std::lock_guard lock(mutex_);
    source_ = {.track = track, .frame_rate = track->video()->frame_rate};
  }
  open_decoder();
}

void VideoLane::open_decoder() {
  auto made = make_decoder();
  if (made) {
    decoder_ = std::move(*made);
  } else if (decoders_ != nullptr) {
    sink_.notice(LogLevel::warn, "codec.replaced",
                 fmt::format("{}; libavcodec decodes", made.error().message));
    decoders_ = nullptr;
    open_decoder();
  } else if (decodes_on_device()) {
    device_watch_->failed(made.error());
    leave_failed_device();
  } else {
    sink_.notice(LogLevel::error, "source.refused", made.error().message);
  }
}

bool VideoLane::decodes_on_device() const {
  const Source now = source();
  const media::VideoFacts& facts = *now.track->video();
  // What encoders for viewers make; studios' 4:2:2 is decoded in software.
  constexpr std::uint8_t k420 = 1;
  constexpr std::uint8_t kDeep = 10;
  const Coding coding{now.track->codec, facts.bit_depth > 8 ? kDeep : std::uint8_t{8}};
  return facts.chroma_format == k420 && paths_.front().can.decode(coding);
}

Result<std::unique_ptr<PictureDecoder>> VideoLane::make_decoder() {
  const Source now = source();
  OnPicture out = [this](Picture picture) { push(std::move(picture)); };
  if (decoders_ != nullptr)
    return decoders_->decoder(now.track, options_.threads, counters_, std::move(out));
  return VideoDecoder::open(*now.track, options_.threads, counters_, std::move(out),
                            decodes_on_device() ? paths_.front().opened : nullptr);
}

void VideoLane::leave_failed_codecs(const Error& error) {
  sink_.notice(LogLevel::error, "device.failed",
               fmt::format("{}; libavcodec goes on at the next segment", error.message));
  decoder_.reset();
  end_pipeline();
  skips_to_start_ = true;
  decoders_ = nullptr;
  open_decoder();
}

void VideoLane::leave_failed_device() {
  const Path failed = std::move(paths_.front());
  paths_.erase(paths_.begin());
  const Path& next = paths_.front();
  sink_.notice(LogLevel::error, "device.failed",
               fmt::format("{}: {}; {} goes on at the next segment", label_of(failed),
                           device_watch_->reason(), label_of(next)));
  // What it still holds is lost; rungs in software come out whole.
  end_pipeline();
  {
    const std::lock_guard lock(mutex_);
    device_ = next.device;
  }
  device_watch_ = std::make_unique<DeviceWatch>(next.fails_after);
  skips_to_start_ = true;
  const bool decodes_elsewhere = !decoder_ || decoder_->is_on_device() || !next.can.decodes.empty();
  if (!source().track || !decodes_elsewhere) return;
  decoder_.reset();
  open_decoder();
}

std::string VideoLane::device() const {
  const std::lock_guard lock(mutex_);
  return word_of(device_);
}

void VideoLane::push(Picture picture) {
  const Source now = source();
  const media::Timescale timescale = now.track->timescale;
  // Copied down from a device only when it is looked at.
  if (const auto at = media::to_microseconds(picture.mark.pts, timescale); watch_.wants(at))
    if (const auto seen = in_memory(*picture.frame))
      watch_.look(**seen, at, media::to_microseconds(picture.mark.duration, timescale));
  if (skips_to_start_ && !picture.mark.starts_segment) return;
  skips_to_start_ = false;
  const AVFrame& frame = *picture.frame;
  media::VideoFacts facts = facts_of(frame, *now.track->video());
  facts.frame_rate = now.frame_rate;
  const void* pool = is_on_device(frame) ? frame.hw_frames_ctx->data : nullptr;
  if (!pictures_ || !needs_same_pipeline(facts, *pictures_) || frame.format != format_ ||
      pool != pool_) {
    if (pipeline_) {
      if (!needs_same_pipeline(facts, *pictures_))
        sink_.notice(LogLevel::info, "source.changed",
                     fmt::format("pictures are {}x{} now", facts.width, facts.height));
      pipeline_->finish();
      picture.mark.starts_segment = true;  // for encoders that begin here
    }
    rebuild(facts, frame, timescale);
  }
  pipeline_->push(std::move(picture),
                  queue_.span() < kRoomBelow ? ladder::Room::yes : ladder::Room::no);
}

void VideoLane::rebuild(const media::VideoFacts& facts, const AVFrame& first,
                        media::Timescale timescale) {
  const bool in_memory = !is_on_device(first);
  if (in_memory && decoder_->is_on_device() && !std::exchange(told_of_memory_, true))
    sink_.notice(LogLevel::info, "device.decoding_in_software",
                 fmt::format("{} does not decode this bitstream", label_of(paths_.front())));
  auto made =
      std::make_shared<Pipeline>(ladder_,
                                 PipelineSetup{.source = facts,
                                               .decoded = in_memory ? Place::memory : Place::device,
                                               .timescale = timescale,
                                               .threads = options_.threads,
                                               .path = &paths_.front(),
                                               .watch = device_watch_.get(),
                                               .codecs = encoders_,
                                               .pace = options_.pace},
                                 sink_, rungs_);
  const std::lock_guard lock(mutex_);
  pipeline_ = std::move(made);
  pictures_ = facts;
  format_ = first.format;
  pool_ = in_memory ? nullptr : first.hw_frames_ctx->data;
}

void VideoLane::finish() {
  if (decoder_) decoder_->flush();
  watch_.end();
  end_pipeline();
}

void VideoLane::end_pipeline() {
  if (pipeline_) pipeline_->finish();
  const std::lock_guard lock(mutex_);
  pipeline_.reset();
  pictures_.reset();
}

}  // namespace kapok::ffmpeg
