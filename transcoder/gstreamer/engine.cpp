#include "transcoder/gstreamer/engine.hpp"

#include <sched.h>

#include <algorithm>
#include <future>
#include <set>
#include <utility>
#include <vector>

#include "transcoder/gstreamer/audio_lane.hpp"
#include "transcoder/gstreamer/video_lane.hpp"

namespace kapok::gstreamer {

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
  std::unique_ptr<AudioLane> lane;  // null: no rung is made of it
};

class GstreamerEngine final : public ladder::Engine {
 public:
  GstreamerEngine(media::Ladder ladder, ladder::EngineOptions options, Toolbox toolbox,
                  ladder::RungSink& sink)
      : ladder_(std::move(ladder)),
        toolbox_(std::move(toolbox)),
        rungs_(ladder_.video.size() + ladder_.audio.size()),
        video_(ladder_, options, toolbox_, sink, counters_,
               std::span(rungs_).first(ladder_.video.size())) {
    for (const auto& rung : ladder_.audio)
      if (rung.source >= sounds_.size()) sounds_.resize(rung.source + std::size_t{1});
    for (std::uint8_t source = 0; source < sounds_.size(); ++source)
      if (std::ranges::find(ladder_.audio, source, &media::AudioRung::source) !=
          ladder_.audio.end())
        sounds_[source].lane = std::make_unique<AudioLane>(
            AudioLane::Setup{.ladder = ladder_, .source = source, .pace = options.pace}, toolbox_,
            sink, counters_, std::span(rungs_).subspan(ladder_.video.size()));
  }

  Result<void> track(TrackPtr track) override {
    if (track->kind == media::TrackKind::video && video_track_.takes(*track)) {
      KAPOK_TRY(video_.check(*track));
      video_track_ = {track, false};
      video_.track(std::move(track));
    } else if (track->kind == media::TrackKind::audio) {
      Sound* sound = sound_for(*track);
      if (sound == nullptr) return {};
      sound->source = {track, false};
      if (!sound->lane) return {};
      KAPOK_TRY(sound->lane->check(*track));
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
                              .rungs = {}};
    const auto add = [&](const std::string& name) {
      const ladder::RungCounters& rung = rungs_[stats.rungs.size()];
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
  const Toolbox toolbox_;
  ladder::Counters counters_;
  std::vector<ladder::RungCounters> rungs_;  // video first, never resized
  Chosen video_track_;
  VideoLane video_;
  std::vector<Sound> sounds_;  // as media::AudioRung::source counts
};

unsigned usable_cores() {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  if (::sched_getaffinity(0, sizeof cores, &cores) != 0) return 1;
  return static_cast<unsigned>(std::max(1, CPU_COUNT(&cores)));
}

Result<void> check_device(const std::string& device) {
  std::set<std::string_view> known{"auto"};
  for (const Encoder& encoder : encoders()) known.insert(encoder.device);
  if (known.contains(device)) return {};
  return fail(Errc::config, "device {} is none that GStreamer has elements for: say one of {}",
              device, fmt::join(known, ", "));
}

// Loads what an operator's graphs need, and tells which cannot be.
void check_graphs(const media::Ladder& ladder, Toolbox& toolbox, ladder::RungSink& sink) {
  bool loaded = false;
  for (const media::VideoRung& rung : ladder.video) {
    if (rung.bin.empty()) continue;
    if (!std::exchange(loaded, true)) load_all_plugins();
    Result<void> done;
    if (auto bin = make_bin(rung.bin); !bin)
      done = std::unexpected(std::move(bin).error());
    else {
      // Drivers and libraries are opened here: later there are no files.
      if (gst_element_set_state(bin->get(), GST_STATE_READY) == GST_STATE_CHANGE_FAILURE)
        done = fail(Errc::config, "one of its elements does not start");
      gst_element_set_state(bin->get(), GST_STATE_NULL);
    }
    if (done) continue;
    toolbox.add_broken_graph(rung.name);
    sink.notice(LogLevel::error, "rung.failed",
                fmt::format("{}: bin: {}", rung.name, done.error().message));
  }
}

}  // namespace

Result<Made> make_engine(media::Ladder ladder, ladder::EngineOptions options,
                         ladder::RungSink& sink) {
  KAPOK_TRY(check_device(ladder.device));
  if (options.threads == 0) options.threads = usable_cores();
  Toolbox toolbox(ladder.device);
  std::set<std::string_view> used;
  for (const media::VideoRung& rung : ladder.video)
    if (const auto encoder = toolbox.encoder(rung.codec, rung.bit_depth);
        encoder && rung.bin.empty())
      used.insert((*encoder)->device);
  if (ladder.device != "auto" && ladder.device != "software" && !used.contains(ladder.device))
    sink.notice(LogLevel::warn, "device.missing",
                fmt::format("{}: no element of it works for this ladder: {}", ladder.device,
                            "kapok-transcoder --probe says why"));
  check_graphs(ladder, toolbox, sink);
  const std::string device = used.empty() ? "software" : fmt::format("{}", fmt::join(used, " "));
  return Made{
      std::make_unique<GstreamerEngine>(std::move(ladder), options, std::move(toolbox), sink),
      device};
}

}  // namespace kapok::gstreamer
