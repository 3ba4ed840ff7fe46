#include "transcoder/ffmpeg/video_lane.hpp"

#include <algorithm>
#include <utility>

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

VideoLane::VideoLane(const media::Ladder& ladder, ladder::EngineOptions options,
                     ladder::RungSink& sink, Counters& counters, std::span<RungCounters> rungs)
    : ladder_(ladder),
      options_(options),
      sink_(sink),
      counters_(counters),
      rungs_(rungs),
      watch_(ladder.detect, sink),
      thread_([this] { run(); }) {}

VideoLane::~VideoLane() {
  queue_.close();
  thread_.join();
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
  const auto push_picture = [this](Picture picture) { push(std::move(picture)); };
  while (auto item = queue_.pop()) {
    if (auto* track = std::get_if<std::shared_ptr<const media::Track>>(&*item)) {
      change_track(std::move(*track));
    } else if (auto* source = std::get_if<ladder::SourcePacket>(&*item)) {
      if (source->packet.duration.count > 0 && track_ && frame_rate_.numerator == 0)
        frame_rate_ = {track_->timescale,
                       static_cast<std::uint32_t>(source->packet.duration.count)};
      if (decoder_)
        decoder_->decode(source->packet, source->start, push_picture);
      else
        ++counters_.dropped;
    } else {
      finish();
      if (const auto& done = std::get<ladder::Flush>(*item).done) done->set_value();
    }
  }
  finish();
}

void VideoLane::change_track(std::shared_ptr<const media::Track> track) {
  const bool is_known = decoder_ && is_same_stream(*track, *track_);
  if (is_known) {
    track_ = std::move(track);
    return;
  }
  finish();
  decoder_.reset();
  track_ = std::move(track);
  frame_rate_ = track_->video()->frame_rate;
  const unsigned threads = options_.threads;
  auto opened = VideoDecoder::open(*track_, threads, counters_);
  if (opened)
    decoder_ = std::move(*opened);
  else
    sink_.notice(LogLevel::error, "source.refused", opened.error().message);
}

void VideoLane::push(Picture picture) {
  watch_.look(*picture.frame, media::to_microseconds(picture.mark.pts, track_->timescale),
              media::to_microseconds(picture.mark.duration, track_->timescale));
  media::VideoFacts facts = facts_of(*picture.frame, *track_->video());
  facts.frame_rate = frame_rate_;
  if (!pictures_ || !needs_same_pipeline(facts, *pictures_)) {
    if (pipeline_) {
      sink_.notice(LogLevel::info, "source.changed",
                   fmt::format("pictures are {}x{} now", facts.width, facts.height));
      pipeline_->finish();
      picture.mark.starts_segment = true;  // for encoders that begin here
    }
    auto made = std::make_shared<Pipeline>(ladder_, facts, track_->timescale, options_.threads,
                                           sink_, rungs_);
    const std::lock_guard lock(pipeline_mutex_);
    pipeline_ = std::move(made);
    pictures_ = facts;
  }
  pipeline_->push(std::move(picture),
                  queue_.span() < kRoomBelow ? ladder::Room::yes : ladder::Room::no);
}

void VideoLane::finish() {
  if (decoder_) decoder_->flush([this](Picture picture) { push(std::move(picture)); });
  watch_.end();
  if (pipeline_) pipeline_->finish();
  const std::lock_guard lock(pipeline_mutex_);
  pipeline_.reset();
  pictures_.reset();
}

}  // namespace kapok::ffmpeg
