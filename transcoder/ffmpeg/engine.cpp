#include "transcoder/ffmpeg/engine.hpp"

#include <algorithm>
#include <cstdlib>
#include <future>
#include <optional>
#include <utility>
#include <vector>

#include "transcoder/ffmpeg/audio_lane.hpp"
#include "transcoder/ffmpeg/av_log.hpp"
#include "transcoder/ffmpeg/video_decoder.hpp"
#include "transcoder/ffmpeg/video_lane.hpp"

namespace kapok::ffmpeg {

namespace {

using TrackPtr = std::shared_ptr<const media::Track>;

// The source track that rungs are made of: the first one, and after a discontinuity, behind which
// another feed may stand, the first one again.
struct Chosen {
  TrackPtr track;
  bool replaceable = true;
  bool takes(const media::Track& other) const {
    return replaceable || !track || track->id == other.id;
  }
  bool has(const media::Packet& packet) const { return track && packet.track == track->id; }
};

struct Sound {
  Chosen source;
  std::unique_ptr<AudioLane> lane;  // null: no rung is made of it, nor is it listened to
};

class FfmpegEngine final : public ladder::Engine {
 public:
  FfmpegEngine(media::Ladder ladder, ladder::EngineOptions options, EngineParts parts,
               ladder::RungSink& sink)
      : ladder_(std::move(ladder)),
        codecs_(std::move(parts.codecs)),
        log_(sink),
        rungs_(ladder_.video.size() + ladder_.audio.size()),
        video_({.ladder = ladder_,
                .options = options,
                .paths = std::move(parts.paths),
                .codecs = codecs_.get()},
               sink, counters_, std::span(rungs_).first(ladder_.video.size())) {
    for (const auto& rung : ladder_.audio)
      if (rung.source >= sounds_.size()) sounds_.resize(rung.source + std::size_t{1});
    const bool listens = ladder_.detect.silence.count() > 0;  // to the first
    if (listens && sounds_.empty()) sounds_.resize(1);
    for (std::uint8_t source = 0; source < sounds_.size(); ++source)
      if ((source == 0 && listens) ||
          std::ranges::find(ladder_.audio, source, &media::AudioRung::source) !=
              ladder_.audio.end())
        sounds_[source].lane =
            std::make_unique<AudioLane>(ladder_, source, options.pace, sink, counters_,
                                        std::span(rungs_).subspan(ladder_.video.size()));
  }

  Result<void> track(TrackPtr track) override {
    if (track->kind == media::TrackKind::video && video_track_.takes(*track)) {
      KAPOK_TRY(VideoDecoder::check(*track));
      video_track_ = {track, false};
      video_.track(std::move(track));
    } else if (track->kind == media::TrackKind::audio) {
      Sound* sound = sound_for(*track);
      if (sound == nullptr) return {};
      sound->source = {track, false};
      if (!sound->lane) return {};
      KAPOK_TRY(AudioLane::check(*track));
      sound->lane->track(std::move(track));
    }
    return {};
  }

  Result<void> packet(const media::Packet& packet, ladder::SegmentStart start) override {
    if (packet.payload.size() > media::kMaxPacketBytes)
      return fail(Errc::limit, "a packet of {} bytes", packet.payload.size());
    if (video_track_.has(packet)) video_.packet(packet, video_track_.track->timescale, start);
    for (Sound& sound : sounds_)
      if (sound.lane && sound.source.has(packet))
        sound.lane->packet(packet, sound.source.track->timescale);
    return {};
  }

  void discontinuity() override {
    video_.flush(nullptr);
    video_track_.replaceable = true;
    for (Sound& sound : sounds_) {
      if (sound.lane) sound.lane->flush(nullptr);
      sound.source.replaceable = true;
    }
  }

  void drain() override {
    std::vector<std::shared_ptr<std::promise<void>>> all;
    const auto next = [&] { return all.emplace_back(std::make_shared<std::promise<void>>()); };
    video_.flush(next());
    for (Sound& sound : sounds_)
      if (sound.lane) sound.lane->flush(next());
    for (const auto& each : all) each->get_future().wait();
  }

  ladder::EngineStats stats() const override {
    ladder::EngineStats stats{.decoded = counters_.decoded,
                              .decode_errors = counters_.decode_errors,
                              .dropped = counters_.dropped,
                              .waiting = video_.waiting(),
                              .device = codecs_ ? codecs_->device() : video_.device(),
                              .rungs = {}};
    const auto add = [&](const std::string& name) {
      const RungCounters& rung = rungs_[stats.rungs.size()];
      stats.rungs.push_back({name, rung.encoded, rung.shed});
    };
    for (const auto& rung : ladder_.video) add(rung.name);
    for (const auto& rung : ladder_.audio) add(rung.name);
    return stats;
  }

 private:
  // Tracks are counted as they come.
  Sound* sound_for(const media::Track& track) {
    const auto is_it = [&](const Sound& sound) {
      return !sound.source.replaceable && sound.source.track->id == track.id;
    };
    auto found = std::ranges::find_if(sounds_, is_it);
    if (found == sounds_.end())
      found = std::ranges::find_if(sounds_, [](const Sound& s) { return s.source.replaceable; });
    return found != sounds_.end() ? &*found : nullptr;
  }

  const media::Ladder ladder_;
  const std::unique_ptr<const Codecs> codecs_;
  const AvLog log_;
  Counters counters_;
  std::vector<RungCounters> rungs_;  // video first, never resized
  Chosen video_track_;
  VideoLane video_;
  std::vector<Sound> sounds_;  // as media::AudioRung::source counts
};

}  // namespace

Result<std::unique_ptr<ladder::Engine>> make_engine(media::Ladder ladder,
                                                    ladder::EngineOptions options,
                                                    ladder::RungSink& sink, EngineParts parts) {
  std::vector<Path>& paths = parts.paths;
  if (!parts.codecs && paths.empty() && ladder.device != "auto" && ladder.device != "software")
    return fail(Errc::unsupported, "device {}: no path leads there", ladder.device);
  if (paths.empty() || paths.back().device.kind != media::DeviceKind::software)
    paths.emplace_back();
  if (options.threads == 0) options.threads = usable_cores();
  // SVT-AV1 prints its settings on stderr unless told otherwise; this is the only way to tell it.
  ::setenv("SVT_LOG", "1", 0);  // NOLINT(concurrency-mt-unsafe): before the engine's threads
  return std::make_unique<FfmpegEngine>(std::move(ladder), options, std::move(parts), sink);
}

}  // namespace kapok::ffmpeg
