#include "transcoder/gstreamer/video_lane.hpp"

#include <algorithm>
#include <utility>

namespace kapok::gstreamer {

namespace {

// What the stages are built for; the rest may change from picture to picture.
bool needs_same_pipeline(const media::VideoFacts& a, const media::VideoFacts& b) {
  return a.width == b.width && a.height == b.height && a.bit_depth == b.bit_depth &&
         a.chroma_format == b.chroma_format && a.sample_aspect == b.sample_aspect &&
         a.colour == b.colour && a.interlaced == b.interlaced;
}

// Facts that came later (mastering display in SEI) change nothing but what new encoders are told.
bool is_same_stream(const media::Track& a, const media::Track& b) {
  return a.codec == b.codec && a.timescale == b.timescale &&
         std::ranges::equal(a.config.bytes(), b.config.bytes()) &&
         a.video()->colour == b.video()->colour;
}

std::string format_in(const GstCaps& caps) {
  const char* format = gst_structure_get_string(gst_caps_get_structure(&caps, 0), "format");
  return format == nullptr ? "I420" : format;
}

}  // namespace

VideoLane::VideoLane(const media::Ladder& ladder, ladder::EngineOptions options,
                     const Toolbox& toolbox, ladder::RungSink& sink, Counters& counters,
                     std::span<RungCounters> rungs)
    : ladder_(ladder),
      options_(options),
      toolbox_(toolbox),
      sink_(sink),
      counters_(counters),
      rungs_(rungs),
      thread_([this] { run(); }) {}

VideoLane::~VideoLane() {
  queue_.close();
  thread_.join();
}

Result<void> VideoLane::check(const media::Track& track) const {
  const media::VideoFacts* facts = track.video();
  if (facts == nullptr) return fail(Errc::unsupported, "{} is no video", name_of(track.codec));
  KAPOK_TRY(toolbox_.decoder(track.codec));
  if (std::max(facts->width, facts->height) > ladder::kMaxLongSide ||
      std::min(facts->width, facts->height) > ladder::kMaxShortSide)
    return fail(Errc::limit, "a picture of {}x{} is above {}x{}", facts->width, facts->height,
                ladder::kMaxLongSide, ladder::kMaxShortSide);
  return {};
}

void VideoLane::packet(const media::Packet& packet, media::Timescale timescale,
                       ladder::SegmentStart start) {
  if (options_.pace == ladder::Pace::live) shed_if_late(packet, timescale);
  const bool taken = queue_.push({packet, start}, timescale, options_.pace);
  if (!taken) {
    ++counters_.dropped;
    if (!std::exchange(dropping_, true))
      sink_.notice(LogLevel::warn, "source.dropped",
                   "decoding does not keep up: packets are dropped up to a next sync packet");
  } else if (std::exchange(dropping_, false)) {
    sink_.notice(LogLevel::info, "source.resumed", "decoding goes on at a sync packet");
  }
}

void VideoLane::shed_if_late(const media::Packet& packet, media::Timescale timescale) {
  const auto now = media::to_nanoseconds(packet.dts, timescale);
  if (queue_.span() < kShedAbove) {
    shed_at_.reset();
    return;
  }
  if (shed_at_ && now - *shed_at_ < kShedAgainAfter) return;
  const std::lock_guard lock(pipeline_mutex_);
  if (pipeline_ && pipeline_->shed()) shed_at_ = now;
}

void VideoLane::run() {
  while (auto item = queue_.pop()) {
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

void VideoLane::change_track(std::shared_ptr<const media::Track> track) {
  if (decoder_ && is_same_stream(*track, *track_)) return;
  finish();
  decoder_.reset();
  track_ = std::move(track);
  frame_rate_ = track_->video()->frame_rate;
  const auto decoder = toolbox_.decoder(track_->codec);
  if (!decoder) {
    sink_.notice(LogLevel::error, "source.refused", decoder.error().message);
    return;
  }
  decoder_ = std::make_unique<VideoDecoder>(
      track_, decoder_text(**decoder, options_.threads), counters_,
      [this](Picture picture, const GstCaps& caps) { push(std::move(picture), caps); });
}

void VideoLane::decode(const ladder::SourcePacket& source) {
  const media::Packet& packet = source.packet;
  if (!decoder_) {
    ++counters_.dropped;
    return;
  }
  if (packet.duration.count > 0 && frame_rate_.numerator == 0)
    frame_rate_ = {track_->timescale, static_cast<std::uint32_t>(packet.duration.count)};
  // A clock that ran backwards without a word: what was before is finished.
  if (times_ && times_->at(std::min(packet.pts, packet.dts)).count() < 0) finish();
  if (!times_) times_ = Times{packet.pts, track_->timescale};
  if (const auto done = decoder_->decode(packet, source.start, *times_); !done) {
    sink_.notice(LogLevel::error, "source.refused", done.error().message);
    decoder_.reset();
  }
}

void VideoLane::push(Picture picture, const GstCaps& caps) {
  media::VideoFacts facts = facts_of(caps, *track_->video());
  facts.frame_rate = frame_rate_;
  std::string format = format_in(caps);
  if (!pictures_ || !needs_same_pipeline(facts, *pictures_) || format != format_) {
    if (pipeline_) {
      sink_.notice(LogLevel::info, "source.changed",
                   fmt::format("pictures are {}x{} now", facts.width, facts.height));
      pipeline_->finish();
      picture.mark.starts_segment = true;  // for encoders that begin here
    }
    auto made = std::make_shared<Pipeline>(ladder_, Pipeline::Source{facts, format, *times_},
                                           toolbox_, options_.threads, sink_, rungs_);
    const std::lock_guard lock(pipeline_mutex_);
    pipeline_ = std::move(made);
    pictures_ = facts;
    format_ = std::move(format);
  }
  pipeline_->push(std::move(picture),
                  queue_.span() < kRoomBelow ? ladder::Room::yes : ladder::Room::no);
}

void VideoLane::finish() {
  if (decoder_) decoder_->flush();
  if (pipeline_) pipeline_->finish();
  times_.reset();
  const std::lock_guard lock(pipeline_mutex_);
  pipeline_.reset();
  pictures_.reset();
}

}  // namespace kapok::gstreamer
